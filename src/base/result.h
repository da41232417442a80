#pragma once
// Errors as values. Every function that can fail for a reason outside the program returns Result<T>.
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace sebring {

// What the caller can do about it. Each value maps to one HTTP status, in one place per wire (control, toolbox).
enum class Errc {
  invalid_argument,  // 400: mend the request
  unauthorized,      // 401
  forbidden,         // 403
  not_found,         // 404
  timed_out,         // 408 (504 towards an upstream)
  conflict,          // 409: another state or another name
  gone,              // 410: it was there and has ended
  too_large,         // 413
  unprocessable,     // 422: understood, never possible for this kind of thing
  exhausted,         // 429: come back later
  cancelled,         // the asker went away; nobody reads the answer
  internal,          // 500
  not_implemented,   // 501: says so, and stands in docs/COMPATIBILITY.md
  bad_gateway,       // 502: somebody we asked answered nonsense or not at all
  unavailable,       // 503
};

class [[nodiscard]] Error {
 public:
  Error(Errc code, std::string message) : code_(code), message_(std::move(message)) {}
  // "doing: No such file or directory"; code chosen from the errno (ENOENT not_found, EACCES forbidden, ...).
  static Error from_errno(int saved_errno, std::string_view doing);

  Errc code() const { return code_; }
  const std::string& message() const { return message_; }
  int os_errno() const { return os_errno_; }
  // Machine-readable code of the wire where one exists, for example GIT_AUTH_FAILED or FILE_NOT_FOUND. Empty: the
  // default for code().
  const std::string& tag() const { return tag_; }

  // Prefixes the message: messages read from outside in.
  Error while_doing(std::string_view what) &&;
  Error tagged(std::string tag) && {
    tag_ = std::move(tag);
    return std::move(*this);
  }
  Error with_code(Errc code) && {
    code_ = code;
    return std::move(*this);
  }

 private:
  Errc code_;
  std::string message_;
  std::string tag_;
  int os_errno_ = 0;
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Errc code, std::string message) {
  return std::unexpected(Error(code, std::move(message)));
}
inline std::unexpected<Error> fail(Errc code, std::string message, std::string tag) {
  return std::unexpected(Error(code, std::move(message)).tagged(std::move(tag)));
}
inline std::unexpected<Error> fail_errno(int saved_errno, std::string_view doing) {
  return std::unexpected(Error::from_errno(saved_errno, doing));
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected(std::move(error)); }

// Text of an errno without strerror's shared buffer.
std::string errno_text(int number);

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace sebring

// Programmer errors, on in every build: the process ends and its supervisor starts a new one.
#define SB_ASSERT(expression) ((expression) ? void() : ::sebring::assertion_failed(#expression, __FILE__, __LINE__))

#define SB_CAT2(a, b) a##b
#define SB_CAT(a, b) SB_CAT2(a, b)
#define SB_TRY_IMPL(ret, tmp, decl, ...)                 \
  auto tmp = (__VA_ARGS__);                              \
  if (!tmp) ret std::unexpected(std::move(tmp).error()); \
  decl = *std::move(tmp)
// SB_TRY(auto fd, open_dir(path)); on failure the function returns its error. SB_CO_TRY the same in a coroutine.
#define SB_TRY(decl, ...) SB_TRY_IMPL(return, SB_CAT(sb_try_, __COUNTER__), decl, __VA_ARGS__)
#define SB_CO_TRY(decl, ...) SB_TRY_IMPL(co_return, SB_CAT(sb_try_, __COUNTER__), decl, __VA_ARGS__)
#define SB_CHECK(...) \
  if (auto sb_r = (__VA_ARGS__); !sb_r) return std::unexpected(std::move(sb_r).error())
#define SB_CO_CHECK(...) \
  if (auto sb_r = (__VA_ARGS__); !sb_r) co_return std::unexpected(std::move(sb_r).error())
