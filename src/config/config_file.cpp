#include "config/config_file.h"

#include "base/text.h"

namespace sebring::config {

Result<std::vector<FileLine>> parse_file(std::string_view text, const std::string& file) {
  std::vector<FileLine> out;
  int number = 0;
  for (std::string_view raw : split(text, '\n')) {
    ++number;
    std::string_view line = trim(raw);
    if (line.empty() || line.front() == '#') continue;
    std::string place = file + ":" + std::to_string(number);
    std::size_t equals = line.find('=');
    std::string name(trim(line.substr(0, equals)));
    if (equals == std::string_view::npos || name.empty())
      return fail(Errc::invalid_argument, place + ": expected `name = value`, got \"" + to_valid_utf8(line) + "\"");
    for (const FileLine& earlier : out)
      if (earlier.name == name)
        return fail(Errc::invalid_argument,
                    place + ": " + name + " stands already in line " + std::to_string(earlier.line));
    out.push_back({number, std::move(name), std::string(trim(line.substr(equals + 1)))});
  }
  return out;
}

}  // namespace sebring::config
