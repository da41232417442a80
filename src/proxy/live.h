#pragma once
// What is open now (requests, tunnels, terminals) and the grants that let it in: when a grant ends or its sandbox
// stops, so does it.
#include <functional>
#include <memory>

#include "net/stream.h"
#include "proxy/access.h"

namespace sebring::proxy {

// Why a use is over.
struct Over {
  enum class Cause { credential, expiry, sandbox, server };
  Cause cause;
  // For a request that has no answer yet; its message is what a WebSocket is told.
  Error error;
  std::uint16_t close_code() const;  // RFC 6455, 7.4
};

class LiveUses {
 public:
  LiveUses(asio::any_io_executor executor, Access& access);
  ~LiveUses();

  // Leaves the list when destroyed.
  class Entry {
   public:
    Entry() = default;
    Entry(Entry&& other) noexcept;
    Entry& operator=(Entry&& other) noexcept;
    ~Entry();

   private:
    friend class LiveUses;
    struct State;
    std::shared_ptr<State> state_;
    std::uint64_t number_ = 0;
  };
  // `end` is called at most once, on the loop, when the use is over; it must not destroy the entry itself.
  Entry add(std::string sandbox_id, Grant grant, std::function<void(const Over&)> end);

  // Something about the sandbox or its credentials has changed: checks its uses now. Without it they are checked every
  // few seconds all the same. Empty: about them all.
  void check_soon(const std::string& sandbox_id);
  // This process is about to end: all are told so.
  void end_all();
  // Why a server in the sandbox broke off: the sandbox has ended, is ending or will be known to have ended in a moment.
  // nullopt: as far as can be told it was the server's own doing.
  asio::awaitable<std::optional<Over>> why_lost(std::string sandbox_id);
  std::size_t size() const;

 private:
  std::shared_ptr<Entry::State> state_;
};

}  // namespace sebring::proxy
