#pragma once
// Inside of Sandboxes: one sandbox's state. Not for others.
#include <boost/asio/posix/stream_descriptor.hpp>

#include "os/pidfd.h"
#include "runner/sandboxes.h"

namespace sebring::runner {

// One run of a container, from the moment it is known until its PID 1 has been reaped.
struct Sandboxes::Life {
  Life(asio::any_io_executor executor, int pidfd) : process(executor, pidfd), changed(executor) {}
  asio::posix::stream_descriptor process;  // a duplicate of the pidfd
  Signal changed;
  bool ended = false;
  bool asked = false;               // whether its daemon answers; see look_after_daemons()
  bool hung = false;                // and it did not
  std::optional<os::Ended> status;  // of a child of ours; adopted ones are reaped elsewhere
};

struct Sandboxes::Sandbox {
  explicit Sandbox(asio::any_io_executor executor) : gate(std::make_shared<Gate>(executor)) {}
  Record record;
  std::optional<runtime::Container> container;
  std::shared_ptr<Life> life;
  std::shared_ptr<Gate> gate;
  UniqueFd give_up;       // an event for whoever archives or restores its disk; made with the first of them
  bool unwanted = false;  // is being removed
  bool end_expected = false;
  bool removed = false;
};

// A pool without room, in words that say what to do; every other error as it is.
Error about_room(Error error);

}  // namespace sebring::runner
