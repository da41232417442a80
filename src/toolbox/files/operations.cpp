#include "toolbox/files/operations.h"

#include <charconv>
#include <string>

#include "toolbox/paths.h"

namespace sebring::toolbox::files {

const OperationRow kOperations[14] = {{"GET", "/files", list},
                                      {"DELETE", "/files", remove},
                                      {"GET", "/files/info", info},
                                      {"POST", "/files/folder", make_folder},
                                      {"POST", "/files/move", move},
                                      {"POST", "/files/permissions", set_permissions},
                                      {"GET", "/files/download", download},
                                      {"POST", "/files/bulk-download", bulk_download},
                                      {"POST", "/files/upload", upload},
                                      {"POST", "/files/upload-v2", upload_v2},
                                      {"POST", "/files/bulk-upload", bulk_upload},
                                      {"GET", "/files/find", find},
                                      {"GET", "/files/search", search},
                                      {"POST", "/files/replace", replace}};

Result<void> run_operation(const Request& request, BodyReader& body, Responder& responder) {
  for (const OperationRow& row : kOperations) {
    if (request.operation == std::string(row.method) + " " + row.path) return row.run(request, body, responder);
  }
  return fail(Errc::not_found, "no such file operation: " + request.operation);
}

Result<std::string> path_parameter(const Request& request, std::string_view name) {
  const auto value = request.parameter(name);
  if (!value || value->empty()) {
    return fail(Errc::invalid_argument, std::string(name) + " is required", "INVALID_FILE_PATH");
  }
  return resolve_path(*value, request.work_dir, request.home);
}

Result<unsigned> mode_parameter(const Request& request, unsigned fallback) {
  const auto text = request.parameter("mode");
  if (!text || text->empty()) return fallback;
  unsigned mode = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), mode, 8);
  if (error != std::errc() || end != text->data() + text->size() || mode > 07777) {
    return fail(Errc::invalid_argument, "invalid mode: " + std::string(*text));
  }
  return mode;
}

}  // namespace sebring::toolbox::files
