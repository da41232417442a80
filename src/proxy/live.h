#pragma once
// Long-lived connections (tunnels, terminals) and the grants that let them in: when a grant ends or its sandbox stops,
// so do they.
#include <functional>
#include <memory>

#include "net/stream.h"
#include "proxy/access.h"

namespace sebring::proxy {

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
  Entry add(std::string sandbox_id, Grant grant, std::function<void()> end);

  // Something about the sandbox or its credentials has changed: checks its uses now. Without it they are checked every
  // few seconds all the same.
  void check_soon(const std::string& sandbox_id);
  std::size_t size() const;

 private:
  std::shared_ptr<Entry::State> state_;
};

}  // namespace sebring::proxy
