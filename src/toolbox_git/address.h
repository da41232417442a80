#pragma once
// How far an address lies from the public internet. A redirect may only lead outwards.
#include <sys/socket.h>

namespace sebring::toolbox_git {

// In order: a server that was reached at one reach may send us to the same or to a later one.
enum class Reach { here, link, site, world };

// 127/8, ::1 and the unspecified address are `here`; link-local (with the metadata services of clouds) is `link`; RFC
// 1918, RFC 6598, unique local and the other special blocks are `site`. Addresses that embed IPv4 count as that
// address. Families other than IPv4 and IPv6 are `here`.
Reach reach_of(const sockaddr& address);

}  // namespace sebring::toolbox_git
