#include "runtime/slot_maker.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "os/file.h"
#include "os/link.h"
#include "os/passing.h"
#include "os/pidfd.h"
#include "runtime/launch.h"
#include "slot/protocol.h"
#include "slot/slot.h"

namespace sebring::runtime {
namespace {

constexpr int kAnswerMilliseconds = 30'000;  // on an overloaded host a slot has been seen to take 2 s
constexpr int kBacklog = 512;
constexpr int kInsideLinkIndex = 2;
// Host side links get high, unique indices, so that none has to be looked up.
constexpr int kLinkIndexBase = 1'000'000;

constexpr rlim_t kOpenFilesSoft = 65'536, kOpenFilesHard = 1'048'576;

std::vector<Launch::Limit> toolbox_limits() {
  rlimit files{}, processes{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  ::getrlimit(RLIMIT_NPROC, &processes);
  rlim_t hard = std::min(files.rlim_max, kOpenFilesHard);
  // Processes are bounded by the pids cgroup: user ids are unique, so a number per id would count no differently.
  return {{RLIMIT_NOFILE, {std::min(hard, kOpenFilesSoft), hard}},
          {RLIMIT_CORE, {0, 0}},
          {RLIMIT_NPROC, {processes.rlim_max, processes.rlim_max}}};
}

Result<std::int32_t> read_hello(int control) {
  SB_TRY(auto message, os::receive_message(control, sizeof(slot::Report), kAnswerMilliseconds));
  slot::Hello hello;
  if (message.data.size() == sizeof hello) {
    std::memcpy(&hello, message.data.data(), sizeof hello);
    return hello.pid;
  }
  slot::Report report;
  if (message.data.size() != sizeof report) return fail(Errc::internal, "the toolbox ended before it was ready");
  std::memcpy(&report, message.data.data(), sizeof report);
  report.message[sizeof report.message - 1] = '\0';
  return fail(Errc::internal, std::string("inside: ") + report.message);
}

}  // namespace

Result<SlotMaker> SlotMaker::make(Host& host, Cleanup& cleanup) {
  SB_CHECK(prepare_mounting_thread());
  SB_TRY(auto wires, host.open_wires());
  SB_CHECK(host.filter().load_into_this_thread());
  SB_TRY(const int parking, host.take_parking());
  SB_TRY(const int words_parking, host.take_parking());
  return SlotMaker(host, cleanup, std::move(wires), parking, words_parking);
}

Result<Slot> SlotMaker::make_slot(std::string upper, const std::vector<std::string>& layers,
                                  std::optional<Limits> limits) {
  Slot slot;
  SB_TRY(slot.index, host_.leases().take());
  slot.upper = std::move(upper);
  auto built = build(slot, layers);
  if (built && limits) {
    built = apply_limits(host_, slot.index, *limits);
    slot.limits = limits;
  }
  if (built) return slot;
  cleanup_.dispose(leftover_of(std::move(slot), true));
  return std::unexpected(std::move(built).error().while_doing("prepare a slot"));
}

Result<void> SlotMaker::build(Slot& slot, const std::vector<std::string>& layers) {
  std::string name = name_of(slot.index);
  SB_CHECK(host_.cgroups().create(name));
  SB_CHECK(listen(slot));
  // Rules before the link.
  if (wires_.netfilter) SB_CHECK(host_.firewall()->add(*wires_.netfilter, slot.index));
  SB_CHECK(start_toolbox(slot));
  if (wires_.route) SB_CHECK(make_link(slot));
  SB_CHECK(prepare_inside(slot));
  SB_TRY(slot.user_cgroup, host_.cgroups().users_join_descriptor(name));
  SB_TRY(slot.memory_directory, host_.cgroups().memory_directory(name));
  if (layers.empty()) return {};
  SB_TRY(slot.root, make_root(slot.view, {layers, host_.pool().upper_path(slot.upper)}, host_.abilities(), slot.index));
  slot.layers = layers;
  return {};
}

Result<void> SlotMaker::listen(Slot& slot) {
  slot.listening.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!slot.listening) return fail_errno(errno, "make the toolbox's socket");
  std::string path = host_.socket_path(slot.index);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Errc::invalid_argument, "path too long for a socket: " + path);
  path.copy(address.sun_path, path.size());
  ::unlink(path.c_str());
  if (::bind(slot.listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0)
    return fail_errno(errno, "bind " + path);
  if (::chmod(path.c_str(), 0660) < 0 || ::chown(path.c_str(), 0, host_.config().control_gid) < 0)
    return fail_errno(errno, "set the owner of " + path);
  if (::listen(slot.listening.get(), kBacklog) < 0) return fail_errno(errno, "listen on " + path);
  return {};
}

Result<void> SlotMaker::map_ids(pid_t helper, Index index) {
  std::string map = "0 " + std::to_string(first_uid(index)) + " 65536", base = "/proc/" + std::to_string(helper);
  SB_CHECK(os::write_at(AT_FDCWD, base + "/uid_map", map));
  return os::write_at(AT_FDCWD, base + "/gid_map", map);
}

Result<void> SlotMaker::start_toolbox(Slot& slot) {
  SB_TRY(auto pair, os::make_packet_pair(slot::kMessageBytesMax));
  SB_TRY(auto groups, host_.cgroups().join_descriptors(name_of(slot.index)));
  std::vector<int> raw;
  for (const auto& group : groups) raw.push_back(group.get());
  static const std::vector<Launch::Limit> limits = toolbox_limits();
  if (::dup3(pair.second.get(), parking_, O_CLOEXEC) < 0) return fail_errno(errno, "duplicate a descriptor");
  slot::Begin begin{first_uid(slot.index)};
  SB_CHECK(os::send_message(pair.first.get(), {reinterpret_cast<char*>(&begin), sizeof begin}));
  // Not blocking: a daemon with much to say must not stand still. What does not fit is lost.
  int words[2];
  if (::pipe2(words, O_CLOEXEC | O_NONBLOCK) < 0) return fail_errno(errno, "make a pipe");
  slot.words.reset(words[0]);
  const UniqueFd said(words[1]);
  if (::dup3(said.get(), words_parking_, O_CLOEXEC) < 0) return fail_errno(errno, "duplicate a descriptor");
  pid_t helper = launch({host_.toolbox(), parking_, host_.null(), raw, limits, words_parking_});
  for (int parking : {parking_, words_parking_}) ::dup3(host_.null(), parking, O_CLOEXEC);
  if (helper < 0) return fail_errno(static_cast<int>(-helper), "start the toolbox");
  pair.second.reset();
  slot.control = std::move(pair.first);
  auto started = [&]() -> Result<void> {
    SB_TRY(auto first, read_hello(slot.control.get()));
    if (first != 0) return fail(Errc::internal, "the toolbox said something unexpected");
    SB_CHECK(map_ids(helper, slot.index));
    SB_CHECK(os::send_message(slot.control.get(), "m"));
    SB_TRY(auto pid, read_hello(slot.control.get()));
    slot.pid = pid;
    SB_TRY(slot.pidfd, os::open_pidfd(pid));
    slot.start_time = os::start_time(pid);
    return {};
  }();
  if (!started) slot.control.reset();  // the helper, if it still waits, ends
  int status = 0;
  while (::waitpid(helper, &status, 0) < 0 && errno == EINTR) {
  }
  if (!started && WIFEXITED(status) && WEXITSTATUS(status) >= 96)
    return fail(Errc::internal,
                "start the toolbox: step " + std::to_string(WEXITSTATUS(status)) + " failed before it was executed");
  return started;
}

Result<void> SlotMaker::make_link(const Slot& slot) {
  return os::make_veth(*wires_.route, {.name = link_of(slot.index),
                                       .index = kLinkIndexBase + static_cast<int>(slot.index),
                                       .peer_name = "eth0",
                                       .peer_index = kInsideLinkIndex,
                                       .peer_pid = slot.pid,
                                       .host_address = gateway_of(host_.config().network_base),
                                       .peer_address = address_of(host_.config().network_base, slot.index),
                                       .mtu = host_.mtu()});
}

Result<void> SlotMaker::prepare_inside(Slot& slot) {
  SB_TRY(auto dev, host_.templates().copy_dev());
  SB_TRY(auto skeleton, host_.templates().copy_skeleton());
  SB_TRY(auto own_files, host_.own_files().prepare(slot.index));
  slot::Prepare order{};
  if (wires_.route) order.address = address_of(host_.config().network_base, slot.index);
  order.gateway = gateway_of(host_.config().network_base);
  host_.templates().root_place().copy(order.place, sizeof order.place - 1);
  SB_TRY(auto toolboxes, host_.cgroups().toolboxes_join_descriptor());
  std::vector<int> fds = {dev.get(), skeleton.get(), own_files.get()};
  if (toolboxes) fds.push_back(toolboxes.get());
  SB_CHECK(os::send_message(slot.control.get(), {reinterpret_cast<char*>(&order), sizeof order}, fds));
  // While it works: the view of the pool with its ids.
  SB_TRY(auto users, os::open_at(AT_FDCWD, "/proc/" + std::to_string(slot.pid) + "/ns/user", O_RDONLY));
  SB_TRY(slot.view, make_pool_view(host_.pool().root(), users.get(), host_.abilities(), host_.templates().views_place(),
                                   slot.index));
  return read_report(slot.control.get(), kAnswerMilliseconds);
}

Result<void> read_report(int control, int milliseconds) {
  SB_TRY(auto message, os::receive_message(control, sizeof(slot::Report), milliseconds));
  slot::Report report;
  if (message.data.size() != sizeof report)
    return fail(Errc::internal, "the toolbox ended instead of answering", kSlotEnded);
  std::memcpy(&report, message.data.data(), sizeof report);
  report.message[sizeof report.message - 1] = '\0';
  if (report.ok) return {};
  return fail(Errc::internal, std::string("inside: ") + report.message);
}

bool is_stopped(const Slot& slot) {
  const char state = os::process_state(slot.pid);
  return state == 'T' || state == 't';
}

Leftover leftover_of(Slot slot, bool destroy_upper) {
  Leftover leftover;
  leftover.index = slot.index;
  leftover.pidfd = std::move(slot.pidfd);
  leftover.attached_view = std::move(slot.view.attached_at);
  for (auto* fd : {&slot.control, &slot.words, &slot.root, &slot.view.mount, &slot.listening, &slot.user_cgroup,
                   &slot.memory_directory})
    if (*fd) leftover.close.push_back(std::move(*fd));
  if (destroy_upper) leftover.upper = std::move(slot.upper);
  return leftover;
}

}  // namespace sebring::runtime
