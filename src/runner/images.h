#pragma once
// The layers of the pool, as control asks for them.
#include <boost/asio/awaitable.hpp>
#include <boost/json/fwd.hpp>
#include <map>
#include <memory>
#include <string>

#include "runner/sandboxes.h"

namespace sebring::runner {

class Images {
 public:
  Images(asio::any_io_executor executor, runtime::Host& host, runtime::SlotPool& slots, Workers& importers,
         Sandboxes& sandboxes, std::string directory);
  asio::awaitable<Result<boost::json::object>> list();
  // Imports a file of the import directory as layer `digest`; one that is there already is left as it is.
  // Errc::exhausted when the pool has no room for it.
  asio::awaitable<Result<boost::json::object>> import(std::string digest, ImportOrder order);
  // Errc::conflict while a sandbox lies on it.
  asio::awaitable<Result<void>> remove(std::string digest);

 private:
  asio::any_io_executor executor_;
  runtime::Host& host_;
  runtime::SlotPool& slots_;
  Workers& importers_;
  Sandboxes& sandboxes_;
  std::string directory_;
  std::map<std::string, std::shared_ptr<Gate>> gates_;  // one import of a digest at a time
};

}  // namespace sebring::runner
