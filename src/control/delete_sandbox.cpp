#include "control/sandbox_use_cases.h"
#include "control/settle.h"

namespace sebring::control {
namespace {

// Linked sandboxes live and die with the one they are linked to.
asio::awaitable<void> delete_linked(Control& control, std::string parent_id) {
  auto linked = co_await control.store.sandboxes.linked_to(parent_id);
  if (!linked) co_return;
  for (const Sandbox& child : *linked) {
    auto held = co_await hold(control, child.organization_id, child.id, Lines::Turn::first);
    if (held) (void)co_await destroy_sandbox(control, *held);
  }
}

}  // namespace

asio::awaitable<Result<Sandbox>> delete_sandbox(Control& control, std::string organization_id, std::string sandbox) {
  SB_CO_TRY(auto held, co_await hold(control, organization_id, sandbox, Lines::Turn::first));
  SB_CO_TRY(auto verdict, model::may(model::Action::destroy, held.sandbox.visible()));
  if (verdict == model::Verdict::nothing_to_do) co_return std::move(held.sandbox);
  SB_CO_TRY(auto forks, co_await control.store.sandboxes.forks_of(held.sandbox.id, false));
  if (!forks.empty()) {
    co_return fail(Errc::invalid_argument,
                   "Cannot delete sandbox which has active fork children. The forks must be deleted first.");
  }
  SB_CO_CHECK(co_await destroy_sandbox(control, held));
  held.place.leave();
  co_await delete_linked(control, held.sandbox.id);
  co_return std::move(held.sandbox);
}

}  // namespace sebring::control
