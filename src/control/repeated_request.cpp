#include "control/repeated_request.h"

namespace sebring::control {
namespace {
constexpr std::size_t kKeyBytesMax = 255;
}

asio::awaitable<Result<RepeatedRequest>> begin_request(Control& control, std::string organization_id, RequestKey key) {
  RepeatedRequest request;
  if (key.key.empty()) co_return std::move(request);
  if (key.key.size() > kKeyBytesMax) co_return fail(Errc::invalid_argument, "Idempotency-Key is too long");
  SB_CO_TRY(request.place, co_await control.lines.enter("request " + organization_id + " " + key.key));
  SB_CO_TRY(auto mark, co_await control.store.sandboxes.find_mark(organization_id, key.key));
  if (!mark) {
    request.mark = store::SandboxStore::RequestMark{key.key, key.request_hash, ""};
    co_return std::move(request);
  }
  if (mark->request_hash != key.request_hash) {
    co_return fail(Errc::unprocessable, "Idempotency-Key was used for another request");
  }
  SB_CO_TRY(request.made, co_await control.store.sandboxes.find(mark->sandbox_id));
  // What could not be started, or was deleted since, is of no use to who asks again: then it is made anew.
  if (!request.made || request.made->desired == model::DesiredState::destroyed) {
    request.made.reset();
    request.mark = store::SandboxStore::RequestMark{key.key, key.request_hash, ""};
  }
  co_return std::move(request);
}

}  // namespace sebring::control
