#include "network_choice.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "base/text.h"

namespace sebring {
namespace {

constexpr unsigned kNetworks = 64;
constexpr const char* kClaims = "/run/sebring/networks";

std::string network_of(unsigned number) { return "100." + std::to_string(64 + number) + ".0.0/16"; }

// FNV-1a: the same instance begins its search at the same place on every machine.
unsigned first_choice(std::string_view instance) {
  std::uint32_t hash = 2166136261U;
  for (unsigned char c : instance) hash = (hash ^ c) * 16777619U;
  return hash % kNetworks;
}

std::optional<unsigned> remembered(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  char bytes[16];
  ssize_t got = fd ? ::read(fd.get(), bytes, sizeof bytes) : -1;
  auto number = got > 0 ? parse_integer(trim({bytes, static_cast<std::size_t>(got)})) : std::nullopt;
  if (!number || *number < 0 || *number >= kNetworks) return std::nullopt;
  return static_cast<unsigned>(*number);
}

Result<UniqueFd> try_claim(unsigned number) {
  const std::string path = std::string(kClaims) + "/" + std::to_string(number);
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(errno, "open " + path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return UniqueFd();
  return fd;
}

}  // namespace

Result<NetworkChoice> choose_network(const std::string& run_dir, std::string_view instance) {
  const std::string memory = run_dir + "/network";
  if ((::mkdir("/run/sebring", 0755) != 0 && errno != EEXIST) || (::mkdir(kClaims, 0700) != 0 && errno != EEXIST))
    return fail_errno(errno, std::string("make ") + kClaims);
  const unsigned first = remembered(memory).value_or(first_choice(instance));
  for (unsigned i = 0; i < kNetworks; ++i) {
    const unsigned number = (first + i) % kNetworks;
    SB_TRY(UniqueFd claim, try_claim(number));
    if (!claim) continue;
    UniqueFd fd(::open(memory.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    const std::string line = std::to_string(number) + "\n";
    if (!fd || ::write(fd.get(), line.data(), line.size()) < 0) return fail_errno(errno, "write " + memory);
    return NetworkChoice{network_of(number), std::move(claim)};
  }
  return fail(Errc::exhausted, "all " + std::to_string(kNetworks) +
                                   " default networks are used by other servers on this machine: --sandbox-network");
}

}  // namespace sebring
