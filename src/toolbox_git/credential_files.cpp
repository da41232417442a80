#include "toolbox_git/credential_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/random.h"
#include "base/unique_fd.h"
#include "toolbox_git/config_file.h"
#include "toolbox_git/configuration.h"
#include "toolbox_git/credential_store.h"
#include "toolbox_git/environment.h"
#include "toolbox_git/git_error.h"

namespace sebring::toolbox_git {
namespace {

constexpr std::size_t kFileBytesMax = 4 << 20;

// "" when it does not exist or is larger than anybody's credentials.
Result<std::string> read_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a fifo must not hold us
  if (!fd) {
    if (errno == ENOENT) return "";
    return fail_errno(errno, "read " + path);
  }
  std::string text;
  char block[16384];
  while (text.size() < kFileBytesMax) {
    const auto got = ::read(fd.get(), block, sizeof block);
    if (got < 0) return fail_errno(errno, "read " + path);
    if (got == 0) return text;
    text.append(block, static_cast<std::size_t>(got));
  }
  return fail(Errc::too_large, path + " is larger than 4 MiB");
}

Result<void> replace_file(const std::string& path, std::string_view text) {
  const auto temporary = path + "." + random_hex(6);
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(errno, "write " + path);
  while (!text.empty()) {
    const auto written = ::write(fd.get(), text.data(), text.size());
    if (written < 0) {
      const int saved = errno;
      ::unlink(temporary.c_str());
      return fail_errno(saved, "write " + path);
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int saved = errno;
    ::unlink(temporary.c_str());
    return fail_errno(saved, "write " + path);
  }
  return {};
}

std::vector<std::string> files_of(const StoreHelper& helper) {
  if (helper.file.starts_with("~/")) return {home_directory() + helper.file.substr(1)};
  if (!helper.file.empty()) return {helper.file};
  return {home_directory() + "/.git-credentials", xdg_directory() + "/credentials"};
}

}  // namespace

std::optional<SignIn> stored_credential(git_repository* repository, std::string_view protocol, std::string_view host,
                                        std::string_view username) {
  const auto config = configuration_of(repository);
  if (!config) return std::nullopt;
  for (const auto& value : config_values(config->get(), "credential.helper")) {
    const auto helper = parse_store_helper(value);
    if (!helper) continue;
    for (const auto& file : files_of(*helper)) {
      const auto text = read_file(file);
      if (!text) continue;
      if (auto found = find_credential(*text, protocol, host, username))
        return SignIn{std::move(found->username), std::move(found->password)};
    }
  }
  return std::nullopt;
}

Result<void> store_credential(const StoreCredentials& request) {
  if (home_directory().empty()) return fail(Errc::internal, "store credentials: there is no home directory");
  const auto path = home_directory() + "/.git-credentials";
  SB_TRY(const auto old, read_file(path));
  SB_CHECK(replace_file(path, with_credential(old, {request.protocol, request.host, request.sign_in.username,
                                                    request.sign_in.password})));
  SB_TRY(auto config, configuration_of(nullptr));
  for (const auto& value : config_values(config.get(), "credential.helper"))
    if (const auto helper = parse_store_helper(value); helper && helper->file.empty()) return {};
  return add_config_value(Scope::global, "", "credential.helper", "store");
}

}  // namespace sebring::toolbox_git
