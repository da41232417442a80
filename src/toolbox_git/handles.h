#pragma once
// Owning pointers to libgit2's objects. `out(handle)` is what a libgit2 function that makes one gets.
#include <git2.h>

#include <memory>
#include <string_view>

namespace sebring::toolbox_git {

template <auto Free>
struct Freeing {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using Repository = std::unique_ptr<git_repository, Freeing<git_repository_free>>;
using Remote = std::unique_ptr<git_remote, Freeing<git_remote_free>>;
using Reference = std::unique_ptr<git_reference, Freeing<git_reference_free>>;
using Object = std::unique_ptr<git_object, Freeing<git_object_free>>;
using CommitHandle = std::unique_ptr<git_commit, Freeing<git_commit_free>>;
using Tree = std::unique_ptr<git_tree, Freeing<git_tree_free>>;
using TreeEntry = std::unique_ptr<git_tree_entry, Freeing<git_tree_entry_free>>;
using Index = std::unique_ptr<git_index, Freeing<git_index_free>>;
using Signature = std::unique_ptr<git_signature, Freeing<git_signature_free>>;
using StatusList = std::unique_ptr<git_status_list, Freeing<git_status_list_free>>;
using Diff = std::unique_ptr<git_diff, Freeing<git_diff_free>>;
using Revwalk = std::unique_ptr<git_revwalk, Freeing<git_revwalk_free>>;
using BranchIterator = std::unique_ptr<git_branch_iterator, Freeing<git_branch_iterator_free>>;
using Annotated = std::unique_ptr<git_annotated_commit, Freeing<git_annotated_commit_free>>;
using Config = std::unique_ptr<git_config, Freeing<git_config_free>>;
using ConfigIterator = std::unique_ptr<git_config_iterator, Freeing<git_config_iterator_free>>;
using Submodule = std::unique_ptr<git_submodule, Freeing<git_submodule_free>>;
using ConflictIterator = std::unique_ptr<git_index_conflict_iterator, Freeing<git_index_conflict_iterator_free>>;

template <class Handle>
class Out {
 public:
  explicit Out(Handle& handle) : handle_(handle) {}
  Out(const Out&) = delete;
  Out& operator=(const Out&) = delete;
  ~Out() { handle_.reset(made_); }
  operator typename Handle::pointer *() { return &made_; }  // NOLINT: implicit is the point

 private:
  Handle& handle_;
  typename Handle::pointer made_ = nullptr;
};
template <class Handle>
Out<Handle> out(Handle& handle) {
  return Out<Handle>(handle);
}

// Text that libgit2 allocates.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { git_buf_dispose(&buffer_); }
  git_buf* get() { return &buffer_; }
  std::string_view text() const { return {buffer_.ptr ? buffer_.ptr : "", buffer_.size}; }

 private:
  git_buf buffer_ = GIT_BUF_INIT;
};

}  // namespace sebring::toolbox_git
