#pragma once
// Cross-origin rules of what the proxy answers: any page may ask, none gets an answer to a request that its visitor's
// cookies authorised. A reflected origin is never combined with credentials.
#include "net/http.h"

namespace sebring::proxy {

bool is_preflight(const net::RequestHead& request);
net::Response preflight_answer(const net::RequestHead& request);
// Adds what a page needs to read the answer; nothing when the request has no Origin or the answer has rules already.
void add_cors(const net::RequestHead& request, net::Headers& answer);

}  // namespace sebring::proxy
