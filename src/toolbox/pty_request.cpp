#include "toolbox/pty_request.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/text.h"
#include "json/json.h"
#include "toolbox/body.h"
#include "toolbox/configuration.h"
#include "toolbox/paths.h"

namespace sebring::toolbox {
namespace {

constexpr std::size_t kIdBytesMax = 256;

Result<void> check_id(const std::string& id) {
  const bool control = std::any_of(id.begin(), id.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  });
  if (id.empty()) return fail(Errc::invalid_argument, "id is required");
  if (id.size() > kIdBytesMax) return fail(Errc::invalid_argument, "id is too long");
  if (control) return fail(Errc::invalid_argument, "id has control characters");
  return {};
}

// What is common to both ways: a good id, a path, variables that can be.
Result<PtySettings> check(PtySettings settings, const std::string& cwd, const Context& context) {
  SB_CHECK(check_id(settings.id));
  if (cwd.empty()) {
    settings.cwd = context.work_dir;
  } else {
    SB_TRY(settings.cwd, resolve_path(cwd, context.work_dir, context.user.home));
  }
  for (const auto& [name, value] : settings.envs) {
    if (!is_environment_name(name))
      return fail(Errc::invalid_argument, "invalid environment variable name: '" + name + "'");
    if (value.find('\0') != std::string::npos) {
      return fail(Errc::invalid_argument, "environment variable '" + name + "' has a NUL character");
    }
  }
  return settings;
}

Result<unsigned short> parse_size(const net::Query& query, std::string_view name, unsigned short otherwise) {
  const auto text = query.find(name);
  if (!text || text->empty()) return otherwise;
  const auto number = parse_integer(*text);
  if (!number || *number < 1 || *number > kPtySizeMax) {
    return fail(Errc::invalid_argument, std::string(name) + " must be between 1 and " + std::to_string(kPtySizeMax));
  }
  return static_cast<unsigned short>(*number);
}

Result<std::vector<std::pair<std::string, std::string>>> parse_envs_token(std::string_view token) {
  auto text = base64_decode(token);
  if (!text) return fail(Errc::invalid_argument, "subprotocol with variables is not base64url");
  auto object = json::parse_object(*text);
  if (!object) return fail(std::move(object.error()).while_doing("subprotocol with variables"));
  std::vector<std::pair<std::string, std::string>> envs;
  for (const auto& [name, value] : *object) {
    if (!value.is_string())
      return fail(Errc::invalid_argument, "variable '" + std::string(name) + "' must be a string");
    envs.emplace_back(name, std::string(value.get_string()));
  }
  return envs;
}

}  // namespace

Result<PtySettings> parse_pty_create(const boost::json::object& body, const Context& context) {
  json::ObjectReader reader(body);
  PtySettings settings;
  settings.id = reader.required_text("id");
  const std::string cwd = reader.text("cwd").value_or("");
  settings.envs = reader.text_map("envs").value_or(std::vector<std::pair<std::string, std::string>>{});
  settings.size.cols = static_cast<unsigned short>(reader.integer("cols", 1, kPtySizeMax).value_or(80));
  settings.size.rows = static_cast<unsigned short>(reader.integer("rows", 1, kPtySizeMax).value_or(24));
  settings.lazy_start = reader.boolean("lazyStart").value_or(false);
  SB_CHECK(invalid_body(reader.finish()));
  return check(std::move(settings), cwd, context);
}

Result<PtySize> parse_pty_resize(const boost::json::object& body) {
  json::ObjectReader reader(body);
  const auto cols = reader.integer("cols", 1, kPtySizeMax);
  const auto rows = reader.integer("rows", 1, kPtySizeMax);
  SB_CHECK(invalid_body(reader.finish()));
  if (!cols || !rows) return fail(Errc::invalid_argument, "cols and rows are required", "INVALID_REQUEST_BODY");
  return PtySize{static_cast<unsigned short>(*cols), static_cast<unsigned short>(*rows)};
}

Result<PtySettings> parse_pty_create_connect(const net::Query& query, const std::vector<std::string>& subprotocols,
                                             const Context& context) {
  PtySettings settings;
  settings.id = query.find("id").value_or("");
  SB_TRY(settings.size.cols, parse_size(query, "cols", 80));
  SB_TRY(settings.size.rows, parse_size(query, "rows", 24));
  for (const std::string& offered : subprotocols) {
    if (!offered.starts_with(kPtyEnvsPrefix)) continue;
    SB_TRY(settings.envs, parse_envs_token(std::string_view(offered).substr(kPtyEnvsPrefix.size())));
  }
  return check(std::move(settings), std::string(query.find("cwd").value_or("")), context);
}

std::string select_pty_subprotocol(const std::vector<std::string>& offered) {
  std::string with_envs, version;
  for (const std::string& token : offered) {
    if (token == kPtyExitControl) return token;
    if (version.empty() && starts_with_ignore_case(token, "X-Daytona-SDK-Version~")) version = token;
    if (with_envs.empty() && token.starts_with(kPtyEnvsPrefix)) with_envs = token;
  }
  return version.empty() ? with_envs : version;
}

}  // namespace sebring::toolbox
