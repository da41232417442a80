#include "proxy/certificate.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <boost/asio/ssl/impl/src.hpp>

#include "base/unique_fd.h"

namespace sebring::proxy {
namespace {

// HTTP/2 where the client has it; one that offers nothing gets HTTP/1.1.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
                    unsigned int in_length, void*) {
  static constexpr unsigned char kOurs[] = "\x02h2\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (::SSL_select_next_proto(&chosen, out_length, kOurs, sizeof kOurs - 1, in, in_length) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// A chain is some KiB.
constexpr off_t kPemBytesMax = 1 << 20;

// Read on the event loop: a pipe without a writer, or a disk image, must not hold that up.
Result<std::string> read_pem(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0) return fail_errno(errno, "open " + path);
  if (!S_ISREG(status.st_mode)) return fail(Errc::invalid_argument, path + " is no regular file");
  if (status.st_size > kPemBytesMax) return fail(Errc::too_large, path + " is too large");
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  const ssize_t got = ::pread(fd.get(), text.data(), text.size(), 0);
  if (got < 0) return fail_errno(errno, "read " + path);
  text.resize(static_cast<std::size_t>(got));
  return text;
}

}  // namespace

Certificate::Stamp Certificate::stamp_of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {.changed = status.st_mtim, .size = status.st_size, .inode = status.st_ino};
}

Result<std::shared_ptr<Certificate::Context>> Certificate::read() const {
  auto context = std::make_shared<Context>(Context::tls_server);
  context->set_options(Context::default_workarounds | Context::no_sslv2 | Context::no_sslv3 | Context::no_tlsv1 |
                       Context::no_tlsv1_1);
  SSL_CTX* raw = context->native_handle();
  ::SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  ::SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
  ::SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);  // an idle connection holds no record buffers
  SB_TRY(const std::string chain, read_pem(files_.certificate));
  SB_TRY(const std::string key, read_pem(files_.key));
  boost::system::error_code code;
  context->use_certificate_chain(boost::asio::buffer(chain), code);
  if (code) return fail(Errc::invalid_argument, "certificate " + files_.certificate + ": " + code.message());
  context->use_private_key(boost::asio::buffer(key), Context::pem, code);
  if (code) return fail(Errc::invalid_argument, "key " + files_.key + ": " + code.message());
  if (::SSL_CTX_check_private_key(raw) != 1) {
    return fail(Errc::invalid_argument, "key " + files_.key + " does not belong to " + files_.certificate);
  }
  return context;
}

Result<void> Certificate::load() {
  certificate_stamp_ = stamp_of(files_.certificate);
  key_stamp_ = stamp_of(files_.key);
  looked_ = Steady::now();
  SB_TRY(context_, read());
  return {};
}

std::shared_ptr<Certificate::Context> Certificate::current() {
  const auto now = Steady::now();
  if (now - looked_ < std::chrono::seconds(1)) return context_;
  looked_ = now;
  const Stamp certificate = stamp_of(files_.certificate);
  const Stamp key = stamp_of(files_.key);
  if (certificate == certificate_stamp_ && key == key_stamp_) return context_;
  // Both are remembered whatever comes of it: one problem is told once, and the second file's change is seen anew.
  certificate_stamp_ = certificate;
  key_stamp_ = key;
  auto fresh = read();
  if (fresh) {
    context_ = std::move(*fresh);
  } else if (problem_) {
    problem_("TLS: the old certificate stays in use: " + fresh.error().message());
  }
  return context_;
}

}  // namespace sebring::proxy
