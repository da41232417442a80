#include "ssh/loop_calls.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <future>

namespace sebring::ssh {
namespace {

// The control plane answers from memory or its database; the runner dials within 10 s.
constexpr std::chrono::seconds kAnswerTime{15};
// How often it is looked whether the server is stopping; an answer wakes at once.
constexpr std::chrono::milliseconds kLook{50};

asio::awaitable<Result<int>> dial_descriptor(proxy::Dialer& dialer, std::string sandbox_id, std::uint16_t port) {
  SB_CO_TRY(auto stream, co_await dialer.dial(std::move(sandbox_id), port));
  SB_CO_TRY(net::Socket socket, stream->release_socket());
  // A duplicate, since the socket belongs to the loop's reactor.
  const int fd = ::fcntl(socket.native_handle(), F_DUPFD_CLOEXEC, 0);
  if (fd < 0) co_return fail_errno(errno, "duplicate a socket");
  co_return fd;
}

struct Held {
  proxy::LiveUses::Entry live;
  proxy::ActivityKeeper::Use use;
  UniqueFd wake;
};

asio::awaitable<Result<std::shared_ptr<Held>>> make_hold(proxy::Shared& shared, std::string sandbox_id,
                                                         proxy::Grant grant, int wake) {
  auto held = std::make_shared<Held>(Held{.use = shared.activity.use(sandbox_id)});
  held->wake.reset(wake);
  held->live =
      shared.live.add(std::move(sandbox_id), std::move(grant), [fd = held->wake.get()](const proxy::Over& over) {
        if (over.cause == proxy::Over::Cause::server) return;  // the gateway ends its sessions itself
        const std::uint64_t one = 1;
        (void)!::write(fd, &one, sizeof one);
      });
  co_return held;
}

asio::awaitable<Result<proxy::Sandbox>> find_or_wake(proxy::Shared& shared, std::string sandbox_id) {
  SB_CO_TRY(auto sandbox, co_await shared.access.find(sandbox_id));
  if (sandbox.started) co_return sandbox;
  if (auto woken = co_await shared.access.wake(sandbox_id)) co_return woken;
  co_return sandbox;
}

}  // namespace

template <class T>
Result<T> LoopCalls::wait_for(asio::awaitable<Result<T>> work) {
  if (closed_) return fail(Errc::unavailable, "the server is stopping");
  auto promise = std::make_shared<std::promise<Result<T>>>();
  auto answer = promise->get_future();
  asio::co_spawn(executor_, std::move(work), [promise](std::exception_ptr thrown, Result<T> result) {
    if (thrown) {
      promise->set_value(fail(Errc::internal, "the control plane failed"));
    } else {
      promise->set_value(std::move(result));
    }
  });
  const auto until = Steady::now() + kAnswerTime;
  while (answer.wait_for(kLook) != std::future_status::ready) {
    if (closed_) return fail(Errc::unavailable, "the server is stopping");
    if (Steady::now() > until) return fail(Errc::timed_out, "the control plane does not answer");
  }
  return answer.get();
}

Result<proxy::TokenUse> LoopCalls::authorize(std::string token) {
  return wait_for(shared_.access.authorize_ssh(std::move(token)));
}

Result<proxy::Sandbox> LoopCalls::find(std::string sandbox_id) {
  return wait_for(shared_.access.find(std::move(sandbox_id)));
}

Result<proxy::Sandbox> LoopCalls::find_awake(std::string sandbox_id) {
  return wait_for(find_or_wake(shared_, std::move(sandbox_id)));
}

Result<UniqueFd> LoopCalls::dial(std::string sandbox_id, std::uint16_t port) {
  SB_TRY(const int fd, wait_for(dial_descriptor(dialer_, std::move(sandbox_id), port)));
  return UniqueFd(fd);
}

SessionHold LoopCalls::hold(std::string sandbox_id, proxy::Grant grant, int wake) {
  const int copy = ::fcntl(wake, F_DUPFD_CLOEXEC, 0);
  auto held = wait_for(make_hold(shared_, std::move(sandbox_id), std::move(grant), copy));
  if (!held) return {};
  // Its parts belong to the loop and are let go there.
  auto* raw = new std::shared_ptr<Held>(std::move(*held));
  return SessionHold(std::shared_ptr<void>(raw, [executor = executor_](void* pointer) {
    asio::post(executor, [pointer] { delete static_cast<std::shared_ptr<Held>*>(pointer); });
  }));
}

}  // namespace sebring::ssh
