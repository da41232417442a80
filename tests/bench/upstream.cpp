// A server that costs next to nothing, so that what is measured in front of it is the proxy: one thread, fixed answers.
//   sebring-bench-upstream PORT
//   GET /N     N bytes (at most 64 MiB)
//   Upgrade    every byte back as it came
// Static and without libraries: it also runs in a sandbox.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

namespace {

constexpr std::size_t kBodyMax = 64 << 20;

struct Peer {
  std::string in;
  std::string head;           // of the answer, what is left to send
  std::size_t body_left = 0;  // and of its body
  bool echoes = false;
};

class Upstream {
 public:
  explicit Upstream(std::uint16_t port) : body_(1 << 20, 'x'), epoll_(::epoll_create1(0)) {
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    ::setsockopt(listening_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(port);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listening_, reinterpret_cast<sockaddr*>(&here), sizeof here) != 0 || ::listen(listening_, 1024) != 0) {
      std::perror("listen");
      std::exit(1);
    }
    watch(listening_, EPOLLIN);
  }

  [[noreturn]] void run() {
    epoll_event events[64];
    for (;;) {
      const int count = ::epoll_wait(epoll_, events, 64, -1);
      for (int i = 0; i < count; ++i) {
        const int fd = events[i].data.fd;
        if (fd == listening_) {
          accept_all();
        } else if (!serve(fd, peers_[fd])) {
          peers_.erase(fd);
          ::close(fd);
        }
      }
    }
  }

 private:
  void watch(int fd, unsigned events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      peers_[fd] = {};
      watch(fd, EPOLLIN | EPOLLOUT | EPOLLET);
    }
  }

  // false: the connection is over.
  bool serve(int fd, Peer& peer) const {
    char piece[65536];
    for (;;) {
      if (!send_some(fd, peer)) return false;
      const bool busy = !peer.head.empty() || peer.body_left > 0;
      if (busy) return true;  // more when it can be written
      const ssize_t got = ::recv(fd, piece, sizeof piece, 0);
      if (got < 0 && errno == EAGAIN) return true;
      if (got <= 0) return false;
      if (peer.echoes) {
        peer.head.append(piece, static_cast<std::size_t>(got));
      } else {
        peer.in.append(piece, static_cast<std::size_t>(got));
        take_request(peer);
      }
    }
  }

  bool send_some(int fd, Peer& peer) const {
    while (!peer.head.empty() || peer.body_left > 0) {
      // Small answers in one piece.
      if (peer.body_left > 0 && peer.head.size() + peer.body_left <= 65536) {
        peer.head.append(body_, 0, peer.body_left);
        peer.body_left = 0;
      }
      const bool head = !peer.head.empty();
      const std::size_t size = head ? peer.head.size() : std::min(peer.body_left, body_.size());
      const ssize_t sent = ::send(fd, head ? peer.head.data() : body_.data(), size, MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN;
      if (head) {
        peer.head.erase(0, static_cast<std::size_t>(sent));
      } else {
        peer.body_left -= static_cast<std::size_t>(sent);
      }
    }
    return true;
  }

  static void take_request(Peer& peer) {
    const std::size_t end = peer.in.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const std::string_view head = std::string_view(peer.in).substr(0, end);
    if (head.find("Upgrade: ") != std::string_view::npos) {
      peer.echoes = true;
      peer.head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
      peer.head.append(peer.in, end + 4);
    } else {
      const std::size_t slash = head.find('/');
      peer.body_left = std::min<std::size_t>(std::strtoull(head.data() + slash + 1, nullptr, 10), kBodyMax);
      peer.head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(peer.body_left) +
                  "\r\n\r\n";
    }
    peer.in.erase(0, end + 4);
  }

  std::string body_;
  int epoll_;
  int listening_ = -1;
  std::map<int, Peer> peers_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  Upstream(static_cast<std::uint16_t>(std::atoi(arguments[1]))).run();
}
