#pragma once
// Mounts that every sandbox gets a copy of: /dev and the skeleton. Attached in the runner's private mount namespace,
// since older kernels copy attached mounts only.
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::runtime {

class Templates {
 public:
  // `place`: an empty directory; a small tmpfs is mounted on it. The calling process must have its own mount namespace.
  static Result<Templates> make(const std::string& place);

  // Detached copies for one sandbox.
  Result<UniqueFd> copy_dev() const;
  Result<UniqueFd> copy_skeleton() const;

  // Directories below `place` for others to mount on.
  std::string root_place() const {
    return place_ + "/root";
  }  // where a slot attaches its skeleton (in its own namespace)
  std::string pool_place() const { return place_ + "/pool"; }
  std::string views_place() const { return place_ + "/views"; }  // id-mapped views, on kernels that want them attached

 private:
  explicit Templates(std::string place) : place_(std::move(place)) {}
  std::string place_;
  UniqueFd area_;
};

}  // namespace sebring::runtime
