#include "image/remarks.h"

#include "base/text.h"
#include "image/layer_name.h"

namespace sebring::image {

void Remarks::add(std::string_view what, std::string_view path) {
  auto at = kinds_.find(what);
  if (at == kinds_.end()) at = kinds_.emplace(std::string(what), Kind{}).first;
  if (++at->second.count <= 3) at->second.paths.push_back(printable(path));
}

std::vector<std::string> Remarks::lines() const {
  std::vector<std::string> lines;
  for (const auto& [what, kind] : kinds_)
    lines.push_back(std::to_string(kind.count) + " " + what + " (" + join(kind.paths, ", ") +
                    (kind.count > kind.paths.size() ? ", ...)" : ")"));
  return lines;
}

}  // namespace sebring::image
