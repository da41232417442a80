#pragma once
// Columns for people: two spaces apart, as wide as the widest cell, no trailing spaces. Widths count code points.
#include <string>
#include <vector>

namespace sebring::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  // As many cells as the header has. Control characters in cells come out as '?': names are written by strangers.
  void add(std::vector<std::string> cells);
  std::string render() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "key:  value" lines, values aligned.
std::string render_fields(const std::vector<std::pair<std::string, std::string>>& fields);

// What a terminal may show of foreign text: control characters (C0, DEL, C1) become '?', bad UTF-8 U+FFFD.
std::string printable(std::string_view text);

}  // namespace sebring::cli
