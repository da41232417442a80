#pragma once
// Writes a file so that at its name there is either what was there before or all of the new content. What can not be
// replaced (something is mounted there) is overwritten once all of the new content has come.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::toolbox::files {

class FileWriter {
 public:
  // `path` absolute. Links are followed; missing directories above are made when `make_parents`. Mode and owner of a
  // file that is there are kept; a new one gets 0644. Errors for directories, devices, pipes and whatever may not be
  // written.
  static Result<FileWriter> open(const std::string& path, bool make_parents);
  FileWriter(FileWriter&&) = default;
  FileWriter& operator=(FileWriter&&) = default;
  // Without commit() nothing has changed.
  ~FileWriter();

  Result<void> write(std::string_view piece);
  Result<void> commit();
  // After commit(): what was there before. Dropping a large file's pages takes a while, which no answer need wait for.
  UniqueFd take_replaced() { return std::move(replaced_); }
  std::uint64_t bytes() const { return bytes_; }
  // No file can be made beside the target (a directory of another user's), so that it is overwritten itself, from the
  // first write() or the commit() on.
  bool in_place() const { return in_place_; }

 private:
  FileWriter() = default;
  Result<void> open_beside(unsigned mode);
  Result<UniqueFd> open_target() const;
  Result<void> give_name(const std::string& name);
  Result<void> copy_over();

  std::string target_;     // after links
  std::string temporary_;  // name beside the target; empty: the file has none yet, or it is the target itself
  UniqueFd file_;
  UniqueFd replaced_;
  bool in_place_ = false;
  bool replaces_ = false;
  std::uint64_t bytes_ = 0;
};

}  // namespace sebring::toolbox::files
