#pragma once
// Contexts: interpreters that keep their state from run to run.
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/time.h"
#include "net/exchange.h"
#include "toolbox/interpreter_process.h"

namespace sebring::toolbox {

inline constexpr std::string_view kDefaultInterpreter = "default";
inline constexpr std::size_t kInterpretersMax = 100;
inline constexpr std::size_t kWaitingRunsMax = 100;  // of one context
inline constexpr std::chrono::seconds kRunTimeDefault{600};
inline constexpr std::chrono::seconds kInterruptGrace{2};  // from SIGINT until the interpreter is killed

struct RunRequest {
  std::string code;
  std::string context_id;  // empty: the default one
  std::vector<std::pair<std::string, std::string>> envs;
  std::optional<std::chrono::milliseconds> time_max = kRunTimeDefault;  // empty: none
};
// The one message of a client. Errc::invalid_argument, tagged MALFORMED for what is no JSON object at all.
Result<RunRequest> parse_run_request(std::string_view text);

// {"type","text","name","value","traceback"}
std::string interpreter_frame(const InterpreterEvent& event);

class InterpreterContext : public std::enable_shared_from_this<InterpreterContext> {
 public:
  InterpreterContext(Context& context, std::string id, std::string language, std::string cwd);

  // So that the first run finds it ready. Tells what is missing.
  asio::awaitable<Result<void>> start();
  // Runs when its turn comes, and tells the client until it is over; then the socket is closed.
  asio::awaitable<void> run(RunRequest request, std::shared_ptr<net::WebSocket> socket);
  // Ends the process; runs that wait are told.
  asio::awaitable<void> remove();
  std::string info() const;

 private:
  struct Client;
  enum class End { over, timed_out, client_gone, process_ended };
  static asio::awaitable<void> watch_client(std::shared_ptr<Client> client, std::shared_ptr<InterpreterContext> self);
  asio::awaitable<void> run_now(RunRequest request, std::shared_ptr<Client> client);
  asio::awaitable<End> relay(std::int64_t number, std::shared_ptr<Client> client, Steady::time_point deadline);
  asio::awaitable<void> settle(std::int64_t number);
  asio::awaitable<void> tell_process_ended(std::shared_ptr<Client> client);

  Context& context_;
  std::string id_;
  std::string language_;
  std::string cwd_;
  WallMs created_at_;
  std::shared_ptr<InterpreterProcess> process_;
  bool starting_ = false;
  Notifier start_event_;
  std::string notice_;  // for the next run: why its variables are gone
  std::int64_t last_run_ = 0;
  std::deque<const void*> turns_;
  Notifier turn_event_;
  bool removed_ = false;
};

}  // namespace sebring::toolbox
