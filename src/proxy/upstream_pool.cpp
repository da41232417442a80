#include "proxy/upstream_pool.h"

#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>

#include "base/text.h"
#include "base/time.h"

namespace sebring::proxy {
namespace {

constexpr std::size_t kIdlePerPlaceMax = 64;
constexpr std::size_t kIdleMax = 4096;
constexpr std::chrono::seconds kSweep{1};
// No server gives up a connection, or says so on it, that soon after an answer.
constexpr std::chrono::milliseconds kJustUsed{50};

// Bytes on an idle connection are as bad as its end: nobody asked for them.
bool is_open_and_silent(net::ClientConnection& connection) {
  net::ByteStream* stream = connection.stream();
  if (!stream || stream->native_handle() < 0) return false;
  char byte;
  const ssize_t got = ::recv(stream->native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

struct Idle {
  std::unique_ptr<net::ClientConnection> connection;
  Steady::time_point since;
  Steady::time_point until;
};

}  // namespace

struct UpstreamPool::State {
  explicit State(asio::any_io_executor executor) : executor(executor), timer(executor) {}
  asio::any_io_executor executor;
  asio::steady_timer timer;
  bool sweeping = false;
  bool closed = false;
  std::size_t count = 0;
  std::map<std::string, std::map<std::string, std::vector<Idle>>> idle;  // by sandbox, by place

  void sweep_once() {
    const auto now = Steady::now();
    count = 0;
    for (auto sandbox = idle.begin(); sandbox != idle.end();) {
      auto& places = sandbox->second;
      for (auto place = places.begin(); place != places.end();) {
        std::erase_if(place->second,
                      [&](Idle& one) { return now >= one.until || !is_open_and_silent(*one.connection); });
        count += place->second.size();
        place = place->second.empty() ? places.erase(place) : std::next(place);
      }
      sandbox = places.empty() ? idle.erase(sandbox) : std::next(sandbox);
    }
  }

  // Runs only while something is kept.
  static asio::awaitable<void> sweep(std::shared_ptr<State> self) {
    while (!self->closed && self->count > 0) {
      self->timer.expires_after(kSweep);
      auto [code] = co_await self->timer.async_wait(asio::as_tuple(asio::use_awaitable));
      if (code) break;
      self->sweep_once();
    }
    self->sweeping = false;
  }
};

// A second is left for the way.
std::chrono::milliseconds kept_idle(std::optional<std::string_view> keep_alive, std::chrono::milliseconds idle_time) {
  if (!keep_alive) return idle_time;
  for (std::string_view part : split(*keep_alive, ',')) {
    part = trim(part);
    if (!starts_with_ignore_case(part, "timeout=")) continue;
    const auto seconds = parse_integer(part.substr(8));
    if (!seconds || *seconds < 2) return std::chrono::milliseconds(0);
    const auto said = std::chrono::seconds(std::min<std::int64_t>(*seconds, 3600) - 1);
    idle_time = std::min<std::chrono::milliseconds>(idle_time, said);
  }
  return idle_time;
}

UpstreamPool::UpstreamPool(asio::any_io_executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

UpstreamPool::~UpstreamPool() {
  state_->closed = true;
  state_->idle.clear();
  state_->timer.cancel();
}

std::unique_ptr<net::ClientConnection> UpstreamPool::take_idle(const Upstream& upstream,
                                                               std::chrono::milliseconds idle_at_most,
                                                               bool repeatable) {
  const auto sandbox = state_->idle.find(upstream.sandbox_id);
  if (sandbox == state_->idle.end()) return nullptr;
  const auto place = sandbox->second.find(upstream.place);
  if (place == sandbox->second.end()) return nullptr;
  const auto now = Steady::now();
  auto& list = place->second;
  while (!list.empty()) {
    Idle one = std::move(list.back());
    list.pop_back();
    --state_->count;
    if (now >= one.until || now - one.since > idle_at_most) continue;  // the others are older: they go too
    const bool just_used = repeatable && now - one.since < kJustUsed;
    if (just_used || is_open_and_silent(*one.connection)) return std::move(one.connection);
  }
  return nullptr;
}

void UpstreamPool::give_back(const Upstream& upstream, std::unique_ptr<net::ClientConnection> connection,
                             std::chrono::milliseconds idle_time) {
  if (state_->closed || !connection || !connection->reusable() || state_->count >= kIdleMax) return;
  auto& list = state_->idle[upstream.sandbox_id][upstream.place];
  if (list.size() >= kIdlePerPlaceMax) return;
  const auto now = Steady::now();
  connection->rest();
  list.push_back({std::move(connection), now, now + idle_time});
  ++state_->count;
  if (state_->sweeping) return;
  state_->sweeping = true;
  asio::co_spawn(state_->executor, State::sweep(state_), asio::detached);
}

void UpstreamPool::drop(const std::string& sandbox_id) {
  auto found = state_->idle.find(sandbox_id);
  if (found == state_->idle.end()) return;
  for (auto& [place, list] : found->second) state_->count -= list.size();
  state_->idle.erase(found);
}

std::size_t UpstreamPool::idle_connections() const { return state_->count; }

}  // namespace sebring::proxy
