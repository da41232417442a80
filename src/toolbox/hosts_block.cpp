#include "toolbox/hosts_block.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>

#include "json/json.h"
#include "os/file.h"
#include "toolbox/answer.h"
#include "toolbox/body.h"

namespace sebring::toolbox {
namespace {

constexpr const char* kPath = "/hosts";  // of no API
constexpr std::string_view kBegin = "# linked sandboxes: written by sebring, until the end mark\n";
constexpr std::string_view kEnd = "# end of linked sandboxes\n";
constexpr std::size_t kFileBytesMax = 4 << 20;
constexpr std::size_t kNeighboursMax = 1024, kNamesMax = 8, kNameBytesMax = 253;

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax || name == "localhost") return false;
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  });
}

bool is_address(const std::string& text) {
  in_addr space{};
  return ::inet_pton(AF_INET, text.c_str(), &space) == 1;
}

}  // namespace

std::string with_neighbours(std::string_view hosts, const std::vector<Neighbour>& neighbours) {
  std::string text(hosts);
  for (std::size_t begin; (begin = text.find(kBegin)) != std::string::npos;) {
    // Without its end mark, which somebody took away, only the mark itself is known to be ours.
    const std::size_t end = text.find(kEnd, begin);
    text.erase(begin, end == std::string::npos ? kBegin.size() : end + kEnd.size() - begin);
  }
  if (neighbours.empty()) return text;
  if (!text.empty() && text.back() != '\n') text += '\n';
  text += kBegin;
  for (const Neighbour& neighbour : neighbours) {
    text += neighbour.address;
    for (const std::string& name : neighbour.names) text += (&name == &neighbour.names.front() ? '\t' : ' ') + name;
    text += '\n';
  }
  return text += kEnd;
}

Result<void> write_neighbours(const std::string& path, const std::vector<Neighbour>& neighbours) {
  const int create = neighbours.empty() ? 0 : O_CREAT;
  UniqueFd file(::open(path.c_str(), O_RDWR | create | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644));
  if (!file && errno == ENOENT) return {};
  if (!file) return fail_errno(errno, "open " + path);
  struct stat status{};
  if (::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1) return {};
  if (static_cast<std::size_t>(status.st_size) > kFileBytesMax) return {};
  SB_TRY(const std::string before, os::read_all(file.get(), kFileBytesMax));
  const std::string after = with_neighbours(before, neighbours);
  if (after == before) return {};
  // From the first difference on: who reads meanwhile finds the user's own lines whole.
  const auto same = std::mismatch(before.begin(), before.end(), after.begin(), after.end()).second - after.begin();
  const std::string_view rest = std::string_view(after).substr(static_cast<std::size_t>(same));
  if (::pwrite(file.get(), rest.data(), rest.size(), same) != static_cast<ssize_t>(rest.size()))
    return fail_errno(errno, "write " + path);
  if (::ftruncate(file.get(), static_cast<off_t>(after.size())) < 0) return fail_errno(errno, "cut " + path);
  return {};
}

Result<std::vector<Neighbour>> parse_neighbours(std::string_view text) {
  SB_TRY(const auto object, json::parse_object(text));
  json::ObjectReader reader(object);
  std::vector<Neighbour> neighbours;
  const auto* array = reader.array("hosts");
  if (array == nullptr) return fail(Errc::invalid_argument, "hosts must be an array");
  if (array->size() > kNeighboursMax) reader.error("hosts has too many entries");
  for (const auto& entry : *array) {
    if (!entry.is_object()) return fail(Errc::invalid_argument, "hosts must hold objects");
    json::ObjectReader fields(entry.get_object());
    Neighbour neighbour{fields.required_text("address"), fields.texts("names").value_or(std::vector<std::string>{})};
    SB_CHECK(fields.finish());
    const bool named = !neighbour.names.empty() && neighbour.names.size() <= kNamesMax &&
                       std::all_of(neighbour.names.begin(), neighbour.names.end(), is_name);
    if (!is_address(neighbour.address) || !named) reader.error("hosts must hold an IPv4 address and host names each");
    neighbours.push_back(std::move(neighbour));
  }
  SB_CHECK(reader.finish());
  return neighbours;
}

void add_hosts_routes(net::Router& router) {
  router.add("PUT", kPath,
             simple([](const net::RequestHead& request, const net::PathParameters&,
                       std::string body) -> net::asio::awaitable<Result<net::Response>> {
               if (!request.headers.find(kInternalHeader)) co_return fail(Errc::not_found, "no such endpoint: /hosts");
               SB_CO_TRY(auto neighbours, parse_neighbours(body));
               SB_CO_CHECK(write_neighbours("/etc/hosts", neighbours));
               co_return net::Response::json(200, "{}");
             }));
}

}  // namespace sebring::toolbox
