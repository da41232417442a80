#include "toolbox/session_marker.h"

#include <doctest/doctest.h>

#include <vector>

using namespace sebring::toolbox;

namespace {

struct Piece {
  char stream;  // 'o', 'e', 'f' for a flush
  std::string_view bytes;
};

std::string log_of(const std::vector<Piece>& pieces, bool finish = true) {
  LineMarker marker;
  std::string log;
  for (const Piece& piece : pieces) {
    if (piece.stream == 'f') {
      marker.flush(log);
    } else {
      marker.add(piece.stream == 'o' ? OutputStream::out : OutputStream::err, piece.bytes, log);
    }
  }
  if (finish) marker.finish(log);
  return log;
}

#define O "\x01\x01\x01"
#define E "\x02\x02\x02"

}  // namespace

TEST_CASE("lines get the marker of their stream") {
  struct Row {
    std::vector<Piece> pieces;
    std::string_view log;
  } rows[] = {
      {{}, ""},
      {{{'o', "a\n"}}, O "a\n"},
      {{{'o', "a"}}, O "a\n"},
      {{{'o', "\n"}}, O "\n"},
      {{{'o', "a\nb\n\nc"}}, O "a\n" O "b\n" O "\n" O "c\n"},
      {{{'o', "a"}, {'o', "b\n"}}, O "ab\n"},
      {{{'o', "a"}, {'e', "x\n"}, {'o', "b\n"}}, E "x\n" O "ab\n"},
      {{{'o', "a"}, {'e', "x"}}, O "a\n" E "x\n"},
      // A flushed line goes on without a marker ...
      {{{'o', "a"}, {'f', ""}, {'o', "b\n"}}, O "ab\n"},
      {{{'o', "a"}, {'f', ""}, {'f', ""}, {'o', "b"}, {'f', ""}, {'o', "\n"}}, O "ab\n"},
      {{{'o', "a"}, {'f', ""}}, O "a\n"},
      // ... unless the other stream came in between.
      {{{'o', "a"}, {'f', ""}, {'e', "x\n"}, {'o', "b\n"}}, O "a" E "x\n" O "b\n"},
      {{{'o', "a"}, {'f', ""}, {'e', "x\n"}}, O "a" E "x\n" O "\n"},
      {{{'o', "a"}, {'e', "x"}, {'f', ""}, {'o', "b\n"}, {'e', "y\n"}}, O "a" E "x" O "b\n" E "y\n"},
      {{{'o', "a\r"}, {'f', ""}, {'o', "b\r"}, {'f', ""}}, O "a\rb\r\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.log);
    CHECK(log_of(row.pieces) == row.log);
  }
}

TEST_CASE("output may go on after finish") {
  LineMarker marker;
  std::string log;
  marker.add(OutputStream::out, "a", log);
  marker.finish(log);
  marker.add(OutputStream::out, "b\n", log);
  marker.finish(log);
  CHECK(log == O "a\n" O "b\n");
}

TEST_CASE("a line without end does not wait for ever") {
  LineMarker marker;
  std::string log;
  const std::string piece(10'000, 'x');
  for (int i = 0; i < 100; ++i) {
    marker.add(OutputStream::out, piece, log);
    CHECK(1'000'000 - log.size() >= 0);
  }
  CHECK(log.size() + LineMarker::kUnfinishedMax >= 1'000'000);
  marker.finish(log);
  CHECK(log.size() == kMarkerBytes + 1'000'000 + 1);
}

TEST_CASE("demultiplexing") {
  struct Row {
    std::string_view log, out, err, both;
  } rows[] = {
      {"", "", "", ""},
      {O "a\n", "a\n", "", "a\n"},
      {O "a\n" E "x\n" O "b\n", "a\nb\n", "x\n", "a\nx\nb\n"},
      {O "a" E "x\n" O "b\n", "ab\n", "x\n", "ax\nb\n"},
      {"no marker\n", "no marker\n", "", "no marker\n"},
      {O "\x01\x01\n", "\x01\x01\n", "", "\x01\x01\n"},
      {O "a\n\x01", "a\n\x01", "", "a\n\x01"},
      {O "a\n\x01\x01", "a\n\x01\x01", "", "a\n\x01\x01"},
      {E "\x02\x01\x02\n", "", "\x02\x01\x02\n", "\x02\x01\x02\n"},
      {O E O "z", "z", "", "z"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.both);
    CHECK(strip_markers(row.log, Demuxer::Keep::out) == row.out);
    CHECK(strip_markers(row.log, Demuxer::Keep::err) == row.err);
    CHECK(strip_markers(row.log, Demuxer::Keep::both) == row.both);
    // Cut anywhere, in pieces of any length.
    for (std::size_t step = 1; step <= row.log.size(); ++step) {
      std::string kept;
      Demuxer demuxer(Demuxer::Keep::out);
      for (std::size_t at = 0; at < row.log.size(); at += step) demuxer.add(row.log.substr(at, step), kept);
      demuxer.finish(kept);
      CHECK(kept == row.out);
    }
  }
}

TEST_CASE("what was marked comes back") {
  const std::vector<Piece> pieces = {{'o', "one\ntw"}, {'e', "err\nor"}, {'f', ""}, {'o', "o\n"}, {'e', " end\n"}};
  const std::string log = log_of(pieces);
  CHECK(strip_markers(log, Demuxer::Keep::out) == "one\ntwo\n");
  CHECK(strip_markers(log, Demuxer::Keep::err) == "err\nor end\n");
}
