// POST /files/upload, /files/upload-v2 and /files/bulk-upload.
#include <map>
#include <optional>

#include "toolbox/error_body.h"
#include "toolbox/files/file_writer.h"
#include "toolbox/files/multipart.h"
#include "toolbox/files/operations.h"
#include "toolbox/paths.h"

namespace sebring::toolbox::files {
namespace {

constexpr std::size_t kPathBytesMax = 64 * 1024;
constexpr std::size_t kErrorsMax = 1000;

// Feeds the whole body to `parser`.
Result<void> parse_body(BodyReader& body, MultipartParser& parser) {
  for (;;) {
    SB_TRY(const std::string_view piece, body.next());
    if (piece.empty()) return parser.finish();
    SB_CHECK(parser.feed(piece));
  }
}

// Writes the part named `file` to one path; other parts are passed over.
class SingleUpload final : public PartSink {
 public:
  explicit SingleUpload(std::string path) : path_(std::move(path)) {}
  Result<void> begin(const PartHead& head) override {
    if (head.name != "file" || found_) return {};
    found_ = true;
    SB_TRY(writer_, FileWriter::open(path_, true));
    return {};
  }
  Result<void> data(std::string_view piece) override { return writer_ ? writer_->write(piece) : Result<void>{}; }
  Result<void> end() override {
    if (writer_) finished_ = std::move(writer_);
    writer_.reset();
    return {};
  }
  // Only a complete body changes anything.
  Result<UniqueFd> commit() {
    if (!finished_) return fail(Errc::invalid_argument, "multipart body: no field named file");
    SB_CHECK(finished_->commit());
    return finished_->take_replaced();
  }

 private:
  std::string path_;
  bool found_ = false;
  std::optional<FileWriter> writer_;
  std::optional<FileWriter> finished_;
};

// Pairs of files[i].path and files[i].file. One file's failure does not keep the others from being written.
class BulkUpload final : public PartSink {
 public:
  explicit BulkUpload(const Request& request) : request_(request) {}

  Result<void> begin(const PartHead& head) override {
    field_ = head.name;
    kind_ = Kind::other;
    if (!field_.starts_with("files[")) return {};
    if (field_.ends_with("].path")) {
      kind_ = Kind::path;
      text_.clear();
    } else if (field_.ends_with("].file")) {
      kind_ = Kind::file;
      open();
    }
    return {};
  }

  Result<void> data(std::string_view piece) override {
    if (kind_ == Kind::path) {
      if (text_.size() + piece.size() > kPathBytesMax) return fail(Errc::invalid_argument, field_ + " is too long");
      text_ += piece;
    } else if (kind_ == Kind::file && writer_) {
      if (auto written = writer_->write(piece); !written) give_up(written.error());
    }
    return {};
  }

  Result<void> end() override {
    if (kind_ == Kind::path) paths_[index()] = text_;
    if (kind_ != Kind::file || !writer_) return {};
    if (auto done = writer_->commit(); !done) {
      give_up(done.error());
      return {};
    }
    files_ += files_.empty() ? "" : ",";
    files_ += "{\"path\":";
    append_json_string(files_, path_);
    files_ += ",\"bytes\":" + std::to_string(writer_->bytes()) + "}";
    writer_.reset();
    return {};
  }

  void add_error(std::string_view text) {
    if (++errors_count_ > kErrorsMax) return;
    errors_ += errors_.empty() ? "" : ",";
    append_json_string(errors_, text);
  }
  bool has_errors() const { return errors_count_ > 0; }
  std::string answer() const {
    std::string json = "{";
    if (has_errors()) json += "\"errors\":[" + errors_ + "],";
    return json + "\"files\":[" + files_ + "]}";
  }

 private:
  enum class Kind { other, path, file };

  // The text in brackets: usually a number, but only equality matters.
  std::string index() const { return field_.substr(6, field_.find(']') - 6); }

  void open() {
    const auto found = paths_.find(index());
    if (found == paths_.end()) {
      add_error(field_ + ": missing path metadata: files[" + index() + "].path must come before the file");
      return;
    }
    path_ = found->second;
    paths_.erase(found);
    auto resolved = resolve_path(path_, request_.work_dir, request_.home);
    auto writer = resolved ? FileWriter::open(*resolved, true) : fail(resolved.error());
    if (writer) {
      writer_.emplace(*std::move(writer));
    } else {
      add_error(path_ + ": " + wire_error(writer.error()).message);
    }
  }

  void give_up(const Error& error) {
    add_error(path_ + ": " + error.message());
    writer_.reset();
  }

  const Request& request_;
  Kind kind_ = Kind::other;
  std::string field_;
  std::string text_;
  std::string path_;
  std::map<std::string, std::string> paths_;
  std::optional<FileWriter> writer_;
  std::string files_;
  std::string errors_;
  std::size_t errors_count_ = 0;
};

// What was replaced: to be closed after the answer.
Result<UniqueFd> store_multipart(const std::string& path, std::string boundary, BodyReader& body) {
  SingleUpload upload(path);
  MultipartParser parser(std::move(boundary), upload);
  SB_CHECK(parse_body(body, parser));
  return upload.commit();
}

Result<UniqueFd> store_raw(const std::string& path, BodyReader& body) {
  SB_TRY(FileWriter writer, FileWriter::open(path, true));
  for (;;) {
    SB_TRY(const std::string_view piece, body.next());
    if (piece.empty()) break;
    SB_CHECK(writer.write(piece));
  }
  SB_CHECK(writer.commit());
  return writer.take_replaced();
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

Result<void> upload(const Request& request, BodyReader& body, Responder& responder) {
  SB_TRY(const std::string path, path_parameter(request, "path"));
  auto boundary = multipart_boundary(request.content_type);
  if (!boundary) return fail(Errc::invalid_argument, "request Content-Type isn't multipart/form-data");
  SB_TRY(const UniqueFd replaced, store_multipart(path, *std::move(boundary), body));
  // No body: a strict old client can not read one here.
  responder.respond({});
  return {};
}

Result<void> upload_v2(const Request& request, BodyReader& body, Responder& responder) {
  SB_TRY(const std::string path, path_parameter(request, "path"));
  UniqueFd replaced;
  if (auto boundary = multipart_boundary(request.content_type)) {
    SB_TRY(replaced, store_multipart(path, *std::move(boundary), body));
  } else if (request.content_type.starts_with("multipart/")) {
    return fail(Errc::invalid_argument, "multipart body without a usable boundary");
  } else {
    SB_TRY(replaced, store_raw(path, body));
  }
  std::string json = "{\"name\":";
  append_json_string(json, base_name(path));
  json += ",\"path\":";
  append_json_string(json, path);
  json += ",\"type\":\"file\"}";
  responder.respond_json(200, std::move(json));
  return {};
}

Result<void> bulk_upload(const Request& request, BodyReader& body, Responder& responder) {
  auto boundary = multipart_boundary(request.content_type);
  if (!boundary) return fail(Errc::invalid_argument, "request Content-Type isn't multipart/form-data");
  BulkUpload upload(request);
  MultipartParser parser(*std::move(boundary), upload);
  if (auto parsed = parse_body(body, parser); !parsed) {
    if (parsed.error().code() == Errc::cancelled) return parsed;
    upload.add_error(parsed.error().message());
  }
  responder.respond_json(upload.has_errors() ? 400 : 200, upload.answer());
  return {};
}

}  // namespace sebring::toolbox::files
