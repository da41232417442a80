#include "toolbox/ports.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "base/text.h"
#include "base/unique_fd.h"

namespace sebring::toolbox {
namespace {

// A table of more connections than this is read no further; those that listen stand in front.
constexpr std::size_t kTableBytesMax = 8 << 20;

std::string read_table(const char* path) {
  UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  std::string text;
  char buffer[16 * 1024];
  while (file && text.size() < kTableBytesMax) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace

void add_listening_ports(std::string_view table, std::vector<std::uint16_t>& ports) {
  for (std::string_view line : split(table, '\n')) {
    // "  0: 0100007F:1F90 00000000:0000 0A ...": number, local address, remote address, state.
    std::string_view fields[4];
    std::size_t count = 0;
    while (count < 4) {
      line = line.substr(std::min(line.find_first_not_of(' '), line.size()));
      if (line.empty()) break;
      const std::size_t end = std::min(line.find(' '), line.size());
      fields[count++] = line.substr(0, end);
      line.remove_prefix(end);
    }
    if (count < 4 || fields[3] != "0A") continue;
    const std::size_t colon = fields[1].rfind(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view digits = fields[1].substr(colon + 1);
    std::uint16_t port = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port, 16);
    if (error == std::errc() && end == digits.data() + digits.size() && port != 0) ports.push_back(port);
  }
}

std::vector<std::uint16_t> listening_ports() {
  std::vector<std::uint16_t> ports;
  add_listening_ports(read_table("/proc/net/tcp"), ports);
  add_listening_ports(read_table("/proc/net/tcp6"), ports);
  std::sort(ports.begin(), ports.end());
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  return ports;
}

}  // namespace sebring::toolbox
