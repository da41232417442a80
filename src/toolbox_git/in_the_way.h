#pragma once
// What stands in the working tree where git wants to write: files that it does not know, which must not be lost, and
// symbolic links. A forced checkout of libgit2 writes and removes files through links, wherever they lead; git takes
// the link away.
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "toolbox_git/handles.h"

namespace sebring::toolbox_git {

enum class InTheWay { link, any_file };

// The first directory of `path` in whose place the working tree has a symbolic link, or anything else that is none;
// empty when there is nothing of the kind.
std::string in_the_way(git_repository* repository, const std::string& path, InTheWay kind);

// What would be lost if `paths` were written: files there that git does not know, or in the place of one of their
// directories. Not those that are ignored.
Result<std::vector<std::string>> untracked_in_the_way(git_repository* repository, const std::set<std::string>& paths);

class LeadingLinks {
 public:
  // Removes the links in the place of directories of HEAD, the index and `target`, and links, pipes and devices in the
  // place of plain files of `target` (null: of the index). With `paths`, as in the index, only those that are passed on
  // the way to one of them or lie below.
  static Result<LeadingLinks> take_away(git_repository* repository, const git_object* target,
                                        const std::vector<std::string>& paths);

  // Those of directories in whose place nothing was written come back: they were the user's, not git's.
  void put_back() const;

 private:
  struct Link {
    std::string path;
    std::string destination;
  };
  std::vector<Link> untracked_;
};

}  // namespace sebring::toolbox_git
