#pragma once
// Keeps a sandbox awake while it is used: a touch when a request comes, and every 50 s while one is open.
#include <map>
#include <string>

#include "base/time.h"
#include "net/stream.h"

namespace sebring::proxy {

class Access;

class ActivityKeeper {
 public:
  ActivityKeeper(net::asio::any_io_executor executor, Access& access);
  ~ActivityKeeper();

  // Held while a request or tunnel is open.
  class Use {
   public:
    Use() = default;
    Use(Use&& other) noexcept : keeper_(std::move(other.keeper_)), sandbox_id_(std::move(other.sandbox_id_)) {
      other.keeper_.reset();
    }
    Use& operator=(Use&&) = delete;
    ~Use();

   private:
    friend class ActivityKeeper;
    struct State;
    std::shared_ptr<State> keeper_;
    std::string sandbox_id_;
  };
  Use use(const std::string& sandbox_id);

 private:
  std::shared_ptr<Use::State> state_;
};

}  // namespace sebring::proxy
