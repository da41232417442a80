#pragma once
// How the two output streams of a command become one log, and back.
#include <string>
#include <string_view>

namespace sebring::toolbox {

enum class OutputStream { out, err };

inline constexpr std::string_view kOutMarker = "\x01\x01\x01";
inline constexpr std::string_view kErrMarker = "\x02\x02\x02";
inline constexpr std::size_t kMarkerBytes = 3;

// Every line is stored as marker, line, '\n', in the order in which lines were completed. What has no end yet waits
// here, until flush() is called (a prompt) or it grows beyond kUnfinishedMax (a line of megabytes). A line that was
// flushed goes on without another marker unless the other stream came in between.
class LineMarker {
 public:
  static constexpr std::size_t kUnfinishedMax = 64 * 1024;

  void add(OutputStream stream, std::string_view bytes, std::string& log);
  void flush(std::string& log);
  // No more output for now: unfinished lines get their '\n'. add() may still follow.
  void finish(std::string& log);
  bool has_unfinished() const { return !state_[0].waiting.empty() || !state_[1].waiting.empty(); }

 private:
  struct State {
    std::string waiting;    // begin of a line, not in the log yet
    bool mid_line = false;  // the log has the begin of a line
    bool is_last = false;   // and nothing after it
  };
  void put(OutputStream stream, std::string_view piece, std::string& log);
  State& of(OutputStream stream) { return state_[stream == OutputStream::out ? 0 : 1]; }
  State state_[2];
};

// Takes a log apart again, as the clients do: all bytes up to the next marker belong to the stream of the last one. Fed
// piece by piece; a marker cut in two is put together.
class Demuxer {
 public:
  // What to keep: one stream, or both with the markers gone.
  enum class Keep { out, err, both };
  explicit Demuxer(Keep keep) : keep_(keep) {}
  void add(std::string_view piece, std::string& kept);
  // The log has ended: what may have been the start of a marker was none.
  void finish(std::string& kept);

 private:
  bool wanted() const;
  Keep keep_;
  OutputStream current_ = OutputStream::out;
  std::string held_;  // at most two bytes
};

std::string strip_markers(std::string_view log, Demuxer::Keep keep);

}  // namespace sebring::toolbox
