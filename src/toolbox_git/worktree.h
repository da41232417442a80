#pragma once
// Writing files of the working tree.
#include <string>
#include <vector>

#include "base/result.h"
#include "toolbox_git/handles.h"
#include "toolbox_git/output.h"

namespace sebring::toolbox_git {

struct CheckoutWish {
  unsigned strategy = GIT_CHECKOUT_SAFE;
  std::vector<std::string> paths = {};  // as in the index, directories with all below; empty: everything
  bool fresh = false;                   // the working tree is empty
};

// Null `target`: what the index has. GIT_DIRTY_WORKTREE naming the files when local changes would be lost. A forced one
// removes no files.
Result<void> checkout(git_repository* repository, const git_object* target, const CheckoutWish& wish, Output& output,
                      std::string_view doing);

// Where HEAD goes, once its files are there.
Result<void> switch_to_branch(git_repository* repository, const std::string& branch, Output& output);
Result<void> switch_to_commit(git_repository* repository, const git_commit* commit, Output& output);

// "a, b, c and 17 more"
std::string list_some(const std::vector<std::string>& names);

// Borrowed strings in the form that libgit2 takes.
class StringArray {
 public:
  explicit StringArray(const std::vector<std::string>& texts);
  StringArray(const StringArray&) = delete;
  StringArray& operator=(const StringArray&) = delete;
  const git_strarray& get() const { return array_; }

 private:
  std::vector<char*> pointers_;
  git_strarray array_{};
};

}  // namespace sebring::toolbox_git
