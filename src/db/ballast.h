#pragma once
// Space kept in reserve beside the database. When the disk is full it is given up, so that stops and deletes can still
// be written; it is taken again when there is room.
#include <cstdint>
#include <string>

#include "base/result.h"

namespace sebring::db {

class Ballast {
 public:
  Ballast(std::string path, std::int64_t bytes) : path_(std::move(path)), bytes_(bytes) {}
  // Allocates the file where it is not there in full. Errc::unavailable on a full disk.
  Result<void> take();
  // True when there was something to give up.
  bool give_up();

 private:
  std::string path_;
  std::int64_t bytes_;
};

}  // namespace sebring::db
