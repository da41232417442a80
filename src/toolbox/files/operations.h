#pragma once
// The handlers of /files. Each reads its parameters from the request, perhaps the body, and answers; an error returned
// before anything was answered becomes the error body, later it breaks the answer off.
#include "toolbox/files/worker.h"

namespace sebring::toolbox::files {

using Operation = Result<void> (*)(const Request&, BodyReader&, Responder&);

Result<void> list(const Request&, BodyReader&, Responder&);
Result<void> info(const Request&, BodyReader&, Responder&);
Result<void> make_folder(const Request&, BodyReader&, Responder&);
Result<void> remove(const Request&, BodyReader&, Responder&);
Result<void> move(const Request&, BodyReader&, Responder&);
Result<void> set_permissions(const Request&, BodyReader&, Responder&);
Result<void> download(const Request&, BodyReader&, Responder&);
Result<void> bulk_download(const Request&, BodyReader&, Responder&);
Result<void> upload(const Request&, BodyReader&, Responder&);
Result<void> upload_v2(const Request&, BodyReader&, Responder&);
Result<void> bulk_upload(const Request&, BodyReader&, Responder&);
Result<void> find(const Request&, BodyReader&, Responder&);
Result<void> search(const Request&, BodyReader&, Responder&);
Result<void> replace(const Request&, BodyReader&, Responder&);

struct OperationRow {
  const char* method;
  const char* path;
  Operation run;
};
// Every endpoint below /files, for the daemon's routes and the worker's dispatch.
extern const OperationRow kOperations[14];

Result<void> run_operation(const Request& request, BodyReader& body, Responder& responder);

// The parameter as an absolute path. Errc::invalid_argument INVALID_FILE_PATH when it is missing or impossible.
Result<std::string> path_parameter(const Request& request, std::string_view name);
// Octal, at most 07777. Absent or empty: `fallback`.
Result<unsigned> mode_parameter(const Request& request, unsigned fallback);

}  // namespace sebring::toolbox::files
