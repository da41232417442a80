#include "ssh/toolbox_link.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

namespace sebring::ssh {
namespace {

constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};

Result<void> receive_more(int fd, std::string& rest) {
  char piece[4096];
  const ssize_t got = ::recv(fd, piece, sizeof piece, 0);
  if (got < 0) return fail_errno(errno, "read from the toolbox");
  if (got == 0) return fail(Errc::bad_gateway, "the toolbox closed the connection");
  rest.append(piece, static_cast<std::size_t>(got));
  return {};
}

}  // namespace

Result<UniqueFd> connect_toolbox(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.empty() || socket_path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid_argument, "bad path of the toolbox's socket");
  }
  socket_path.copy(address.sun_path, socket_path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "make a socket");
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return fail_errno(errno, "reach the toolbox");
  }
  return fd;
}

Result<std::string> read_line(int fd, std::string& rest) {
  constexpr std::size_t kLineMax = 4096;
  std::size_t end = 0;
  while ((end = rest.find('\n')) == std::string::npos) {
    if (rest.size() > kLineMax) return fail(Errc::bad_gateway, "the toolbox sent a line that never ends");
    SB_CHECK(receive_more(fd, rest));
  }
  std::string line = rest.substr(0, end);
  rest.erase(0, end + 1);
  return line;
}

Result<UniqueFd> upgrade_toolbox(const std::string& socket_path, const std::string& target, std::string_view protocol,
                                 std::string& rest) {
  SB_TRY(UniqueFd fd, connect_toolbox(socket_path));
  const std::string request = "GET " + target +
                              " HTTP/1.1\r\nHost: sandbox\r\nConnection: Upgrade\r\nUpgrade: " + std::string(protocol) +
                              "\r\n\r\n";
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    return fail_errno(errno, "ask the toolbox");
  }
  rest.clear();
  std::size_t end = 0;
  while ((end = rest.find("\r\n\r\n")) == std::string::npos) {
    if (rest.size() > 16 * 1024) return fail(Errc::bad_gateway, "the toolbox's answer is too long");
    SB_CHECK(receive_more(fd.get(), rest));
  }
  const bool accepted = rest.starts_with("HTTP/1.1 101 ");
  rest.erase(0, end + 4);
  if (!accepted) return fail(Errc::conflict, "the toolbox refused");
  return fd;
}

}  // namespace sebring::ssh
