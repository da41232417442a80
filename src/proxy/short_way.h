#pragma once
// Previews past the general way: GET of a public sandbox, or with an API key or preview token in its head, on a
// connection that waits for it, and an answer that comes in one piece. What is written is, byte for byte, what the
// general way writes; anything that has a rule of its own there goes there.
#include "net/short_way.h"
#include "proxy/preview_proxy.h"

namespace sebring::proxy {

// For the connections of one listener, of that `scheme`; all three outlive them.
net::MakeShortWay make_short_way(Shared& shared, const PreviewOptions& options, std::string scheme);

}  // namespace sebring::proxy
