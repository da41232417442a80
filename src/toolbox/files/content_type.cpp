#include "toolbox/files/content_type.h"

#include "base/text.h"

namespace sebring::toolbox::files {

std::string_view content_type_of(std::string_view path) {
  struct Row {
    std::string_view extension;
    std::string_view type;
  };
  static constexpr Row kRows[] = {{".avif", "image/avif"},
                                  {".css", "text/css; charset=utf-8"},
                                  {".csv", "text/csv; charset=utf-8"},
                                  {".gif", "image/gif"},
                                  {".gz", "application/gzip"},
                                  {".htm", "text/html; charset=utf-8"},
                                  {".html", "text/html; charset=utf-8"},
                                  {".jpeg", "image/jpeg"},
                                  {".jpg", "image/jpeg"},
                                  {".js", "text/javascript; charset=utf-8"},
                                  {".json", "application/json"},
                                  {".mjs", "text/javascript; charset=utf-8"},
                                  {".md", "text/markdown; charset=utf-8"},
                                  {".mp4", "video/mp4"},
                                  {".pdf", "application/pdf"},
                                  {".png", "image/png"},
                                  {".py", "text/x-python; charset=utf-8"},
                                  {".svg", "image/svg+xml"},
                                  {".tar", "application/x-tar"},
                                  {".txt", "text/plain; charset=utf-8"},
                                  {".wasm", "application/wasm"},
                                  {".webp", "image/webp"},
                                  {".xml", "text/xml; charset=utf-8"},
                                  {".zip", "application/zip"}};
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos || path.find('/', dot) != std::string_view::npos) return "application/octet-stream";
  const std::string extension = to_lower(path.substr(dot));
  for (const Row& row : kRows) {
    if (row.extension == extension) return row.type;
  }
  return "application/octet-stream";
}

}  // namespace sebring::toolbox::files
