#include <boost/json.hpp>

#include "json/json.h"
#include "toolbox_git/config_file.h"
#include "toolbox_git/credential_files.h"
#include "toolbox_git/operations.h"

namespace sebring::toolbox_git {
namespace bj = boost::json;

Result<std::string> perform(const GetConfig& request, Tools&) {
  SB_TRY(const auto value, read_config(request.scope, request.path, request.key));
  return json::serialize(bj::object{{"value", value ? bj::value(*value) : bj::value(nullptr)}});
}

Result<std::string> perform(const SetConfig& request, Tools&) {
  for (const auto& [key, value] : request.entries) SB_CHECK(write_config(request.scope, request.path, key, value));
  return "";
}

Result<std::string> perform(const StoreCredentials& request, Tools&) {
  SB_CHECK(store_credential(request));
  return "";
}

}  // namespace sebring::toolbox_git
