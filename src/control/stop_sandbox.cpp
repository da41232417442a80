#include "control/sandbox_use_cases.h"
#include "control/settle.h"

namespace sebring::control {

asio::awaitable<Result<Sandbox>> stop_sandbox(Control& control, std::string organization_id, std::string sandbox,
                                              bool force) {
  SB_CO_TRY(auto held, co_await hold(control, organization_id, sandbox));
  SB_CO_CHECK(co_await may_now(control, held, model::Action::stop));
  SB_CO_CHECK(co_await halt_sandbox(control, held, force));
  co_return std::move(held.sandbox);
}

}  // namespace sebring::control
