#pragma once
// The person's terminal while a remote one is shown in it.
#include <termios.h>

#include "base/result.h"

namespace sebring::cli {

struct TerminalSize {
  int columns = 80;
  int rows = 24;
  bool operator==(const TerminalSize&) const = default;
};
// Of standard output; the defaults when that is no terminal. Bounded to what the API takes (1..1000).
TerminalSize terminal_size();

// Every key goes through as it is, Ctrl-C too. The destructor puts everything back.
class RawTerminal {
 public:
  // Errc::invalid_argument when standard input is no terminal.
  static Result<RawTerminal> enter();
  RawTerminal(RawTerminal&& other) noexcept;
  RawTerminal& operator=(RawTerminal&&) = delete;
  ~RawTerminal();

 private:
  explicit RawTerminal(termios before) : before_(before), active_(true) {}
  termios before_;
  bool active_ = false;
};

}  // namespace sebring::cli
