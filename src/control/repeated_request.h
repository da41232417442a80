#pragma once
// A request with an Idempotency-Key makes one sandbox however often it is sent: after a cut connection the client asks
// again with the same key and gets the sandbox of the first time. A key is remembered as long as its sandbox's row, a
// day past its end.
#include <optional>
#include <string>

#include "control/control.h"

namespace sebring::control {

// What the client said; empty: nothing.
struct RequestKey {
  std::string key;
  std::string request_hash;
};

// Being the one request with this key that is at work. Outlived by control.
struct RepeatedRequest {
  Lines::Place place;
  std::optional<model::Sandbox> made;                    // by an earlier one: to be answered, not made again
  std::optional<store::SandboxStore::RequestMark> mark;  // to be written with the new row
};

// Waits for another request with this key. Errc::unprocessable when that one asked for something else,
// Errc::invalid_argument for a key that is none.
asio::awaitable<Result<RepeatedRequest>> begin_request(Control& control, std::string organization_id, RequestKey key);

}  // namespace sebring::control
