#include "toolbox/session_marker.h"

namespace sebring::toolbox {
namespace {

std::string_view marker_of(OutputStream stream) { return stream == OutputStream::out ? kOutMarker : kErrMarker; }

}  // namespace

void LineMarker::put(OutputStream stream, std::string_view piece, std::string& log) {
  State& mine = of(stream);
  State& other = of(stream == OutputStream::out ? OutputStream::err : OutputStream::out);
  if (!mine.mid_line || !mine.is_last) log += marker_of(stream);
  log += piece;
  mine.mid_line = !piece.ends_with('\n');
  mine.is_last = mine.mid_line;
  other.is_last = false;
}

void LineMarker::add(OutputStream stream, std::string_view bytes, std::string& log) {
  State& mine = of(stream);
  for (;;) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) break;
    const std::string_view line = bytes.substr(0, end + 1);
    if (mine.waiting.empty()) {
      put(stream, line, log);
    } else {
      mine.waiting += line;
      put(stream, mine.waiting, log);
      mine.waiting.clear();
    }
    bytes.remove_prefix(end + 1);
  }
  mine.waiting += bytes;
  if (mine.waiting.size() >= kUnfinishedMax) {
    put(stream, mine.waiting, log);
    mine.waiting = {};
  }
}

void LineMarker::flush(std::string& log) {
  for (OutputStream stream : {OutputStream::out, OutputStream::err}) {
    State& mine = of(stream);
    if (mine.waiting.empty()) continue;
    put(stream, mine.waiting, log);
    mine.waiting = {};
  }
}

void LineMarker::finish(std::string& log) {
  for (OutputStream stream : {OutputStream::out, OutputStream::err}) {
    State& mine = of(stream);
    if (mine.waiting.empty() && !mine.mid_line) continue;
    mine.waiting += '\n';
    put(stream, mine.waiting, log);
    mine.waiting = {};
  }
}

bool Demuxer::wanted() const { return keep_ == Keep::both || (keep_ == Keep::out) == (current_ == OutputStream::out); }

void Demuxer::add(std::string_view piece, std::string& kept) {
  std::string joined;
  if (!held_.empty()) {
    joined = held_;
    joined += piece;
    piece = joined;
    held_.clear();
  }
  std::size_t plain = 0;
  std::size_t at = 0;
  while ((at = piece.find_first_of("\x01\x02", at)) != std::string_view::npos) {
    const std::string_view rest = piece.substr(at, kMarkerBytes);
    const std::string_view marker = piece[at] == kOutMarker[0] ? kOutMarker : kErrMarker;
    if (rest == marker) {
      if (wanted()) kept += piece.substr(plain, at - plain);
      current_ = marker == kOutMarker ? OutputStream::out : OutputStream::err;
      at += kMarkerBytes;
      plain = at;
    } else if (rest.size() < kMarkerBytes && marker.starts_with(rest)) {
      break;
    } else {
      ++at;
    }
  }
  const std::size_t end = at == std::string_view::npos ? piece.size() : at;
  if (wanted()) kept += piece.substr(plain, end - plain);
  held_.assign(piece.substr(end));
}

void Demuxer::finish(std::string& kept) {
  if (wanted()) kept += held_;
  held_.clear();
}

std::string strip_markers(std::string_view log, Demuxer::Keep keep) {
  std::string kept;
  Demuxer demuxer(keep);
  demuxer.add(log, kept);
  demuxer.finish(kept);
  return kept;
}

}  // namespace sebring::toolbox
