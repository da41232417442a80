#pragma once
// What clients are told when nobody configured it.
#include <string>
#include <string_view>

#include "config/settings.h"

namespace sebring {

// "http://localhost:3000" for a loopback address, the machine's name for all addresses, else the address itself.
std::string default_url(std::string_view scheme, const config::HostPort& where);
// preview.localhost, with the port of `public_url` where it has one.
std::string default_preview_domain(std::string_view public_url);
// How programs on this machine reach what listens there: a loopback address when it listens on all.
config::HostPort local_address(config::HostPort where);
// "[::1]:80", "127.0.0.1:80"
std::string host_and_port(const config::HostPort& where);
// The host of a URL, without brackets and port.
std::string host_of(std::string_view url);

}  // namespace sebring
