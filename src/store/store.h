#pragma once
// The database and its nouns. One per process, used on the event loop's thread.
#include <memory>
#include <string>

#include "db/writer.h"
#include "store/access_token_store.h"
#include "store/api_key_store.h"
#include "store/login_store.h"
#include "store/organization_store.h"
#include "store/sandbox_store.h"
#include "store/settings_store.h"
#include "store/snapshot_store.h"

namespace sebring::store {

class Store {
 public:
  // Opens or creates `path` and brings its schema up to date. Blocks; call before serving.
  static Result<std::unique_ptr<Store>> open(const std::string& path, asio::any_io_executor executor);

  // The disk is full: nothing new, only stops and deletes.
  bool short_of_space() const { return writer_->short_of_space(); }

  SandboxStore sandboxes;
  SnapshotStore snapshots;
  ApiKeyStore api_keys;
  OrganizationStore organizations;
  SettingsStore settings;
  AccessTokenStore access_tokens;
  LoginStore logins;

 private:
  Store(std::unique_ptr<db::Connection> reader, std::unique_ptr<db::Writer> writer, std::unique_ptr<db::Aside> aside);
  std::unique_ptr<db::Connection> reader_;
  std::unique_ptr<db::Writer> writer_;
  std::unique_ptr<db::Aside> aside_;
};

}  // namespace sebring::store
