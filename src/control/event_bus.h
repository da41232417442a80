#pragma once
// What happened, told within the process: the events endpoint, later webhooks and audit. Listeners are called at once,
// on the event loop's thread, and must not wait; what an event looks like on a wire is the listener's business.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "model/sandbox.h"
#include "model/snapshot.h"

namespace sebring::control {

struct SandboxCreated {
  model::Sandbox sandbox;
};
struct SandboxStateUpdated {
  model::Sandbox sandbox;
  model::SandboxState old_state;
  model::SandboxState new_state;
};
struct SandboxDesiredStateUpdated {
  model::Sandbox sandbox;
  model::DesiredState old_state;
  model::DesiredState new_state;
};
// The sandbox will be stopped, paused or deleted for idleness soon.
struct SandboxIdleSoon {
  model::Sandbox sandbox;
  std::string_view action;  // "stop", "pause", "delete"
  std::int64_t in_ms;
};
struct SnapshotCreated {
  model::Snapshot snapshot;
};
struct SnapshotStateUpdated {
  model::Snapshot snapshot;
  model::SnapshotState old_state;
  model::SnapshotState new_state;
};
struct SnapshotRemoved {
  model::Snapshot snapshot;
};

struct Event {
  std::string organization_id;
  std::variant<SandboxCreated, SandboxStateUpdated, SandboxDesiredStateUpdated, SandboxIdleSoon, SnapshotCreated,
               SnapshotStateUpdated, SnapshotRemoved>
      what;
};

class EventBus {
 public:
  using Listener = std::function<void(const std::shared_ptr<const Event>&)>;
  // Ends the subscription when destroyed. Outlived by the bus.
  class Subscription {
   public:
    Subscription() = default;
    Subscription(EventBus* bus, std::uint64_t id) : bus_(bus), id_(id) {}
    Subscription(Subscription&& other) noexcept : bus_(std::exchange(other.bus_, nullptr)), id_(other.id_) {}
    Subscription& operator=(Subscription&& other) noexcept;
    ~Subscription();

   private:
    EventBus* bus_ = nullptr;
    std::uint64_t id_ = 0;
  };

  [[nodiscard]] Subscription subscribe(Listener listener);
  // Whether anybody would hear it; events need not be made when nobody does.
  bool heard() const { return !listeners_.empty(); }
  void publish(Event event);

 private:
  std::map<std::uint64_t, Listener> listeners_;
  std::uint64_t next_ = 1;
};

}  // namespace sebring::control
