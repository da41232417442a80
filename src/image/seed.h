#pragma once
// btrfs counts inode numbers per subvolume from 257, and overlayfs shows those of all layers of one file system
// unchanged: a file of an image layer and one of an upper would have the same (st_dev, st_ino), and cp, tar, ld.so
// take two files for one. The counter goes on behind the highest number in the tree, in snapshots too; so every upper
// is a snapshot of a seed that keeps one file with a number above all of the layers'.
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::image {

// Thread that raises the seed in the background: one number costs about 15 us. It works one part in five of the time,
// or sandboxes would feel it for the first minute of a new pool, unless its numbers are needed now.
class Seeds {
 public:
  // `raised` is called from the thread, with the number of a seed that is ready.
  Seeds(int pool_root, std::function<void(std::uint64_t)> raised);
  ~Seeds();

  // Highest seed that is ready; makes a small one at once when there is none.
  Result<std::uint64_t> best();
  // Asks for a seed above `number`; without pauses up to `needed`.
  void want(std::uint64_t number, std::uint64_t needed = 0);
  static std::string path(std::uint64_t number) { return "seeds/" + std::to_string(number); }

 private:
  void run();
  Result<void> build(std::uint64_t number, bool background);
  Result<void> raise(int build, std::uint64_t number, bool background);
  // false: the end has come.
  bool rest();
  bool wait_for_lock(int seeds, bool background);

  int root_;
  std::function<void(std::uint64_t)> raised_;
  std::mutex building_;  // one builder
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t wanted_ = 0;
  std::uint64_t needed_ = 0;
  std::uint64_t ready_ = 0;
  bool stopping_ = false;
  std::optional<std::thread> thread_;
};

}  // namespace sebring::image
