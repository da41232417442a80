#include "api/event_json.h"

#include <boost/json.hpp>

#include "api/sandbox_json.h"
#include "api/snapshot_json.h"

namespace sebring::api {
namespace {

namespace bj = boost::json;

struct Render {
  const control::ControlConfig& config;

  bj::array operator()(const control::SandboxCreated& e) const {
    return {"sandbox.created", sandbox_json(config, e.sandbox)};
  }
  bj::array operator()(const control::SandboxStateUpdated& e) const {
    return {"sandbox.state.updated", bj::object{{"sandbox", sandbox_json(config, e.sandbox)},
                                                {"oldState", bj::string(model::to_text(e.old_state))},
                                                {"newState", bj::string(model::to_text(e.new_state))}}};
  }
  bj::array operator()(const control::SandboxDesiredStateUpdated& e) const {
    return {"sandbox.desired-state.updated", bj::object{{"sandbox", sandbox_json(config, e.sandbox)},
                                                        {"oldDesiredState", bj::string(model::to_text(e.old_state))},
                                                        {"newDesiredState", bj::string(model::to_text(e.new_state))}}};
  }
  bj::array operator()(const control::SandboxIdleSoon& e) const {
    return {
        "sandbox.idle-soon",
        bj::object{{"sandbox", sandbox_json(config, e.sandbox)}, {"action", bj::string(e.action)}, {"inMs", e.in_ms}}};
  }
  bj::array operator()(const control::SnapshotCreated& e) const {
    return {"snapshot.created", snapshot_json(e.snapshot)};
  }
  bj::array operator()(const control::SnapshotStateUpdated& e) const {
    return {"snapshot.state.updated", bj::object{{"snapshot", snapshot_json(e.snapshot)},
                                                 {"oldState", bj::string(model::to_text(e.old_state))},
                                                 {"newState", bj::string(model::to_text(e.new_state))}}};
  }
  bj::array operator()(const control::SnapshotRemoved& e) const {
    return {"snapshot.removed", snapshot_json(e.snapshot)};
  }
};

}  // namespace

std::string event_json(const control::ControlConfig& config, const control::Event& event) {
  return bj::serialize(std::visit(Render{config}, event.what));
}

}  // namespace sebring::api
