#pragma once
// One terminal with a shell, shown to any number of clients.
#include <boost/asio/posix/stream_descriptor.hpp>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "net/exchange.h"
#include "toolbox/context.h"
#include "toolbox/notifier.h"
#include "toolbox/pty_backlog.h"
#include "toolbox/pty_device.h"

namespace sebring::toolbox {

inline constexpr std::size_t kPtyInputBytesMax = 64 * 1024;     // of one message
inline constexpr std::size_t kPtyInputWaitingMax = 256 * 1024;  // that nobody in the terminal reads
inline constexpr std::size_t kPtyClientsMax = 64;               // of one terminal
inline constexpr std::size_t kPtyQueueBytesMax = 1 << 20;       // for one client; then the terminal waits for it
// How long it waits before that client is closed: shorter when others have to wait with it.
inline constexpr std::chrono::seconds kPtyStallAlone{5};
inline constexpr std::chrono::seconds kPtyStallAmongOthers{1};

struct PtySettings {
  std::string id;
  std::string cwd;  // absolute
  std::vector<std::pair<std::string, std::string>> envs;
  PtySize size;
  bool lazy_start = false;
};

class PtySession : public std::enable_shared_from_this<PtySession> {
 public:
  PtySession(Context& context, PtySettings settings);

  // Starts the shell; once, further calls wait for the first. Errc::invalid_argument when the directory is the reason.
  asio::awaitable<Result<void>> start();
  // Serves one client to its end or the terminal's. `exit_control`: it wants to be told of the exit by a message too.
  asio::awaitable<void> attach(std::shared_ptr<net::WebSocket> socket, bool exit_control);
  // Errc::gone when the shell has ended.
  Result<void> resize(PtySize size);
  // SIGKILL to everything in it; returns when it is gone.
  asio::awaitable<void> kill();

  const std::string& id() const { return settings_.id; }
  bool ended() const { return exit_.has_value() || killed_; }
  // PtySessionInfo as JSON.
  std::string info() const;

 private:
  struct Client {
    Client(asio::io_context& io, std::shared_ptr<net::WebSocket> the_socket)
        : socket(std::move(the_socket)), changed(io) {}
    std::shared_ptr<net::WebSocket> socket;
    Notifier changed;
    std::string queue;
    bool exit_control = false;
    bool gone = false;  // the client closed or failed
    bool slow = false;  // to be closed
    bool closed = false;
  };
  using ClientPtr = std::shared_ptr<Client>;

  asio::awaitable<Result<void>> start_shell();
  static asio::awaitable<void> read_output(std::shared_ptr<PtySession> self);
  static asio::awaitable<void> watch_shell(std::shared_ptr<PtySession> self);
  static asio::awaitable<void> write_client(std::shared_ptr<PtySession> self, ClientPtr client);
  static asio::awaitable<void> abort_later(ClientPtr client);
  asio::awaitable<void> wait_for_slow_clients();
  asio::awaitable<void> take_input(std::string bytes);
  void write_input();
  static asio::awaitable<void> write_rest(std::shared_ptr<PtySession> self);
  void show(std::string_view bytes);
  void finish(ExitStatus status);

  Context& context_;
  PtySettings settings_;
  WallMs created_at_;
  asio::posix::stream_descriptor controller_;
  std::shared_ptr<Process> process_;
  enum class Start { not_yet, starting, done } started_ = Start::not_yet;
  Notifier start_event_;
  bool output_ended_ = false;
  bool throttled_ = false;  // not reading, for the sake of a slow client
  Steady::time_point last_output_;
  bool killed_ = false;
  bool killed_all_ = false;  // nothing of it runs any more
  std::optional<ExitStatus> exit_;
  Notifier exit_event_;
  std::string input_;  // that the terminal has no room for yet
  bool writing_input_ = false;
  Notifier input_event_;
  PtyBacklog backlog_;
  std::list<ClientPtr> clients_;
  Notifier drained_;
};

// What clients are told of an end.
std::string pty_exit_reason(int exit_code);     // "" for 0
std::string pty_close_reason(int exit_code);    // JSON of the close frame
std::string pty_exited_message(int exit_code);  // JSON of the control message
std::string pty_error_message(const std::string& message);

}  // namespace sebring::toolbox
