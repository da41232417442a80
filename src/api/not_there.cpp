#include "api/not_there.h"

namespace sebring::api {

std::string not_there(std::string_view what, std::string_view instead) {
  std::string message = std::string(what) + " is not available in this version of sebring";
  if (!instead.empty()) message.append(": ").append(instead);
  return message;
}

std::string_view instead_of(std::string_view pattern) {
  struct Row {
    std::string_view prefix;
    std::string_view instead;
  };
  static constexpr Row kRows[] = {
      {"/snapshots", kInsteadOfImages},
      {"/docker-registry", kInsteadOfImages},
      {"/object-storage", kInsteadOfImages},
      {"/volumes", "a stopped sandbox keeps its disk; fork it, or make a snapshot of it, to carry files to others"},
      {"/secret", "env of a create sets variables of a sandbox"},
  };
  for (const Row& row : kRows) {
    if (pattern.starts_with(row.prefix)) return row.instead;
  }
  return {};
}

}  // namespace sebring::api
