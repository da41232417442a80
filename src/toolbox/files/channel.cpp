#include "toolbox/files/channel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sebring::toolbox::files {
namespace {

constexpr std::size_t kBytes = kSlots * kSlotBytes;
constexpr std::size_t kPairsMax = 1024;

void put(std::string& out, std::uint32_t number) { out.append(reinterpret_cast<const char*>(&number), sizeof number); }

void put(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

void put(std::string& out, const std::vector<std::pair<std::string, std::string>>& pairs) {
  put(out, static_cast<std::uint32_t>(pairs.size()));
  for (const auto& [name, value] : pairs) {
    put(out, name);
    put(out, value);
  }
}

// Reads what put() wrote; after the first mistake everything is empty and good() false.
class Unpacker {
 public:
  explicit Unpacker(std::string_view payload) : rest_(payload) {}
  std::uint32_t number() {
    std::uint32_t value = 0;
    if (rest_.size() < sizeof value) {
      good_ = false;
      return 0;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const std::uint32_t size = number();
    if (!good_ || size > rest_.size()) {
      good_ = false;
      return {};
    }
    std::string value(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return value;
  }
  std::vector<std::pair<std::string, std::string>> pairs() {
    std::vector<std::pair<std::string, std::string>> list;
    const std::uint32_t count = number();
    if (count > kPairsMax) good_ = false;
    for (std::uint32_t i = 0; i < count && good_; ++i) {
      std::string name = text();
      list.emplace_back(std::move(name), text());
    }
    return list;
  }
  bool complete() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

std::optional<std::string_view> Request::parameter(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string pack(const Request& request) {
  std::string out;
  for (const std::string* text : {&request.operation, &request.path, &request.content_type, &request.range,
                                  &request.if_range, &request.work_dir, &request.home}) {
    put(out, *text);
  }
  put(out, static_cast<std::uint32_t>(request.head_only ? 1 : 0));
  put(out, static_cast<std::uint32_t>(request.plain_fields ? 1 : 0));
  put(out, request.query);
  return out;
}

Result<Request> unpack_request(std::string_view payload) {
  Unpacker unpacker(payload);
  Request request;
  for (std::string* text : {&request.operation, &request.path, &request.content_type, &request.range, &request.if_range,
                            &request.work_dir, &request.home}) {
    *text = unpacker.text();
  }
  request.head_only = unpacker.number() != 0;
  request.plain_fields = unpacker.number() != 0;
  request.query = unpacker.pairs();
  if (!unpacker.complete()) return fail(Errc::invalid_argument, "broken request message");
  return request;
}

std::string pack(const Head& head) {
  std::string out;
  put(out, static_cast<std::uint32_t>(head.status));
  put(out, head.headers);
  put(out, head.body);
  return out;
}

Result<Head> unpack_head(std::string_view payload) {
  Unpacker unpacker(payload);
  Head head;
  head.status = static_cast<int>(unpacker.number());
  head.headers = unpacker.pairs();
  head.body = unpacker.text();
  if (!unpacker.complete() || head.status < 200 || head.status > 599) {
    return fail(Errc::invalid_argument, "broken answer message");
  }
  // They become lines of an HTTP head.
  for (const auto& [name, value] : head.headers) {
    for (std::string_view text : {std::string_view(name), std::string_view(value)}) {
      if (text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
        return fail(Errc::invalid_argument, "broken header in an answer message");
      }
    }
  }
  return head;
}

Result<SharedSlots> SharedSlots::create() {
  UniqueFd file(::memfd_create("file-slots", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return fail_errno(errno, "make shared memory");
  if (::ftruncate(file.get(), kBytes) < 0 ||
      ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
    return fail_errno(errno, "size shared memory");
  }
  return map(std::move(file));
}

Result<SharedSlots> SharedSlots::map(UniqueFd file) {
  void* memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) return fail_errno(errno, "map shared memory");
  SharedSlots slots;
  slots.file_ = std::move(file);
  slots.memory_ = static_cast<char*>(memory);
  return slots;
}

SharedSlots::SharedSlots(SharedSlots&& other) noexcept
    : file_(std::move(other.file_)), memory_(std::exchange(other.memory_, nullptr)) {}

SharedSlots& SharedSlots::operator=(SharedSlots&& other) noexcept {
  if (this == &other) return *this;
  if (memory_) ::munmap(memory_, kBytes);
  file_ = std::move(other.file_);
  memory_ = std::exchange(other.memory_, nullptr);
  return *this;
}

SharedSlots::~SharedSlots() {
  if (memory_) ::munmap(memory_, kBytes);
}

}  // namespace sebring::toolbox::files
