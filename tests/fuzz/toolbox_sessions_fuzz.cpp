// links: toolbox
// What sessions, terminals, interpreters and language servers read; the first byte says which parser.
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/text.h"
#include "json/json.h"
#include "toolbox/interpreter_context.h"
#include "toolbox/lsp_answers.h"
#include "toolbox/lsp_documents.h"
#include "toolbox/lsp_framing.h"
#include "toolbox/pty_backlog.h"
#include "toolbox/pty_request.h"
#include "toolbox/session_marker.h"
#include "toolbox/session_shell.h"
#include "toolbox/utf8_pieces.h"

namespace {

using namespace sebring::toolbox;

void check(bool holds) {
  if (!holds) std::abort();
}

// What was printed comes back from the log, unless it has the markers' bytes itself.
void markers(std::string_view input) {
  LineMarker marker;
  std::string log, printed[2];
  while (input.size() >= 2) {
    const auto choice = static_cast<unsigned char>(input[0]);
    const std::string_view bytes = input.substr(1, choice >> 3);
    input.remove_prefix(1 + bytes.size());
    const bool out = (choice & 1) != 0;
    marker.add(out ? OutputStream::out : OutputStream::err, bytes, log);
    printed[out ? 0 : 1] += bytes;
    if ((choice & 6) == 6) marker.flush(log);
  }
  marker.finish(log);
  check(!marker.has_unfinished());
  if ((printed[0] + printed[1]).find_first_of("\x01\x02") != std::string::npos) return;
  for (auto& text : printed) {
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
  }
  check(strip_markers(log, Demuxer::Keep::out) == printed[0]);
  check(strip_markers(log, Demuxer::Keep::err) == printed[1]);
}

void pieces(std::string_view input) {
  Utf8Pieces utf8;
  Demuxer demuxer(Demuxer::Keep::both);
  ReportReader reports;
  std::string text, kept;
  for (std::size_t at = 0; at < input.size(); at += 3) {
    const std::string_view piece = input.substr(at, 3);
    text += utf8.add(piece);
    demuxer.add(piece, kept);
    (void)reports.add(piece, "id");
  }
  text += utf8.finish();
  demuxer.finish(kept);
  check(sebring::is_valid_utf8(text));
  check(kept == strip_markers(input, Demuxer::Keep::both));
  if (sebring::is_valid_utf8(input)) check(text == input);
}

bool take_all(LspFramer& framer, std::string& into) {
  for (;;) {
    auto message = framer.next();
    if (!message) return false;
    if (!*message) return true;
    into += **message + '|';
  }
}

void frames(std::string_view input) {
  LspFramer whole, split;
  std::string first, second;
  whole.add(input);
  const bool good = take_all(whole, first);
  bool still_good = true;
  for (std::size_t at = 0; still_good && at < input.size(); ++at) {
    split.add(input.substr(at, 1));
    still_good = take_all(split, second);
  }
  if (good && still_good) check(first == second);
}

void json_shapes(std::string_view input) {
  auto value = sebring::json::parse(input);
  if (!value) return;
  check(completion_list(*value).is_object());
  for (const auto& symbol : flat_symbols(*value, "file:///x")) check(symbol.get_object().size() == 3);
}

class NoSpawner final : public Spawner {
 public:
  asio::awaitable<sebring::Result<std::shared_ptr<Process>>> start(StartSpec) override { std::abort(); }
};

void requests(std::string_view input) {
  asio::io_context io;
  NoSpawner spawner;
  Context context{.io = io, .spawner = spawner};
  context.user.home = context.work_dir = "/home";
  (void)parse_run_request(input);
  if (auto object = sebring::json::parse_object(input)) {
    (void)parse_pty_resize(*object);
    if (auto settings = parse_pty_create(*object, context)) {
      check(settings->cwd.starts_with('/') && settings->size.cols >= 1 && settings->size.cols <= kPtySizeMax);
    }
  }
  const std::string token = std::string(kPtyEnvsPrefix) + sebring::base64url_encode(input);
  (void)parse_pty_create_connect(sebring::net::Query(input), {}, context);
  (void)parse_pty_create_connect(sebring::net::Query("id=x"), {token, std::string(input)}, context);
  if (auto paths = candidate_paths(input, {"/project", "/work"})) {
    for (const std::string& path : *paths) check(path.starts_with('/') && path.find('\0') == std::string::npos);
  }
}

void terminals(std::string_view input) {
  check(without_questions(input).size() <= input.size());
  PtyBacklog backlog;
  backlog.add(input);
  if (input.size() <= PtyBacklog::kBytesMax) check(backlog.replay() == without_questions(input));
  const std::string quoted = shell_quote(input);
  check(quoted.size() >= 2 && quoted.front() == '\'' && quoted.back() == '\'');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  constexpr void (*kParsers[])(std::string_view) = {markers, pieces, frames, json_shapes, requests, terminals};
  kParsers[data[0] % std::size(kParsers)](input);
  return 0;
}
