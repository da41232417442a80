#include "toolbox/files/file_info.h"

#include <charconv>
#include <cstdio>
#include <ctime>

#include "toolbox/error_body.h"

namespace sebring::toolbox::files {
namespace {

constexpr std::size_t kDateLength = 10;

void append_number(std::string& out, std::int64_t value) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void append_padded(std::string& out, unsigned value, int width) {
  char text[16];
  for (int i = width; i-- > 0; value /= 10) text[i] = static_cast<char>('0' + value % 10);
  out.append(text, static_cast<std::size_t>(width));
}

void append_fraction(std::string& out, long nanoseconds) {
  if (nanoseconds <= 0) return;
  int width = 9;
  for (; nanoseconds % 10 == 0; nanoseconds /= 10) --width;
  out += '.';
  append_padded(out, static_cast<unsigned>(nanoseconds), width);
}

// Date and time of day, by arithmetic: gmtime looks up time zones for every call, and a listing has many.
void append_time(std::string& out, const timespec& time, char separator) {
  std::int64_t days = time.tv_sec / 86400;
  std::int64_t second = time.tv_sec % 86400;
  if (second < 0) {
    second += 86400;
    --days;
  }
  // Days since 0000-03-01, in eras of 400 years.
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const unsigned day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned month_from_march = (5 * day_of_year + 2) / 153;
  const unsigned day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const unsigned month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  const std::int64_t year = static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0);
  append_padded(out, static_cast<unsigned>(year < 0 ? 0 : year > 9999 ? 9999 : year), 4);
  out += '-';
  append_padded(out, month, 2);
  out += '-';
  append_padded(out, day, 2);
  out += separator;
  append_padded(out, static_cast<unsigned>(second / 3600), 2);
  out += ':';
  append_padded(out, static_cast<unsigned>(second / 60 % 60), 2);
  out += ':';
  append_padded(out, static_cast<unsigned>(second % 60), 2);
  append_fraction(out, time.tv_nsec);
}

}  // namespace

std::string mode_text(unsigned mode) {
  std::string text;
  switch (mode & S_IFMT) {
    case S_IFDIR:
      text += 'd';
      break;
    case S_IFLNK:
      text += 'L';
      break;
    case S_IFBLK:
      text += 'D';
      break;
    case S_IFCHR:
      text += "Dc";
      break;
    case S_IFIFO:
      text += 'p';
      break;
    case S_IFSOCK:
      text += 'S';
      break;
    default:
      break;
  }
  if (mode & S_ISUID) text += 'u';
  if (mode & S_ISGID) text += 'g';
  if (mode & S_ISVTX) text += 't';
  if (text.empty()) text += '-';
  constexpr char kLetters[] = "rwxrwxrwx";
  for (int i = 0; i < 9; ++i) text += mode & (0400U >> i) ? kLetters[i] : '-';
  return text;
}

std::string go_time(const timespec& time) {
  std::string text;
  append_time(text, time, ' ');
  return text + " +0000 UTC";
}

std::string rfc3339_time(const timespec& time) {
  std::string text;
  append_time(text, time, 'T');
  return text + "Z";
}

std::string http_time(std::int64_t seconds) {
  std::tm parts{};
  const std::time_t time = seconds;
  ::gmtime_r(&time, &parts);
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[parts.tm_wday % 7], parts.tm_mday,
                kMonths[parts.tm_mon % 12], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text;
}

void StatusWriter::remember(const struct stat& status) {
  const bool known = !end_.empty();
  if (!known || status.st_mode != mode_ || status.st_uid != uid_ || status.st_gid != gid_) {
    mode_ = status.st_mode;
    uid_ = status.st_uid;
    gid_ = status.st_gid;
    mode_text_ = ",\"mode\":\"" + mode_text(mode_) + "\",\"modTime\":\"";
    end_ = S_ISDIR(mode_) ? "Z\",\"isDir\":true,\"owner\":\"" : "Z\",\"isDir\":false,\"owner\":\"";
    append_number(end_, uid_);
    end_ += "\",\"group\":\"";
    append_number(end_, gid_);
    end_ += "\",\"permissions\":\"0";
    for (int shift : {6, 3, 0}) end_ += static_cast<char>('0' + (mode_ >> shift & 7));
    end_ += "\"}";
  }
  if (!known || status.st_mtim.tv_sec != second_) {
    second_ = status.st_mtim.tv_sec;
    second_text_.clear();
    append_time(second_text_, {.tv_sec = second_, .tv_nsec = 0}, ' ');
  }
}

void StatusWriter::append(std::string& out, const struct stat& status) {
  remember(status);
  out += ",\"size\":";
  append_number(out, status.st_size);
  out += mode_text_;
  const std::size_t time_at = out.size();
  out += second_text_;
  append_fraction(out, status.st_mtim.tv_nsec);
  const std::size_t time_length = out.size() - time_at;
  out += " +0000 UTC\",\"modifiedAt\":\"";
  out.append(out, time_at, time_length);
  out[out.size() - time_length + kDateLength] = 'T';
  out += end_;
}

void append_file_info(std::string& out, std::string_view name, std::string_view path, const struct stat& status) {
  out += "{\"name\":";
  append_json_string(out, name);
  if (!path.empty()) {
    out += ",\"path\":";
    append_json_string(out, path);
  }
  StatusWriter().append(out, status);
}

EntryWriter::EntryWriter(std::string_view folder) {
  if (folder.empty()) return;
  path_ = ",\"path\":";
  append_json_string(path_, folder);
  path_.pop_back();
}

void EntryWriter::append(std::string& out, std::string_view name, const struct stat& status) {
  out += "{\"name\":";
  const std::size_t begin = out.size();
  append_json_string(out, name);
  const std::size_t length = out.size() - begin;
  if (!path_.empty()) {
    out += path_;
    out.append(out, begin + 1, length - 1);
  }
  status_.append(out, status);
}

}  // namespace sebring::toolbox::files
