#include "toolbox/pty_device.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

namespace sebring::toolbox {

Result<PtyDevice> open_pty(int devpts, PtySize size, uid_t uid) {
  constexpr int kFlags = O_RDWR | O_NOCTTY | O_CLOEXEC;
  PtyDevice device;
  // By descriptor: no path of the image is used.
  device.controller.reset(devpts >= 0 ? ::openat(devpts, "ptmx", kFlags | O_NONBLOCK)
                                      : ::open("/dev/ptmx", kFlags | O_NONBLOCK));
  if (!device.controller) return fail_errno(errno, "open a pseudo-terminal");
  int unlocked = 0;
  if (::ioctl(device.controller.get(), TIOCSPTLCK, &unlocked) != 0)
    return fail_errno(errno, "unlock a pseudo-terminal");
  SB_CHECK(resize_pty(device.controller.get(), size));
  device.terminal.reset(::ioctl(device.controller.get(), TIOCGPTPEER, kFlags));
  if (!device.terminal) return fail_errno(errno, "open a terminal");
  if (::geteuid() == 0) {
    if (::fchown(device.terminal.get(), uid, static_cast<gid_t>(-1)) != 0 ||
        ::fchmod(device.terminal.get(), 0620) != 0) {
      return fail_errno(errno, "give the terminal to the user");
    }
  }
  termios settings{};
  if (::tcgetattr(device.terminal.get(), &settings) == 0) {
    settings.c_iflag |= IUTF8;
    ::tcsetattr(device.terminal.get(), TCSANOW, &settings);
  }
  return device;
}

Result<void> resize_pty(int controller, PtySize size) {
  winsize wanted{.ws_row = size.rows, .ws_col = size.cols, .ws_xpixel = 0, .ws_ypixel = 0};
  if (::ioctl(controller, TIOCSWINSZ, &wanted) != 0) return fail_errno(errno, "resize the terminal");
  return {};
}

}  // namespace sebring::toolbox
