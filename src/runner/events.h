#pragma once
// Who listens is told what happens, line by line. A listener that does not keep up is cut off: it asks for the whole
// inventory when it connects again.
#include <boost/asio/any_io_executor.hpp>
#include <deque>
#include <list>
#include <memory>
#include <string>

#include "net/exchange.h"
#include "runner/waiting.h"

namespace sebring::runner {

class Events {
 public:
  Events(asio::any_io_executor executor, std::string boot_id)
      : executor_(std::move(executor)), boot_id_(std::move(boot_id)) {}
  void publish(const std::string& line);
  // Answers GET /v1/events; until the listener goes away, falls behind, or close().
  asio::awaitable<void> serve(net::Exchange& exchange);
  void close();

 private:
  struct Listener {
    explicit Listener(asio::any_io_executor executor) : changed(std::move(executor)) {}
    Signal changed;
    std::deque<std::string> lines;
    bool cut_off = false;
  };
  asio::any_io_executor executor_;
  std::string boot_id_;
  std::list<std::shared_ptr<Listener>> listeners_;
  bool closed_ = false;
};

}  // namespace sebring::runner
