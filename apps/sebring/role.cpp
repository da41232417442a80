#include "role.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "bring_up.h"
#include "config/instance.h"
#include "listen.h"
#include "places.h"
#include "role_process.h"

namespace sebring {
namespace {

Result<std::string> read_settings() {
  UniqueFd fd(kSettingsFd);
  std::string text;
  char bytes[4096];
  for (;;) {
    ssize_t got = ::pread(fd.get(), bytes, sizeof bytes, static_cast<off_t>(text.size()));
    if (got < 0) return fail_errno(errno, "read the settings handed over");
    if (got == 0) return text;
    text.append(bytes, static_cast<std::size_t>(got));
  }
}

}  // namespace

std::uint16_t tcp_port(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
  return 0;
}

Result<RoleInput> inherit_role(const std::string& name, const std::string& instance, const std::string& sockets) {
  // Executed through /proc/self/exe, the kernel calls us "exe".
  ::prctl(PR_SET_NAME, ("sebring-" + name).c_str(), 0, 0, 0);
  RoleInput out;
  SB_TRY(std::string text, read_settings());
  SB_TRY(out.config, config::deserialise(text));
  out.instance = instance;
  int fd = kFirstSocketFd;
  for (std::string_view socket : split(sockets, ',')) {
    if (socket.empty()) continue;
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return fail_errno(errno, "take over socket " + std::string(socket));
    out.sockets.emplace(socket, UniqueFd(fd++));
  }
  return out;
}

Result<RoleInput> stand_alone_runner(config::Config config) {
  RoleInput out;
  SB_TRY(SystemUser control, ensure_user(config.control_user));
  SB_TRY(SystemUser importer, ensure_user(config.import_user));
  SB_TRY(UniqueFd lock, lock_data_dir(config.data_dir));
  out.held.push_back(std::move(lock));
  SB_TRY(Places places, prepare_places(config, control, importer));
  SB_TRY(UniqueFd api, bind_unix(config.run_dir + "/runner.sock", SOCK_STREAM, control.gid));
  SB_TRY(UniqueFd dial, bind_unix(config.run_dir + "/dial.sock", SOCK_SEQPACKET, control.gid));
  out.sockets["api"] = std::move(api);
  out.sockets["dial"] = std::move(dial);
  out.held.push_back(std::move(places.network_claim));
  out.instance = places.instance;
  out.config = std::move(config);
  return out;
}

Result<RoleInput> stand_alone_control(config::Config config) {
  if (::geteuid() == 0)
    return fail(Errc::invalid_argument, "control holds no privilege: start it as " + config.control_user +
                                            ", for example with `runuser -u " + config.control_user +
                                            " -- sebring control`");
  RoleInput out;
  SB_TRY(out.instance, config::read_instance(config.data_dir));
  if (config.run_dir.empty()) config.run_dir = "/run/sebring/" + out.instance;
  SB_TRY(out.sockets, bind_control(config));
  out.config = std::move(config);
  return out;
}

}  // namespace sebring
