#include "ssh/gateway.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <list>
#include <mutex>
#include <thread>

#include "ssh/host_key.h"
#include "ssh/session.h"

namespace sebring::ssh {
namespace {

// Current ones only, all of them with what the strict key exchange needs.
constexpr const char* kKeyExchange =
    "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
    "diffie-hellman-group16-sha512,diffie-hellman-group18-sha512";
constexpr const char* kCiphers =
    "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes128-ctr";
constexpr const char* kMacs = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512";

struct BindFree {
  void operator()(ssh_bind_struct* bind) const { ::ssh_bind_free(bind); }
};

Result<std::unique_ptr<ssh_bind_struct, BindFree>> make_bind(const std::vector<Key>& keys) {
  std::unique_ptr<ssh_bind_struct, BindFree> bind(::ssh_bind_new());
  if (!bind) return fail(Errc::internal, "libssh: no memory");
  const bool no = false;
  bool good = ::ssh_bind_options_set(bind.get(), SSH_BIND_OPTIONS_PROCESS_CONFIG, &no) == SSH_OK;
  for (auto [option, value] : {std::pair{SSH_BIND_OPTIONS_KEY_EXCHANGE, kKeyExchange},
                               {SSH_BIND_OPTIONS_CIPHERS_C_S, kCiphers},
                               {SSH_BIND_OPTIONS_CIPHERS_S_C, kCiphers},
                               {SSH_BIND_OPTIONS_HMAC_C_S, kMacs},
                               {SSH_BIND_OPTIONS_HMAC_S_C, kMacs},
                               {SSH_BIND_OPTIONS_BANNER, "sebring"}}) {
    good = good && ::ssh_bind_options_set(bind.get(), option, value) == SSH_OK;
  }
  for (const Key& key : keys) {
    // It takes the key over.
    ssh_key copy = ::ssh_key_dup(key.get());
    good = good && copy && ::ssh_bind_options_set(bind.get(), SSH_BIND_OPTIONS_IMPORT_KEY, copy) == SSH_OK;
  }
  if (!good) return fail(Errc::internal, std::string("libssh: ") + ::ssh_get_error(bind.get()));
  return bind;
}

std::string address_text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET6) {
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof text);
  } else if (address.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
  }
  return text;
}

// A client whose network has gone is noticed in two minutes; small packets go at once.
void prepare_socket(int fd) {
  const int on = 1;
  const int idle = 60;
  const int every = 15;
  const int count = 4;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

class GatewayImpl final : public Gateway {
 public:
  GatewayImpl(asio::any_io_executor executor, proxy::Shared& shared, proxy::Dialer& dialer, GatewayOptions options,
              std::unique_ptr<ssh_bind_struct, BindFree> bind, std::string public_key)
      : options_(std::move(options)),
        calls_(std::move(executor), shared, dialer),
        throttle_(options_.throttle),
        bind_(std::move(bind)),
        public_key_(std::move(public_key)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~GatewayImpl() override;

  Result<std::uint16_t> listen(const std::string& address, std::uint16_t port) override;
  Result<void> listen_fd(UniqueFd listening) override {
    listening_ = std::move(listening);
    acceptor_ = std::thread([this] { accept_all(); });
    return {};
  }
  asio::awaitable<void> stop(std::chrono::milliseconds grace) override;
  const std::string& public_key() const override { return public_key_; }
  std::size_t sessions() const override {
    const std::lock_guard lock(mutex_);
    return running_.size();
  }

 private:
  struct Running {
    std::shared_ptr<Session> session;
    std::thread thread;
    bool over = false;
  };
  void accept_all();
  void begin(UniqueFd connection, std::string address);
  void collect();
  void end_all();

  GatewayOptions options_;
  LoopCalls calls_;
  Throttle throttle_;
  std::unique_ptr<ssh_bind_struct, BindFree> bind_;
  std::string public_key_;
  UniqueFd wake_;
  UniqueFd listening_;
  std::thread acceptor_;
  mutable std::mutex mutex_;
  std::list<Running> running_;
};

Result<std::uint16_t> GatewayImpl::listen(const std::string& address, std::uint16_t port) {
  sockaddr_storage place{};
  socklen_t length = 0;
  auto& four = reinterpret_cast<sockaddr_in&>(place);
  auto& six = reinterpret_cast<sockaddr_in6&>(place);
  if (::inet_pton(AF_INET, address.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    length = sizeof four;
  } else if (::inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    length = sizeof six;
  } else {
    return fail(Errc::invalid_argument, "not an address: " + address);
  }
  const std::string what = "listen for SSH on " + address + ":" + std::to_string(port);
  UniqueFd fd(::socket(place.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, what);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&place), length) != 0) return fail_errno(errno, what);
  if (::listen(fd.get(), 128) != 0) return fail_errno(errno, what);
  length = sizeof place;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&place), &length);
  const std::uint16_t got = ntohs(place.ss_family == AF_INET6 ? six.sin6_port : four.sin_port);
  SB_CHECK(listen_fd(std::move(fd)));
  return got;
}

void GatewayImpl::accept_all() {
  for (;;) {
    pollfd ready[2] = {{.fd = listening_.get(), .events = POLLIN, .revents = 0},
                       {.fd = wake_.get(), .events = POLLIN, .revents = 0}};
    if (::poll(ready, 2, 5'000) < 0 && errno != EINTR) return;
    if (ready[1].revents != 0) return;
    collect();
    if ((ready[0].revents & POLLIN) == 0) continue;
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    UniqueFd connection(::accept4(listening_.get(), reinterpret_cast<sockaddr*>(&from), &length, SOCK_CLOEXEC));
    if (!connection) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) ::usleep(50'000);
      continue;
    }
    const std::string address = address_text(from);
    if (sessions() >= options_.sessions_max || !throttle_.admit(address, Steady::now())) continue;
    begin(std::move(connection), address);
  }
}

void GatewayImpl::begin(UniqueFd connection, std::string address) {
  prepare_socket(connection.get());
  ssh_session raw = ::ssh_new();
  if (!raw || ::ssh_bind_accept_fd(bind_.get(), raw, connection.get()) != SSH_OK) {
    ::ssh_free(raw);
    throttle_.gave_up(address);
    return;
  }
  connection.release();
  const std::lock_guard lock(mutex_);
  Running& running = running_.emplace_back();
  running.session = std::make_shared<Session>(raw, std::move(address), calls_, throttle_);
  try {
    running.thread = std::thread([this, session = running.session, &running]() mutable {
      session->run();
      session.reset();
      const std::lock_guard inner(mutex_);
      running.session.reset();
      running.over = true;
    });
  } catch (const std::system_error&) {  // no process is left to be had; the connection ends with its session
    running_.pop_back();
  }
}

// Joins threads that have ended.
void GatewayImpl::collect() {
  std::list<Running> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto one = running_.begin(); one != running_.end();) {
      const auto next = std::next(one);
      if (one->over) ended.splice(ended.end(), running_, one);
      one = next;
    }
  }
  for (Running& one : ended) one.thread.join();
}

void GatewayImpl::end_all() {
  calls_.close();
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  if (acceptor_.joinable()) acceptor_.join();
  listening_.reset();
  const std::lock_guard lock(mutex_);
  for (Running& running : running_) {
    if (running.session) running.session->stop();
  }
}

asio::awaitable<void> GatewayImpl::stop(std::chrono::milliseconds grace) {
  end_all();
  const auto until = Steady::now() + grace;
  while (sessions() > 0 && Steady::now() < until) {
    co_await net::sleep_for(std::chrono::milliseconds(10));
    collect();
  }
}

GatewayImpl::~GatewayImpl() {
  end_all();
  while (sessions() > 0) {
    collect();
    ::usleep(5'000);
  }
}

}  // namespace

Result<std::string> host_public_key(const std::string& key_directory) {
  if (::ssh_init() != SSH_OK) return fail(Errc::internal, "libssh can not start");
  SB_TRY(auto keys, load_host_keys(key_directory));
  return public_key_text(keys.front());
}

Result<std::unique_ptr<Gateway>> make_gateway(asio::any_io_executor executor, proxy::Shared& shared,
                                              proxy::Dialer& dialer, GatewayOptions options) {
  if (::ssh_init() != SSH_OK) return fail(Errc::internal, "libssh can not start");
  SB_TRY(auto keys, load_host_keys(options.key_directory));
  SB_TRY(auto bind, make_bind(keys));
  return std::make_unique<GatewayImpl>(std::move(executor), shared, dialer, std::move(options), std::move(bind),
                                       public_key_text(keys.front()));
}

}  // namespace sebring::ssh
