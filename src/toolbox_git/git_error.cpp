#include "toolbox_git/git_error.h"

#include <git2.h>

#include "base/text.h"
#include "toolbox_git/refused_file.h"

namespace sebring::toolbox_git {
namespace {

struct Meaning {
  int rc;
  Errc code;
  const char* tag;
};

constexpr Meaning kMeanings[] = {
    {GIT_ENOTFOUND, Errc::not_found, ""},
    {GIT_EEXISTS, Errc::conflict, ""},
    {GIT_EAMBIGUOUS, Errc::invalid_argument, ""},
    {GIT_EBAREREPO, Errc::invalid_argument, ""},
    {GIT_EUNBORNBRANCH, Errc::not_found, kBranchNotFound},
    {GIT_EUNMERGED, Errc::conflict, kMergeConflict},
    {GIT_ENONFASTFORWARD, Errc::conflict, kPushRejected},
    {GIT_EINVALIDSPEC, Errc::invalid_argument, ""},
    {GIT_ECONFLICT, Errc::conflict, kDirtyWorktree},
    {GIT_ELOCKED, Errc::conflict, ""},
    {GIT_EAUTH, Errc::unauthorized, kAuthFailed},
    {GIT_ECERTIFICATE, Errc::bad_gateway, kTransportFailed},
    {GIT_EMERGECONFLICT, Errc::conflict, kMergeConflict},
    {GIT_EUNCOMMITTED, Errc::conflict, kDirtyWorktree},
    {GIT_EINDEXDIRTY, Errc::conflict, kDirtyWorktree},
    {GIT_EOWNER, Errc::forbidden, ""},
    {GIT_TIMEOUT, Errc::bad_gateway, kTransportFailed},
};

// Classes in which an otherwise unnamed failure came from the network.
bool is_network_class(int error_class) {
  return error_class == GIT_ERROR_NET || error_class == GIT_ERROR_SSL || error_class == GIT_ERROR_SSH ||
         error_class == GIT_ERROR_HTTP;
}

// libgit2 puts strerror's text at the end of messages of failed system calls.
Errc code_of_system_error(std::string_view message) {
  if (message.ends_with("Permission denied") || message.ends_with("Operation not permitted") ||
      message.ends_with("Read-only file system"))
    return Errc::forbidden;
  if (message.ends_with("No such file or directory")) return Errc::not_found;
  if (message.ends_with("Not a directory") || message.ends_with("Is a directory") ||
      message.ends_with("File name too long") || message.ends_with("Too many levels of symbolic links"))
    return Errc::invalid_argument;
  if (message.ends_with("No space left on device") || message.ends_with("Disk quota exceeded"))
    return Errc::unavailable;
  return Errc::internal;  // I/O errors, limits
}

}  // namespace

LastError last_error() {
  const git_error* error = git_error_last();
  if (!error || error->klass == GIT_ERROR_NONE || !error->message) return {};
  return {to_valid_utf8(error->message), error->klass};
}

Error git_failure(int rc, std::string_view doing) {
  const auto last = last_error();
  std::string message(doing);
  message += ": " + (last.message.empty() ? "git error " + std::to_string(rc) : last.message);
  for (const auto& row : kMeanings)
    if (row.rc == rc) return Error(row.code, std::move(message)).tagged(row.tag);
  if (const auto& refused = refused_file(); !refused.empty())
    return Error(Errc::invalid_argument, std::string(doing) + ": " + to_valid_utf8(refused) + " is a pipe or a device");
  if (is_network_class(last.error_class)) return Error(Errc::bad_gateway, std::move(message)).tagged(kTransportFailed);
  if (last.error_class == GIT_ERROR_OS || last.error_class == GIT_ERROR_FILESYSTEM)
    return Error(code_of_system_error(last.message), std::move(message));
  if (last.error_class == GIT_ERROR_NOMEMORY) return Error(Errc::internal, std::move(message));
  return Error(Errc::invalid_argument, std::move(message));
}

int http_status_in(std::string_view message) {
  constexpr std::string_view kBefore = "unexpected http status code: ";
  const auto start = message.find(kBefore);
  if (start == message.npos) return 0;
  const auto number = parse_integer(message.substr(start + kBefore.size(), 3));
  return static_cast<int>(number.value_or(0));
}

}  // namespace sebring::toolbox_git
