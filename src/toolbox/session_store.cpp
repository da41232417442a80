#include "toolbox/session_store.h"

#include <algorithm>

namespace sebring::toolbox {
namespace {

Result<void> check_id(const std::string& id) {
  if (id.empty()) return fail(Errc::invalid_argument, "sessionId is required");
  if (id.size() > kSessionIdBytesMax) return fail(Errc::invalid_argument, "sessionId is too long");
  const bool control = std::any_of(id.begin(), id.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  });
  if (control) return fail(Errc::invalid_argument, "sessionId has control characters");
  if (id == EntrypointSession::kId) return fail(Errc::invalid_argument, "sessionId 'entrypoint' is reserved");
  return {};
}

}  // namespace

SessionStore::SessionStore(Context& context)
    : context_(context), disk_(std::make_shared<LogDisk>(context.log_dir, context.user.uid, context.user.gid)) {
  disk_->remove_leftovers();
}

void SessionStore::start_entrypoint() {
  if (context_.entrypoint.empty()) return;
  entrypoint_ = std::make_shared<EntrypointSession>(context_, disk_);
  const bool idles = context_.entrypoint == std::vector<std::string>{"sleep", "infinity"};
  if (!idles) entrypoint_->start();
}

asio::awaitable<Result<void>> SessionStore::create(std::string id, std::string cwd) {
  SB_CO_CHECK(check_id(id));
  if (sessions_.contains(id) || starting_.contains(id)) co_return fail(Errc::conflict, "session already exists");
  if (sessions_.size() + starting_.size() >= kSessionsMax) co_return fail(Errc::exhausted, "too many sessions");
  starting_.insert(id);
  auto session = co_await ShellSession::start(context_, disk_, id, std::move(cwd));
  starting_.erase(id);
  if (!session) co_return fail(std::move(session.error()));
  sessions_[id] = *std::move(session);
  co_return Result<void>{};
}

asio::awaitable<Result<void>> SessionStore::remove(std::string id) {
  if (id == EntrypointSession::kId) co_return fail(Errc::invalid_argument, "the entrypoint session can not be deleted");
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) co_return fail(Errc::not_found, "session not found");
  auto session = std::move(found->second);
  sessions_.erase(found);
  co_await session->end();
  co_return Result<void>{};
}

Result<std::shared_ptr<ShellSession>> SessionStore::find_shell(const std::string& id) const {
  if (id == EntrypointSession::kId) return fail(Errc::invalid_argument, "sessionId 'entrypoint' is reserved");
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return fail(Errc::not_found, "session not found");
  return found->second;
}

Result<std::shared_ptr<Session>> SessionStore::find(const std::string& id) {
  if (id == EntrypointSession::kId && entrypoint_) {
    entrypoint_->start();
    return entrypoint_;
  }
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return fail(Errc::not_found, "session not found");
  return found->second;
}

}  // namespace sebring::toolbox
