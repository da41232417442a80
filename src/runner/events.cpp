#include "runner/events.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>

namespace sebring::runner {
namespace {

constexpr std::size_t kLinesMax = 4096;
constexpr std::chrono::seconds kQuiet{60};

}  // namespace

void Events::publish(const std::string& line) {
  for (auto& listener : listeners_) {
    if (listener->lines.size() >= kLinesMax) listener->cut_off = true;
    if (!listener->cut_off) listener->lines.push_back(line);
    listener->changed.notify_all();
  }
}

void Events::close() {
  closed_ = true;
  for (auto& listener : listeners_) listener->changed.notify_all();
}

namespace {

asio::awaitable<void> watch_client(net::Exchange& exchange, bool& gone, Signal& changed) {
  co_await exchange.client_gone();
  gone = true;
  changed.notify_all();
}

}  // namespace

asio::awaitable<void> Events::serve(net::Exchange& exchange) {
  using namespace asio::experimental::awaitable_operators;
  auto body = co_await exchange.read_all(0);
  if (!body) co_return;
  auto listener = std::make_shared<Listener>(executor_);
  listener->lines.push_back(boost::json::serialize(boost::json::object{{"type", "hello"}, {"bootId", boot_id_}}) +
                            "\n");
  listeners_.push_back(listener);
  net::ResponseHead head;
  head.headers.add("Content-Type", "application/x-ndjson");
  bool gone = false;
  auto send = [&]() -> asio::awaitable<void> {
    if (!co_await exchange.start(head)) co_return;
    while (!closed_ && !listener->cut_off && !gone) {
      if (listener->lines.empty()) {
        co_await listener->changed.wait(kQuiet);
        continue;
      }
      std::string line = std::move(listener->lines.front());
      listener->lines.pop_front();
      if (!co_await exchange.write(line)) co_return;
    }
    if (!gone) (void)co_await exchange.finish();
  };
  co_await (send() || watch_client(exchange, gone, listener->changed));
  listeners_.remove(listener);
}

}  // namespace sebring::runner
