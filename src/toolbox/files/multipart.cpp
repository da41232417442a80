#include "toolbox/files/multipart.h"

#include "base/text.h"

namespace sebring::toolbox::files {
namespace {

constexpr std::size_t kBoundaryMax = 70;
constexpr std::size_t kJoinBytes = 4096;

std::unexpected<Error> broken(const char* what) {
  return fail(Errc::invalid_argument, std::string("multipart body: ") + what);
}

// Length of the longest end of `text` that is a beginning of `delimiter` (but not all of it).
std::size_t overlap(std::string_view text, std::string_view delimiter) {
  std::size_t length = std::min(text.size(), delimiter.size() - 1);
  for (; length > 0; --length) {
    if (text.ends_with(delimiter.substr(0, length))) return length;
  }
  return 0;
}

// The value of a header parameter: a token or a quoted string. Takes it off `text`.
std::string take_value(std::string_view& text) {
  std::string value;
  if (!text.starts_with('"')) {
    const std::size_t end = std::min(text.find(';'), text.size());
    value = trim(text.substr(0, end));
    text.remove_prefix(end);
    return value;
  }
  text.remove_prefix(1);
  while (!text.empty() && text[0] != '"') {
    // Browsers do not escape backslashes; only an escaped quote or backslash is one.
    if (text[0] == '\\' && text.size() > 1 && (text[1] == '"' || text[1] == '\\')) text.remove_prefix(1);
    value += text[0];
    text.remove_prefix(1);
  }
  text.remove_prefix(std::min<std::size_t>(1, text.size()));
  return value;
}

// Calls `each(name, value)` for the parameters behind the first ';'.
template <class Each>
void for_parameters(std::string_view text, Each each) {
  std::size_t at = text.find(';');
  while (at != std::string_view::npos) {
    text.remove_prefix(at + 1);
    text = trim(text);
    const std::size_t equals = text.find('=');
    const std::size_t next = text.find(';');
    if (equals == std::string_view::npos || next < equals) {
      at = next;
      continue;
    }
    const std::string name = to_lower(trim(text.substr(0, equals)));
    text.remove_prefix(equals + 1);
    text = trim(text);
    each(name, take_value(text));
    at = text.find(';');
  }
}

}  // namespace

std::optional<std::string> multipart_boundary(std::string_view content_type) {
  const std::string type = to_lower(trim(content_type.substr(0, content_type.find(';'))));
  if (type != "multipart/form-data" && type != "multipart/mixed") return std::nullopt;
  std::optional<std::string> boundary;
  for_parameters(content_type, [&](const std::string& name, std::string value) {
    if (name == "boundary" && !boundary) boundary = std::move(value);
  });
  if (!boundary || boundary->empty() || boundary->size() > kBoundaryMax || boundary->back() == ' ') return std::nullopt;
  for (char c : *boundary) {
    if (c < 0x20 || c == 0x7F) return std::nullopt;
  }
  return boundary;
}

Result<PartHead> parse_part_head(std::string_view headers) {
  PartHead head;
  bool named = false;
  while (!headers.empty()) {
    const std::size_t end = std::min(headers.find("\r\n"), headers.size());
    std::string_view line = headers.substr(0, end);
    headers.remove_prefix(std::min(end + 2, headers.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return broken("a header line has no colon");
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    if (equals_ignore_case(name, "Content-Type")) {
      head.content_type = value;
    } else if (equals_ignore_case(name, "Content-Disposition")) {
      if (!starts_with_ignore_case(value, "form-data")) continue;
      for_parameters(value, [&](const std::string& key, std::string text) {
        if (key == "name") {
          head.name = std::move(text);
          named = true;
        } else if (key == "filename" && !head.file_name) {
          head.file_name = std::move(text);
        } else if (key == "filename*" && starts_with_ignore_case(text, "utf-8'")) {
          const std::size_t quote = text.find('\'', 6);
          if (quote == std::string::npos) return;
          if (auto decoded = percent_decode(std::string_view(text).substr(quote + 1))) head.file_name = *decoded;
        }
      });
    }
  }
  if (!named) return broken("a part has no form-data name");
  return head;
}

MultipartParser::MultipartParser(std::string boundary, PartSink& sink)
    // A body begins with the delimiter, or with a line end and then it: as if the line end had been there before.
    : delimiter_("\r\n--" + std::move(boundary)), sink_(sink), pending_("\r\n") {}

Result<void> MultipartParser::feed(std::string_view input) {
  while (!input.empty()) {
    if (pending_.empty()) {
      SB_TRY(const std::size_t used, run(input));
      pending_ = input.substr(used);
      break;
    }
    // What was kept is judged together with a little of the new input, so that not all of it is copied.
    const std::size_t taken = std::min(input.size(), kJoinBytes);
    pending_ += input.substr(0, taken);
    input.remove_prefix(taken);
    SB_TRY(const std::size_t used, run(pending_));
    pending_.erase(0, used);
  }
  if (pending_.size() > delimiter_.size() + kPartHeadBytesMax) return broken("a part's head is too long");
  return {};
}

Result<std::size_t> MultipartParser::run(std::string_view input) {
  std::size_t done = 0;
  while (done < input.size()) {
    SB_TRY(const std::size_t used, step(input.substr(done)));
    if (used == 0) break;
    done += used;
  }
  return done;
}

Result<void> MultipartParser::finish() const {
  if (state_ != State::epilogue) return broken("it ends before the last boundary");
  return {};
}

// How much of `input` is done with; 0: more is needed to tell.
Result<std::size_t> MultipartParser::step(std::string_view input) {
  switch (state_) {
    case State::preamble:
      return skip_preamble(input);
    case State::after_delimiter:
      return read_delimiter_end(input);
    case State::headers:
      return read_headers(input);
    case State::content:
      return read_content(input);
    case State::epilogue:
      return input.size();
  }
  return input.size();
}

Result<std::size_t> MultipartParser::skip_preamble(std::string_view input) {
  const std::size_t at = input.find(delimiter_);
  if (at == std::string_view::npos) return input.size() - overlap(input, delimiter_);
  state_ = State::after_delimiter;
  return at + delimiter_.size();
}

Result<std::size_t> MultipartParser::read_delimiter_end(std::string_view input) {
  if (input.starts_with("--")) {
    state_ = State::epilogue;
    return std::size_t{2};
  }
  if (input == "-") return std::size_t{0};
  const std::size_t end = input.find('\n');
  const std::string_view padding = input.substr(0, end);
  for (std::size_t i = 0; i < padding.size(); ++i) {
    const bool last_cr = padding[i] == '\r' && i + 1 == padding.size();
    if (padding[i] != ' ' && padding[i] != '\t' && !last_cr) return broken("a boundary's line goes on");
  }
  if (end == std::string_view::npos) return std::size_t{0};
  if (!padding.ends_with('\r')) return broken("a boundary's line has no CR");
  if (++parts_ > kPartsMax) return broken("too many parts");
  state_ = State::headers;
  return end + 1;
}

Result<std::size_t> MultipartParser::read_headers(std::string_view input) {
  std::size_t end = 0;
  std::size_t after = 2;
  if (!input.starts_with("\r\n")) {
    end = input.find("\r\n\r\n");
    after = end + 4;
    if (end == std::string_view::npos || end > kPartHeadBytesMax) {
      if (input.size() > kPartHeadBytesMax) return broken("a part's head is too long");
      return std::size_t{0};
    }
  }
  SB_TRY(const PartHead head, parse_part_head(input.substr(0, end)));
  SB_CHECK(sink_.begin(head));
  state_ = State::content;
  // An empty part's delimiter begins with the line end that also ends its head; so that one is left.
  return after;
}

Result<std::size_t> MultipartParser::read_content(std::string_view input) {
  const std::size_t at = input.find(delimiter_);
  const std::size_t length = at == std::string_view::npos ? input.size() - overlap(input, delimiter_) : at;
  if (length > 0) SB_CHECK(sink_.data(input.substr(0, length)));
  if (at == std::string_view::npos) return length;
  SB_CHECK(sink_.end());
  state_ = State::after_delimiter;
  return at + delimiter_.size();
}

}  // namespace sebring::toolbox::files
