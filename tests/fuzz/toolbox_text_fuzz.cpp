// links: toolbox
// The small parsers of the toolbox; the first byte says which one.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "toolbox/answer.h"
#include "toolbox/code_run.h"
#include "toolbox/configuration.h"
#include "toolbox/error_body.h"
#include "toolbox/files/channel.h"
#include "toolbox/files/glob.h"
#include "toolbox/files/ranges.h"
#include "toolbox/identity.h"
#include "toolbox/memory_watch.h"
#include "toolbox/ports.h"
#include "toolbox/process_tree.h"
#include "toolbox/shell.h"

namespace {

using namespace sebring::toolbox;

void check(bool holds) {
  if (!holds) std::abort();
}

void accounts(std::string_view input) {
  const std::size_t half = input.size() / 2;
  const AccountFiles files{std::string(input.substr(0, half)), std::string(input.substr(half))};
  for (const char* user : {"", "root", "a", "1000", "a:b"}) {
    if (auto identity = find_identity(user, files)) {
      check(identity->home.starts_with('/') && identity->shell.starts_with('/') && !identity->groups.empty());
    }
  }
  (void)choose_shells(input, input);
}

void ranges(std::string_view input) {
  constexpr std::uint64_t kSize = 1000;
  const auto answer = files::parse_range(input, kSize);
  if (answer.range) check(answer.range->length > 0 && answer.range->first + answer.range->length <= kSize);
}

void globs(std::string_view input) {
  const std::size_t half = input.size() / 2;
  const std::string_view pattern = input.substr(0, half);
  if (files::is_good_pattern(pattern)) (void)files::matches_pattern(pattern, input.substr(half));
}

void messages(std::string_view input) {
  if (auto head = files::unpack_head(input)) check(files::pack(*head) == input);
  (void)files::unpack_request(input);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0:
      accounts(input);
      break;
    case 1:
      ranges(input);
      break;
    case 2:
      globs(input);
      break;
    case 3:
      messages(input);
      break;
    case 4: {
      std::string output(input);
      (void)take_charts(output);
      check(output.size() <= input.size());
      (void)uses_matplotlib(input);
      break;
    }
    case 5: {
      std::vector<std::uint16_t> ports;
      add_listening_ports(input, ports);
      (void)parse_stat(input);
      (void)cgroup_number(input, "oom_kill");
      break;
    }
    case 6:
      (void)parse_configuration(input);
      (void)parse_sdk_version(input);
      break;
    default: {
      std::string quoted;
      append_json_string(quoted, input);
      check(quoted.size() >= 2);
      break;
    }
  }
  return 0;
}
