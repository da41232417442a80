#pragma once
// Reads multipart/form-data (RFC 7578) as it arrives, in pieces of any size, keeping nothing of the parts' contents.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sebring::toolbox::files {

inline constexpr std::size_t kPartHeadBytesMax = 16 * 1024;
inline constexpr std::size_t kPartsMax = 100'000;

struct PartHead {
  std::string name;
  std::optional<std::string> file_name;
  std::string content_type;
};

// Told of each part in turn: begin, data (any number of times), end. An error stops the parser.
class PartSink {
 public:
  virtual ~PartSink() = default;
  virtual Result<void> begin(const PartHead& head) = 0;
  virtual Result<void> data(std::string_view piece) = 0;
  virtual Result<void> end() = 0;
};

class MultipartParser {
 public:
  // `boundary` without dashes, 1 to 70 characters.
  MultipartParser(std::string boundary, PartSink& sink);
  // Errc::invalid_argument for what is no multipart body; else what the sink returned.
  Result<void> feed(std::string_view input);
  // To be called at the end of the body: Errc::invalid_argument when the last boundary has not come.
  Result<void> finish() const;

 private:
  enum class State { preamble, after_delimiter, headers, content, epilogue };
  Result<std::size_t> run(std::string_view input);
  Result<std::size_t> step(std::string_view input);
  Result<std::size_t> skip_preamble(std::string_view input);
  Result<std::size_t> read_delimiter_end(std::string_view input);
  Result<std::size_t> read_headers(std::string_view input);
  Result<std::size_t> read_content(std::string_view input);

  std::string delimiter_;  // CR LF -- boundary
  PartSink& sink_;
  State state_ = State::preamble;
  std::string pending_;  // bytes that can not be judged yet
  std::size_t parts_ = 0;
};

// Boundary of a Content-Type; nullopt unless it is multipart/form-data (or multipart/mixed) with a usable one.
std::optional<std::string> multipart_boundary(std::string_view content_type);
// Errc::invalid_argument when there is no form-data name.
Result<PartHead> parse_part_head(std::string_view headers);

}  // namespace sebring::toolbox::files
