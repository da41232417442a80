#include "toolbox/pty_backlog.h"

#include <algorithm>

namespace sebring::toolbox {
namespace {

constexpr char kEscape = '\x1b';

// Length of the control sequence at the start of `text` (ESC [ parameters, intermediates, final); 0 when it is none or
// not complete.
std::size_t csi_length(std::string_view text) {
  std::size_t at = 2;
  while (at < text.size() && text[at] >= 0x20 && text[at] < 0x40) ++at;
  return at < text.size() && text[at] >= 0x40 && text[at] < 0x7F ? at + 1 : 0;
}

bool csi_asks(std::string_view sequence) {
  const char last = sequence.back();
  const std::string_view inside = sequence.substr(2, sequence.size() - 3);
  if (last == 'c') return true;                                                          // device attributes
  if (last == 'n') return true;                                                          // status, cursor position
  if (last == 'p') return inside.find('$') != std::string_view::npos;                    // is a mode set
  if (last == 'q') return inside.starts_with('>');                                       // name and version
  if (last == 'u') return inside.starts_with('?');                                       // keyboard protocol
  if (last == 't') return inside.size() == 2 && (inside[0] == '1' || inside[0] == '2');  // sizes, title
  return false;
}

// Length of an OSC or DCS string with its end; 0 when it has none.
std::size_t string_length(std::string_view text) {
  for (std::size_t at = 2; at < text.size(); ++at) {
    if (text[at] == '\x07') return at + 1;
    if (text[at] == kEscape && at + 1 < text.size() && text[at + 1] == '\\') return at + 2;
  }
  return 0;
}

bool string_asks(std::string_view sequence) {
  if (sequence[1] == 'P') return sequence.substr(2).starts_with("$q") || sequence.substr(2).starts_with("+q");
  return sequence.find(";?") != std::string_view::npos;  // a colour
}

// How much at the start of `text`, which begins with ESC, is a question; 0 when nothing.
std::size_t question_length(std::string_view text) {
  if (text.size() < 2) return 0;
  if (text[1] == 'Z') return 2;
  if (text[1] == '[') {
    const std::size_t length = csi_length(text);
    return length > 0 && csi_asks(text.substr(0, length)) ? length : 0;
  }
  if (text[1] == ']' || text[1] == 'P') {
    const std::size_t length = string_length(text);
    return length > 0 && string_asks(text.substr(0, length)) ? length : 0;
  }
  return 0;
}

}  // namespace

std::string without_questions(std::string_view output) {
  std::string kept;
  kept.reserve(output.size());
  std::size_t plain = 0;
  std::size_t at = 0;
  while ((at = output.find(kEscape, at)) != std::string_view::npos) {
    const std::size_t length = question_length(output.substr(at));
    if (length == 0) {
      ++at;
      continue;
    }
    kept += output.substr(plain, at - plain);
    at += length;
    plain = at;
  }
  kept += output.substr(plain);
  return kept;
}

void PtyBacklog::add(std::string_view bytes) {
  bytes_ += bytes;
  if (bytes_.size() < 2 * kBytesMax) return;
  bytes_.erase(0, bytes_.size() - kBytesMax);
  cut_ = true;
}

std::string PtyBacklog::replay() const {
  std::string_view view = bytes_;
  bool cut = cut_;
  if (view.size() > kBytesMax) {
    view.remove_prefix(view.size() - kBytesMax);
    cut = true;
  }
  if (cut) {
    const std::size_t line = view.find('\n');
    if (line != std::string_view::npos) view.remove_prefix(line + 1);
  }
  return without_questions(view);
}

}  // namespace sebring::toolbox
