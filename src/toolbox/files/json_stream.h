#pragma once
#include <string>
#include <string_view>

#include "toolbox/files/worker.h"

namespace sebring::toolbox::files {

// Sends the items of a JSON array as they come. A short answer goes out in one message; nothing is sent before there is
// enough, so that until then an error can still be answered.
class JsonStream {
 public:
  // `opening`: "[" or what stands before the first item.
  JsonStream(Responder& responder, std::string opening) : responder_(responder), text_(std::move(opening)) {}
  // Where to append the next item.
  std::string& next();
  std::size_t count() const { return count_; }
  void finish(std::string_view closing);

 private:
  Responder& responder_;
  std::string text_;
  std::size_t count_ = 0;
};

}  // namespace sebring::toolbox::files
