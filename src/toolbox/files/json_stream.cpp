#include "toolbox/files/json_stream.h"

namespace sebring::toolbox::files {
namespace {

constexpr std::size_t kFlushBytes = 64 * 1024;

}  // namespace

std::string& JsonStream::next() {
  if (text_.size() > kFlushBytes) {
    if (!responder_.started()) {
      responder_.start({.status = 200, .headers = {{"Content-Type", "application/json; charset=utf-8"}}, .body = {}});
    }
    responder_.write(text_);
    text_.clear();
  }
  if (count_++ > 0) text_ += ',';
  return text_;
}

void JsonStream::finish(std::string_view closing) {
  text_ += closing;
  if (!responder_.started()) {
    responder_.respond_json(200, std::move(text_));
    return;
  }
  responder_.write(text_);
  responder_.finish();
}

}  // namespace sebring::toolbox::files
