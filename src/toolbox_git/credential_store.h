#pragma once
// The text of ~/.git-credentials: one URL per line, as git's own `store` helper keeps it.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sebring::toolbox_git {

struct StoredCredential {
  std::string protocol;
  std::string host;  // lower case, with ":port" where written
  std::string username;
  std::string password;
};

// Of the first line that fits; with a `username` only one of that user. Lines that are no such URL, and those that hold
// only for a path, are skipped.
std::optional<StoredCredential> find_credential(std::string_view file, std::string_view protocol, std::string_view host,
                                                std::string_view username);
// The file with this credential first and without others of the same protocol, host and user.
std::string with_credential(std::string_view file, const StoredCredential& credential);

// One of the values of the setting credential.helper.
struct StoreHelper {
  std::string file;  // empty: the usual files
};
// nullopt for every helper that would have to be run.
std::optional<StoreHelper> parse_store_helper(std::string_view value);

}  // namespace sebring::toolbox_git
