#include "listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <optional>

#include "public_url.h"

namespace sebring {
namespace {

// A burst of clients while a role restarts; the kernel bounds it by net.core.somaxconn.
constexpr int kBacklog = 4096;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Address address_of(const config::HostPort& where) {
  Address out;
  sockaddr_in four{};
  sockaddr_in6 six{};
  if (::inet_pton(AF_INET, where.host.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(where.port);
    std::memcpy(&out.storage, &four, sizeof four);
    out.size = sizeof four;
  } else {
    ::inet_pton(AF_INET6, where.host.c_str(), &six.sin6_addr);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(where.port);
    std::memcpy(&out.storage, &six, sizeof six);
    out.size = sizeof six;
  }
  return out;
}

}  // namespace

Result<BoundTcp> bind_tcp(const config::HostPort& where) {
  Address address = address_of(where);
  const std::string name = "listen on " + where.host + " port " + std::to_string(where.port);
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, name);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto* raw = reinterpret_cast<sockaddr*>(&address.storage);
  if (::bind(fd.get(), raw, address.size) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    auto error = Error::from_errno(errno, name);
    if (error.os_errno() == EADDRINUSE)
      return fail(Errc::conflict, error.message() + ". `ss -ltnp` shows who has it; --listen HOST:PORT takes another");
    return fail(std::move(error));
  }
  address.size = sizeof address.storage;
  if (::getsockname(fd.get(), raw, &address.size) != 0) return fail_errno(errno, name);
  std::uint16_t port = 0;
  if (address.storage.ss_family == AF_INET) {
    port = ntohs(reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port);
  } else {
    port = ntohs(reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port);
  }
  return BoundTcp{std::move(fd), port};
}

namespace {

constexpr std::uint16_t kSshPort = 2222;

Result<BoundTcp> bind_ssh(const config::Config& config, config::HostPort& where) {
  if (!config.ssh_listen.empty()) {
    SB_TRY(where, config::parse_address(config.ssh_listen));
    return bind_tcp(where);
  }
  SB_TRY(where, config::parse_address(config.listen));
  where.port = kSshPort;
  auto bound = bind_tcp(where);
  if (bound || bound.error().code() != Errc::conflict) return bound;
  where.port = 0;  // another server on this machine has the usual one
  return bind_tcp(where);
}

}  // namespace

Result<std::map<std::string, UniqueFd, std::less<>>> bind_control(config::Config& config) {
  std::map<std::string, UniqueFd, std::less<>> out;
  SB_TRY(auto where, config::parse_address(config.listen));
  SB_TRY(BoundTcp api, bind_tcp(where));
  where.port = api.port;
  const config::HostPort plain = where;
  out["api"] = std::move(api.fd);
  std::optional<config::HostPort> secure;
  if (config.tls_listen != "off") {
    if (config.tls_certificate.empty() || config.tls_key.empty())
      return fail(Errc::invalid_argument, "tls-listen needs tls-certificate and tls-key");
    SB_TRY(where, config::parse_address(config.tls_listen));
    SB_TRY(BoundTcp tls, bind_tcp(where));
    where.port = tls.port;
    secure = where;
    config.tls_listen = host_and_port(where);
    out["tls"] = std::move(tls.fd);
  }
  if (config.ssh_listen != "off") {
    SB_TRY(BoundTcp ssh, bind_ssh(config, where));
    where.port = ssh.port;
    config.ssh_listen = host_and_port(where);
    out["ssh"] = std::move(ssh.fd);
  }
  if (config.public_url.empty())
    config.public_url = secure ? default_url("https", *secure) : default_url("http", plain);
  if (config.preview_domain.empty()) config.preview_domain = default_preview_domain(config.public_url);
  return out;
}

Result<UniqueFd> bind_unix(const std::string& path, int type, gid_t group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Errc::invalid_argument, path + " is too long for a socket's name; choose a shorter --run-dir");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "socket for " + path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "remove " + path);
  // The mode applies at once: nobody may connect between bind and chmod.
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  const int saved = errno;
  ::umask(before);
  if (bound != 0) return fail_errno(saved, "bind " + path);
  if (::chown(path.c_str(), 0, group) != 0 || ::chmod(path.c_str(), 0660) != 0)
    return fail_errno(errno, "set owner and mode of " + path);
  if (::listen(fd.get(), kBacklog) != 0) return fail_errno(errno, "listen on " + path);
  return fd;
}

}  // namespace sebring
