// Changes of a sandbox that leave its state alone: labels, intervals, visibility, network, keys.
#include <algorithm>

#include "base/random.h"
#include "base/text.h"
#include "control/sandbox_use_cases.h"
#include "control/settle.h"
#include "model/network_rules.h"

namespace sebring::control {
namespace {

asio::awaitable<Result<Sandbox>> write(Control& control, Held held) {
  held.sandbox.updated_at = control.clock.wall_ms();
  SB_CO_CHECK(co_await save(control, held.sandbox, held.sandbox.visible(), held.sandbox.desired));
  co_return std::move(held.sandbox);
}

asio::awaitable<Result<Held>> hold_living(Control& control, std::string organization_id, std::string sandbox) {
  SB_CO_TRY(auto held, co_await hold(control, organization_id, sandbox));
  if (held.sandbox.desired == model::DesiredState::destroyed) co_return fail(sandbox_not_found(sandbox));
  co_return held;
}

Result<std::int64_t> check(Interval which, std::int64_t minutes) {
  switch (which) {
    case Interval::stop:
      return model::check_stop_interval(minutes);
    case Interval::pause:
      return model::check_pause_interval(minutes);
    case Interval::archive:
      return model::check_archive_interval(minutes);
    case Interval::destroy:
      return model::check_destroy_interval(minutes);
    case Interval::ttl:
      return model::check_ttl(minutes);
  }
  return minutes;
}

// Asked of a sandbox that is there, a time to live counts from now, as the SDKs say.
void set_ttl(const Control& control, Sandbox& sandbox, std::int64_t minutes) {
  sandbox.intervals.ttl = minutes;
  sandbox.intervals.ttl_after_ms = minutes > 0 ? std::max<std::int64_t>(0, control.service.now() - sandbox.created) : 0;
  sandbox.auto_destroy_at.reset();
  if (minutes > 0) sandbox.auto_destroy_at = control.clock.wall_ms() + minutes * model::kMinuteMs;
}

Result<void> apply(const Control& control, Sandbox& sandbox, Interval which, std::int64_t asked) {
  SB_TRY(const std::int64_t minutes, check(which, asked));
  model::Intervals& intervals = sandbox.intervals;
  switch (which) {
    case Interval::stop:
      intervals.stop = minutes;
      if (minutes > 0) intervals.pause = 0;
      break;
    case Interval::pause:
      intervals.pause = minutes;
      if (minutes > 0) intervals.stop = 0;
      break;
    case Interval::archive:
      intervals.archive = minutes;
      break;
    case Interval::destroy:
      if (sandbox.linked_sandbox_id && minutes != 0) {
        return fail(Errc::invalid_argument, "Linked sandboxes must be ephemeral - set autoDeleteInterval to 0");
      }
      intervals.destroy = minutes;
      break;
    case Interval::ttl:
      set_ttl(control, sandbox, minutes);
      break;
  }
  return {};
}

}  // namespace

asio::awaitable<Result<Sandbox>> set_interval(Control& control, std::string organization_id, std::string sandbox,
                                              Interval which, std::int64_t minutes) {
  SB_CO_TRY(auto held, co_await hold_living(control, organization_id, sandbox));
  SB_CO_CHECK(apply(control, held.sandbox, which, minutes));
  SB_CO_CHECK(model::check_together(held.sandbox.intervals));
  // Who sets a timer is using the sandbox.
  set_active(control, held.sandbox);
  co_return co_await write(control, std::move(held));
}

asio::awaitable<Result<Sandbox>> set_labels(Control& control, std::string organization_id, std::string sandbox,
                                            model::TextMap labels) {
  SB_CO_TRY(auto held, co_await hold_living(control, organization_id, sandbox));
  held.sandbox.labels = std::move(labels);
  co_return co_await write(control, std::move(held));
}

asio::awaitable<Result<Sandbox>> set_public(Control& control, std::string organization_id, std::string sandbox,
                                            bool is_public) {
  SB_CO_TRY(auto held, co_await hold_living(control, organization_id, sandbox));
  held.sandbox.is_public = is_public;
  co_return co_await write(control, std::move(held));
}

asio::awaitable<Result<Sandbox>> set_network(Control& control, std::string organization_id, std::string sandbox,
                                             NetworkChange change) {
  if (!change.block_all && !change.allow_list && !change.domain_list) {
    co_return fail(Errc::invalid_argument,
                   "At least one of networkBlockAll, networkAllowList or domainAllowList must be provided");
  }
  if (change.domain_list && !trim(*change.domain_list).empty()) {
    SB_CO_CHECK(model::parse_domain_list(*change.domain_list));
    co_return fail(Errc::not_implemented,
                   "domainAllowList is not available in this version of sebring: networkAllowList takes addresses");
  }
  SB_CO_TRY(auto held, co_await hold_living(control, organization_id, sandbox));
  Sandbox& row = held.sandbox;
  if (change.domain_list) row.domain_allow_list.reset();
  if (change.allow_list) {
    SB_CO_TRY(auto networks, model::parse_network_list(*change.allow_list));
    row.network_allow_list.reset();
    if (!networks.empty()) row.network_allow_list = join(networks, ",");
    if (!networks.empty()) row.network_block_all = false;
  }
  if (change.block_all) {
    row.network_block_all = *change.block_all;
    if (*change.block_all) row.network_allow_list.reset();
  }
  if (model::holds_processes(row.visible())) {
    std::vector<std::string> networks;
    if (row.network_allow_list) {
      SB_CO_TRY(networks, model::parse_network_list(*row.network_allow_list));
    }
    auto changed = co_await control.runner.set_network(row.id, row.network_block_all, std::move(networks));
    // What the runner has not got yet, or not any more, gets them with its next start.
    if (!changed && changed.error().code() != Errc::not_found) {
      co_return fail(std::move(changed).error().while_doing("Network settings were not changed"));
    }
  }
  co_return co_await write(control, std::move(held));
}

asio::awaitable<Result<std::string>> rotate_signing_key(Control& control, std::string organization_id,
                                                        std::string sandbox) {
  SB_CO_TRY(auto held, co_await hold_living(control, organization_id, sandbox));
  held.sandbox.signing_key = random_hex(32);
  SB_CO_TRY(auto written, co_await write(control, std::move(held)));
  co_return written.signing_key;
}

}  // namespace sebring::control
