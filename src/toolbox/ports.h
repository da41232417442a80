#pragma once
// Listening TCP ports of this network namespace.
#include <cstdint>
#include <string_view>
#include <vector>

namespace sebring::toolbox {

// From the text of /proc/net/tcp or tcp6. Lines that make no sense are skipped.
void add_listening_ports(std::string_view table, std::vector<std::uint16_t>& ports);
// Of IPv4 and IPv6, in order, each once.
std::vector<std::uint16_t> listening_ports();

}  // namespace sebring::toolbox
