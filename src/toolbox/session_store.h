#pragma once
// All sessions of the sandbox by their ids.
#include <map>
#include <set>

#include "toolbox/session.h"

namespace sebring::toolbox {

inline constexpr std::size_t kSessionsMax = 1000;
inline constexpr std::size_t kSessionIdBytesMax = 256;

class SessionStore {
 public:
  explicit SessionStore(Context& context);
  // Starts the image's entrypoint when there is one. "sleep infinity", by which images say that nothing is to run,
  // would cost memory for nothing: it waits until somebody asks for its session.
  void start_entrypoint();

  // Errc::conflict for an id that is taken, Errc::invalid_argument for one that can not be.
  asio::awaitable<Result<void>> create(std::string id, std::string cwd);
  // Removed at once for everyone else; returns when its processes have ended.
  asio::awaitable<Result<void>> remove(std::string id);
  Result<std::shared_ptr<ShellSession>> find_shell(const std::string& id) const;
  // The entrypoint's too.
  Result<std::shared_ptr<Session>> find(const std::string& id);
  // Without the entrypoint's.
  const std::map<std::string, std::shared_ptr<ShellSession>>& all() const { return sessions_; }

 private:
  Context& context_;
  std::shared_ptr<LogDisk> disk_;
  std::map<std::string, std::shared_ptr<ShellSession>> sessions_;
  std::set<std::string> starting_;
  std::shared_ptr<EntrypointSession> entrypoint_;
};

}  // namespace sebring::toolbox
