#include "ssh/session.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <thread>

#include "ssh/toolbox_link.h"

namespace sebring::ssh {
namespace {

constexpr std::chrono::seconds kLoginTime{30};
constexpr int kTriesMax = 6;
// A wrong token costs its sender this long, and no processor time.
constexpr std::chrono::milliseconds kWrongTokenPause{1'000};
// When the sandbox's processes end, the control plane may learn of it a moment after us.
constexpr std::chrono::seconds kReasonTime{2};
constexpr std::chrono::milliseconds kReasonLook{50};
constexpr std::size_t kChannelsMax = 128;
constexpr std::size_t kForwardsMax = 16;
constexpr std::size_t kTokenLengthMax = 128;

// Being woken is all: every joint is looked at after each wait.
int on_ready(socket_t, int, void*) { return 0; }

bool is_own_loopback(std::string_view host) {
  return host == "localhost" || host == "127.0.0.1" || host == "::1" || host == "ip6-localhost";
}

// Empty while it runs.
std::string why_over(const Result<proxy::Sandbox>& sandbox) {
  if (!sandbox)
    return sandbox.error().code() == Errc::not_found ? "the sandbox was deleted" : sandbox.error().message();
  if (sandbox->started) return {};
  const bool deleted = sandbox->state == "destroying" || sandbox->state == "destroyed";
  if (deleted) return "the sandbox was deleted";
  return sandbox->state == "paused" ? "the sandbox was paused" : "the sandbox has stopped";
}

Session& self(void* userdata) { return *static_cast<Session*>(userdata); }

}  // namespace

Session::Session(ssh_session session, std::string address, LoopCalls& calls, Throttle& throttle)
    : session_(session),
      event_(::ssh_event_new()),
      address_(std::move(address)),
      calls_(calls),
      throttle_(throttle),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Session::~Session() {
  joints_.clear();
  forwards_.clear();
  if (event_) ::ssh_event_free(event_);
  if (waiting_in_throttle_) throttle_.gave_up(address_);
}

void Session::stop() {
  stopping_ = true;
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

void Session::run() {
  ::ssh_set_blocking(session_.get(), 0);
  set_callbacks();
  ::ssh_set_auth_methods(session_.get(), SSH_AUTH_METHOD_NONE | SSH_AUTH_METHOD_PASSWORD | SSH_AUTH_METHOD_PUBLICKEY);
  ::ssh_event_add_fd(event_, wake_.get(), POLLIN, on_ready, nullptr);
  if (exchange_keys() == Progress::done && log_in() == Progress::done) {
    throttle_.logged_in(address_);
    waiting_in_throttle_ = false;
    hold_ = calls_.hold(use_->sandbox_id, use_->grant, wake_.get());
    serve();
  }
  for (auto& joint : joints_) forget(joint->registered_fd_);
  joints_.clear();
  ::ssh_disconnect(session_.get());
}

// false: the connection is over.
bool Session::wait(int milliseconds) {
  const int done = ::ssh_event_dopoll(event_, milliseconds);
  if (stopping_ || done == SSH_ERROR) return false;
  return ::ssh_is_connected(session_.get()) && !(::ssh_get_status(session_.get()) & (SSH_CLOSED | SSH_CLOSED_ERROR));
}

Session::Progress Session::exchange_keys() {
  const auto until = Steady::now() + kLoginTime;
  bool added = false;
  for (;;) {
    const int done = ::ssh_handle_key_exchange(session_.get());
    // Only now it has what can be polled.
    if (!added && ::ssh_event_add_session(event_, session_.get()) != SSH_OK) return Progress::failed;
    added = true;
    if (done == SSH_OK) return Progress::done;
    if (done == SSH_ERROR || Steady::now() > until || !wait(1000)) return Progress::failed;
  }
}

Session::Progress Session::log_in() {
  const auto until = Steady::now() + kLoginTime;
  while (!use_) {
    if (refused_for_good_ || Steady::now() > until || !wait(1000)) return Progress::failed;
  }
  return Progress::done;
}

bool Session::check_token(const std::string& token) {
  if (token.empty() || token.size() > kTokenLengthMax) return false;
  auto use = calls_.authorize(token);
  if (!use) return false;
  use_ = std::move(*use);
  return true;
}

int Session::authenticate(const char* user, const char* password) {
  if (use_) return SSH_AUTH_SUCCESS;
  const std::string name = user ? user : "";
  if (check_token(name) || (password && check_token(password))) return SSH_AUTH_SUCCESS;
  // Clients try `none`, then their keys, then ask for a password, all with one user name: one guess.
  if (name != token_hint_ || password) throttle_.failed(address_, Steady::now());
  token_hint_ = name;
  std::this_thread::sleep_for(kWrongTokenPause);
  if (++tries_ >= kTriesMax) refused_for_good_ = true;
  return SSH_AUTH_DENIED;
}

void Session::set_callbacks() {
  server_callbacks_.userdata = this;
  server_callbacks_.auth_none_function = [](ssh_session, const char* user, void* data) {
    return self(data).authenticate(user, nullptr);
  };
  server_callbacks_.auth_password_function = [](ssh_session, const char* user, const char* password, void* data) {
    return self(data).authenticate(user, password);
  };
  // Whose token is right may bring any key: it proves nothing and is asked for nothing.
  server_callbacks_.auth_pubkey_function = [](ssh_session, const char* user, ssh_key, char, void* data) {
    return self(data).authenticate(user, nullptr);
  };
  server_callbacks_.channel_open_request_session_function = [](ssh_session session, void* data) -> ssh_channel {
    Session& me = self(data);
    if (!me.use_ || me.joints_.size() >= kChannelsMax) return nullptr;
    ssh_channel channel = ::ssh_channel_new(session);
    if (!channel) return nullptr;
    me.joints_.push_back(std::make_unique<ProcessJoint>(channel));
    ::ssh_set_channel_callbacks(channel, &me.channel_callbacks_);
    return channel;
  };
  ssh_callbacks_init(&server_callbacks_);
  ::ssh_set_server_callbacks(session_.get(), &server_callbacks_);
  ::ssh_set_message_callback(
      session_.get(), [](ssh_session, ssh_message message, void* data) { return self(data).on_message(message); },
      this);

  channel_callbacks_.userdata = this;
  channel_callbacks_.channel_pty_request_function = [](ssh_session, ssh_channel channel, const char* term, int cols,
                                                       int rows, int, int, void* data) {
    ProcessJoint* joint = self(data).find(channel);
    return joint && joint->set_terminal(term ? term : "", cols, rows) ? SSH_OK : SSH_ERROR;
  };
  channel_callbacks_.channel_pty_window_change_function = [](ssh_session, ssh_channel channel, int cols, int rows, int,
                                                             int, void* data) {
    if (ProcessJoint* joint = self(data).find(channel)) joint->resize(cols, rows);
    return SSH_OK;
  };
  channel_callbacks_.channel_env_request_function = [](ssh_session, ssh_channel channel, const char* name,
                                                       const char* value, void* data) {
    ProcessJoint* joint = self(data).find(channel);
    return joint && joint->set_environment(name ? name : "", value ? value : "") ? SSH_OK : SSH_ERROR;
  };
  channel_callbacks_.channel_shell_request_function = [](ssh_session, ssh_channel channel, void* data) {
    return self(data).start_process(channel, {}) ? SSH_OK : SSH_ERROR;
  };
  channel_callbacks_.channel_exec_request_function = [](ssh_session, ssh_channel channel, const char* command,
                                                        void* data) {
    return self(data).start_process(channel, {{"command", command ? command : ""}}) ? SSH_OK : SSH_ERROR;
  };
  channel_callbacks_.channel_subsystem_request_function = [](ssh_session, ssh_channel channel, const char* subsystem,
                                                             void* data) {
    if (!subsystem || std::string_view(subsystem) != "sftp") return SSH_ERROR;
    return self(data).start_process(channel, {{"subsystem", "sftp"}}) ? SSH_OK : SSH_ERROR;
  };
  channel_callbacks_.channel_signal_function = [](ssh_session, ssh_channel channel, const char* signal, void* data) {
    if (ProcessJoint* joint = self(data).find(channel)) joint->signal(signal ? signal : "");
  };
  ssh_callbacks_init(&channel_callbacks_);
}

ProcessJoint* Session::find(ssh_channel channel) {
  for (auto& joint : joints_) {
    if (joint->is(channel)) return dynamic_cast<ProcessJoint*>(joint.get());
  }
  return nullptr;
}

bool Session::start_process(ssh_channel channel, boost::json::object what) {
  ProcessJoint* joint = find(channel);
  if (!joint || joint->started() || joint->over()) return false;
  auto sandbox = calls_.find_awake(use_->sandbox_id);
  if (!sandbox) {
    joint->refuse(sandbox.error().message(), 255);
  } else if (!sandbox->started) {
    joint->refuse("Sandbox is not started (state: " + sandbox->state +
                      "). Please start the sandbox before attempting to connect.",
                  1);
  } else if (auto server = connect_toolbox(sandbox->toolbox_socket)) {
    joint->start(std::move(what), std::move(*server));
  } else {
    joint->refuse("The sandbox's toolbox does not answer.", 255);
  }
  return true;
}

int Session::on_message(ssh_message message) {
  constexpr int kHandled = 0;
  constexpr int kRefuse = 1;
  if (!use_) return kRefuse;
  const int type = ::ssh_message_type(message);
  const int subtype = ::ssh_message_subtype(message);
  if (type == SSH_REQUEST_CHANNEL_OPEN && subtype == SSH_CHANNEL_DIRECT_TCPIP) return open_direct(message);
  if (type == SSH_REQUEST_GLOBAL && subtype == SSH_GLOBAL_REQUEST_TCPIP_FORWARD) {
    return change_remote_forward(message, false);
  }
  if (type == SSH_REQUEST_GLOBAL && subtype == SSH_GLOBAL_REQUEST_CANCEL_TCPIP_FORWARD) {
    return change_remote_forward(message, true);
  }
  (void)kHandled;
  return kRefuse;
}

// Only the sandbox's own loopback: anything else would make the gateway a way to the host, to neighbours, to the world.
int Session::open_direct(ssh_message message) {
  const char* host = ::ssh_message_channel_request_open_destination(message);
  const int port = ::ssh_message_channel_request_open_destination_port(message);
  if (!host || !is_own_loopback(host) || port < 1 || port > 65535 || joints_.size() >= kChannelsMax) return 1;
  auto server = calls_.dial(use_->sandbox_id, static_cast<std::uint16_t>(port));
  if (!server) return 1;
  ssh_channel channel = ::ssh_message_channel_request_open_reply_accept(message);
  if (!channel) return 1;
  joints_.push_back(std::make_unique<RawJoint>(channel, std::move(*server)));
  return 0;
}

int Session::change_remote_forward(ssh_message message, bool cancel) {
  const char* address = ::ssh_message_global_request_address(message);
  const int port = ::ssh_message_global_request_port(message);
  const std::string name = address ? address : "";
  if (port < 0 || port > 65535) return 1;
  if (cancel) {
    const auto found =
        std::ranges::find_if(forwards_, [&](const auto& one) { return one->address() == name && one->port() == port; });
    if (found == forwards_.end()) return 1;
    ::ssh_event_remove_fd(event_, (*found)->fd());
    forwards_.erase(found);
    ::ssh_message_global_request_reply_success(message, 0);
    return 0;
  }
  if (forwards_.size() >= kForwardsMax) return 1;
  auto sandbox = calls_.find(use_->sandbox_id);
  if (!sandbox || !sandbox->started) return 1;
  auto forward = RemoteForward::open(sandbox->toolbox_socket, name, static_cast<std::uint16_t>(port));
  if (!forward) return 1;
  ::ssh_event_add_fd(event_, (*forward)->fd(), POLLIN, on_ready, nullptr);
  ::ssh_message_global_request_reply_success(message, port == 0 ? (*forward)->port() : 0);
  forwards_.push_back(std::move(*forward));
  return 0;
}

void Session::forget(int& registered_fd) {
  if (registered_fd >= 0) ::ssh_event_remove_fd(event_, registered_fd);
  registered_fd = -1;
}

// poll() tells of a hang-up whatever it was asked for: what is worth nothing now is not registered at all.
void Session::update_polling(Joint& joint) {
  const short events = joint.wanted_events();
  if (events == joint.registered_events_) return;
  forget(joint.registered_fd_);
  joint.registered_events_ = events;
  if (events == 0) return;
  if (::ssh_event_add_fd(event_, joint.fd(), events, on_ready, nullptr) == SSH_OK) joint.registered_fd_ = joint.fd();
}

void Session::service_all(bool& more) {
  for (auto& forward : forwards_) forward->service(session_.get(), joints_);
  std::erase_if(forwards_, [&](auto& forward) {
    if (forward->over()) ::ssh_event_remove_fd(event_, forward->fd());
    return forward->over();
  });
  // By index: libssh may call back, and what it opens is added.
  for (std::size_t i = 0; i < joints_.size(); ++i) {
    more |= joints_[i]->service();
    update_polling(*joints_[i]);
  }
}

void Session::remove_finished() {
  std::erase_if(joints_, [&](auto& joint) {
    if (!joint->over()) return false;
    forget(joint->registered_fd_);
    return true;
  });
}

std::string Session::why_lost() {
  const auto until = Steady::now() + kReasonTime;
  for (;;) {
    auto sandbox = calls_.find(use_->sandbox_id);
    if (auto why = why_over(sandbox); !why.empty()) return why;
    if (stopping_ || Steady::now() > until) return "the connection to the sandbox was lost";
    std::this_thread::sleep_for(kReasonLook);
  }
}

// Of the channels whose process is gone by no doing of its own.
void Session::tell_why() {
  std::string why;
  for (auto& joint : joints_) {
    auto* process = dynamic_cast<ProcessJoint*>(joint.get());
    if (!process || process->over()) continue;
    if (process->killed()) {
      const std::string over = why_over(calls_.find(use_->sandbox_id));
      process->end_killed(over.empty() ? "" : "\r\n[" + over + "]\r\n");
    }
    if (!process->lost() || process->over()) continue;
    if (why.empty()) why = why_lost();
    process->refuse("\r\n[" + why + "]", 255);
  }
}

// The token was revoked or has expired, or the sandbox has stopped or is gone.
void Session::end_for_cause() {
  std::string why = why_over(calls_.find(use_->sandbox_id));
  if (why.empty()) why = "the access token of this session has ended";
  for (auto& joint : joints_) joint->say_goodbye("\r\n[" + why + "]\r\n");
  // For who only forwards ports.
  ::ssh_session_set_disconnect_message(session_.get(), why.c_str());
  // What is buffered would be thrown away by the disconnect.
  (void)::ssh_blocking_flush(session_.get(), 2'000);
}

void Session::serve() {
  bool more = false;
  for (;;) {
    if (!wait(more ? 0 : 30'000)) break;
    std::uint64_t woken = 0;
    if (::read(wake_.get(), &woken, sizeof woken) > 0) {
      end_for_cause();
      break;
    }
    more = false;
    service_all(more);
    tell_why();
    remove_finished();
  }
}

}  // namespace sebring::ssh
