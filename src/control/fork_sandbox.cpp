#include "base/random.h"
#include "base/text.h"
#include "control/archive_job.h"
#include "control/create_sandbox.h"
#include "control/linked_group.h"
#include "control/log.h"
#include "control/name_reservation.h"
#include "control/runner_spec.h"
#include "control/sandbox_use_cases.h"
#include "control/settle.h"
#include "model/names.h"

namespace sebring::control {
namespace {

using model::SandboxState;

// A new identity with the parent's disk and declared environment: nothing that the parent was given as a secret.
Sandbox child_of(Control& control, const Sandbox& parent, const std::optional<std::string>& name) {
  Sandbox child = parent;
  child.id = random_uuid();
  child.name = name && !trim(*name).empty() ? *name : child.id;
  child.parent_id = parent.id;
  child.linked_sandbox_id.reset();  // a way to others is not copied
  child.state = SandboxState::creating;
  child.desired = model::DesiredState::started;
  child.error_reason.reset();
  child.recoverable = false;
  child.backup_state = model::BackupState::none;
  child.backup_created_at.reset();
  child.archive.reset();
  child.auth_token = new_auth_token();
  child.signing_key = random_hex(32);
  child.created_at = child.updated_at = child.last_activity_at = control.clock.wall_ms();
  child.created = child.since = child.active = control.service.now();
  child.auto_destroy_at.reset();
  child.intervals.ttl_after_ms = 0;
  if (child.intervals.ttl > 0) child.auto_destroy_at = child.created_at + child.intervals.ttl * model::kMinuteMs;
  child.version = 1;
  return child;
}

asio::awaitable<Result<RunnerReport>> make_and_start(Control& control, std::string parent_id, const Sandbox& child) {
  SB_CO_TRY(auto made, co_await control.runner.fork(parent_id, child.id, child.resources.disk_gib * model::kGiB));
  co_return co_await control.runner.ensure_running(child.id, make_runner_spec(control.config, child, true));
}

asio::awaitable<void> give_up(Control& control, Sandbox child, db::Pending inserted) {
  if (auto written = co_await inserted.wait(); !written) {
    (void)co_await control.runner.remove(child.id);
    control.live.erase(child.id);
    co_return;
  }
  Held held{{}, std::move(child)};
  (void)co_await destroy_sandbox(control, held);
}

// As it is, with others who fork it; alone when it has to be brought to rest first.
asio::awaitable<Result<Held>> hold_parent(Control& control, const std::string& organization_id,
                                          const std::string& sandbox) {
  SB_CO_TRY(auto together, co_await hold(control, organization_id, sandbox, Lines::Turn::together));
  SB_CO_TRY(const auto verdict, model::may(model::Action::fork, together.sandbox.visible()));
  if (verdict != model::Verdict::wait) co_return std::move(together);
  together.place.leave();
  SB_CO_TRY(auto held, co_await hold(control, organization_id, sandbox));
  SB_CO_CHECK(co_await may_now(control, held, model::Action::fork));
  co_return std::move(held);
}

// However many forks of one sandbox are asked for at once, few stand in its line; and who has to wait for somebody that
// changes it does not stand in the way of other creates meanwhile.
asio::awaitable<Result<Gate::Pass>> wait_for_turn(Control& control, const std::string& organization_id,
                                                  const std::string& sandbox) {
  std::string id = sandbox;
  if (const auto* live = control.live.find(sandbox); live == nullptr || live->organization_id != organization_id) {
    SB_CO_TRY(const auto found, co_await get_sandbox(control, organization_id, sandbox));
    id = found.id;
  }
  if (control.long_jobs.contains(id)) SB_CO_CHECK(co_await wait_for_rest(control, organization_id, id));
  SB_CO_TRY(auto place, co_await control.lines.enter(id, Lines::Turn::together));
  place.leave();
  co_return co_await control.creates.enter();
}

}  // namespace

asio::awaitable<Result<Sandbox>> fork_sandbox(Control& control, std::string organization_id, std::string sandbox,
                                              std::optional<std::string> name, RequestKey request) {
  SB_CO_TRY(auto repeated, co_await begin_request(control, organization_id, std::move(request)));
  if (repeated.made) co_return std::move(*repeated.made);
  SB_CO_CHECK(check_space(control));
  if (name) SB_CO_CHECK(model::check_name(*name));
  SB_CO_TRY(const auto pass, co_await wait_for_turn(control, organization_id, sandbox));
  SB_CO_TRY(auto held, co_await hold_parent(control, organization_id, sandbox));
  Sandbox child = child_of(control, held.sandbox, name);
  NameReservation reserved(control, organization_id, child.name);
  SB_CO_CHECK(co_await reserved.check());
  SB_CO_CHECK(model::check_totals(child.resources, control.live.used(organization_id), control.config.limits));
  auto place = control.lines.try_enter(child.id);
  control.live.put(child);
  auto inserted = control.store.sandboxes.insert_later(child, db::Urgency::now, repeated.mark);
  if (control.events.heard()) control.events.publish({organization_id, SandboxCreated{child}});

  auto report = co_await make_and_start(control, held.sandbox.id, child);
  if (report) {
    const SandboxState before = child.visible();
    set_state(control, child, SandboxState::started);
    set_active(control, child);
    auto saved = co_await save(control, child, before, child.desired, &inserted, db::Urgency::unsynced);
    if (saved) {
      co_await note_running(control, child.id, std::move(*report));
      co_return child;
    }
    report = fail(saved.error());
  }
  log_warning("fork of sandbox " + held.sandbox.id + ": " + report.error().message());
  co_await give_up(control, child, inserted);
  co_return fail(making_failed("Sandbox failed to fork", report.error()));
}

asio::awaitable<Result<std::vector<Sandbox>>> list_forks(Control& control, std::string organization_id,
                                                         std::string sandbox, bool with_destroyed) {
  SB_CO_TRY(auto parent, co_await get_sandbox(control, organization_id, sandbox));
  co_return co_await control.store.sandboxes.forks_of(parent.id, with_destroyed);
}

asio::awaitable<Result<std::vector<Sandbox>>> list_ancestors(Control& control, std::string organization_id,
                                                             std::string sandbox) {
  SB_CO_TRY(auto current, co_await get_sandbox(control, organization_id, sandbox));
  std::vector<Sandbox> chain;
  constexpr std::size_t kDepthMax = 1'000;  // a chain is as long as somebody forked; an answer is not
  while (current.parent_id && chain.size() < kDepthMax) {
    SB_CO_TRY(auto parent, co_await control.store.sandboxes.find(*current.parent_id));
    if (!parent || parent->organization_id != organization_id) break;
    current = std::move(*parent);
    chain.push_back(current);
  }
  co_return chain;
}

asio::awaitable<Result<Sandbox>> get_parent(Control& control, std::string organization_id, std::string sandbox) {
  SB_CO_TRY(auto current, co_await get_sandbox(control, organization_id, sandbox));
  if (!current.parent_id) co_return fail(Errc::not_found, "Sandbox " + sandbox + " has no parent");
  SB_CO_TRY(auto parent, co_await control.store.sandboxes.find(*current.parent_id));
  if (!parent || parent->organization_id != organization_id) {
    co_return fail(Errc::not_found, "Sandbox " + sandbox + " has no parent");
  }
  co_return std::move(*parent);
}

}  // namespace sebring::control
