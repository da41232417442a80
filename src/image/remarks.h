#pragma once
// What an import or archive left out or changed, counted by kind, with the first few names.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sebring::image {

class Remarks {
 public:
  // `what` is a plural: "devices left out".
  void add(std::string_view what, std::string_view path);
  // "3 devices left out (dev/null, dev/zero, dev/tty)"
  std::vector<std::string> lines() const;

 private:
  struct Kind {
    std::uint64_t count = 0;
    std::vector<std::string> paths;
  };
  std::map<std::string, Kind, std::less<>> kinds_;
};

}  // namespace sebring::image
