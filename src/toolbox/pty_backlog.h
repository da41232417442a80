#pragma once
// What a terminal has shown, for clients that come later.
#include <string>
#include <string_view>

namespace sebring::toolbox {

// The latest output, bounded.
class PtyBacklog {
 public:
  static constexpr std::size_t kBytesMax = 128 * 1024;  // some thousand lines, or many full screens

  void add(std::string_view bytes);
  // From the begin, or from the begin of a line when more than kBytesMax were shown. Questions to the terminal (where
  // is the cursor, what are you) are left out: the asker has had its answer, and another would be input for the shell.
  std::string replay() const;

 private:
  std::string bytes_;
  bool cut_ = false;
};

std::string without_questions(std::string_view output);

}  // namespace sebring::toolbox
