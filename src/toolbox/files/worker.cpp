#include "toolbox/files/worker.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

#include "toolbox/error_body.h"
#include "toolbox/files/operations.h"

namespace sebring::toolbox::files {

void Connection::send(Kind kind, std::size_t slot, std::size_t length, std::string_view payload) {
  MessageHeader header{.kind = kind,
                       .slot = static_cast<std::uint8_t>(slot),
                       .reserved = 0,
                       .length = static_cast<std::uint32_t>(length)};
  iovec parts[2] = {{&header, sizeof header}, {const_cast<char*>(payload.data()), payload.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  while (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) ::_exit(0);
  }
}

MessageHeader Connection::receive(std::string& payload) {
  MessageHeader header;
  iovec parts[2] = {{&header, sizeof header}, {buffer_.get(), kMessageBytesMax}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  ssize_t got = 0;
  while ((got = ::recvmsg(socket_.get(), &message, 0)) < 0) {
    if (errno != EINTR) ::_exit(0);
  }
  if (got < static_cast<ssize_t>(sizeof header)) ::_exit(0);
  payload.assign(buffer_.get(), static_cast<std::size_t>(got) - sizeof header);
  return header;
}

bool OwnPipe::open() {
  if (read_end_) return true;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return false;
  read_end_.reset(ends[0]);
  write_end_.reset(ends[1]);
  (void)::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(kPipeBytes));  // smaller is slower, not wrong
  return true;
}

void BodyReader::give_back() {
  if (held_ >= 0) connection_.send(Kind::free, static_cast<std::size_t>(std::exchange(held_, -1)));
}

Result<std::string_view> BodyReader::next() {
  give_back();
  if (at_end_) {
    if (broken_) return fail(Errc::cancelled, "the client broke off in the middle of the body");
    return std::string_view();
  }
  std::string ignored;
  const MessageHeader header = connection_.receive(ignored);
  if (header.kind == Kind::body && header.slot < kSlots && header.length > 0 && header.length <= kSlotBytes) {
    held_ = header.slot;
    return std::string_view(connection_.slot(header.slot), header.length);
  }
  at_end_ = true;
  broken_ = header.kind != Kind::body_end;
  return next();
}

Result<std::string> BodyReader::read_all(std::size_t bytes_max) {
  std::string body;
  for (;;) {
    SB_TRY(const std::string_view piece, next());
    if (piece.empty()) return body;
    if (body.size() + piece.size() > bytes_max) {
      return fail(Errc::too_large, "request body is larger than " + std::to_string(bytes_max) + " bytes");
    }
    body += piece;
  }
}

void BodyReader::drain() {
  while (!at_end_) {
    if (!next()) break;
  }
  give_back();
}

void Responder::respond(Head head) {
  if (head.body.size() > kInlineBodyMax) {
    const std::string body = std::move(head.body);
    head.body.clear();
    head.headers.emplace_back("Content-Length", std::to_string(body.size()));
    start(std::move(head));
    write(body);
    finish();
    return;
  }
  body_.drain();
  started_ = ended_ = true;
  connection_.send(Kind::head, 1, 0, pack(head));
}

void Responder::respond_json(int status, std::string json) {
  respond(
      {.status = status, .headers = {{"Content-Type", "application/json; charset=utf-8"}}, .body = std::move(json)});
}

void Responder::start(Head head) {
  body_.drain();
  started_ = true;
  connection_.send(Kind::head, 0, 0, pack(head));
}

char* Responder::buffer() {
  flush();
  while (busy_slots_ == (1U << kSlots) - 1) {
    std::string ignored;
    const MessageHeader header = connection_.receive(ignored);
    if (header.kind != Kind::free || header.slot >= kSlots) ::_exit(0);
    busy_slots_ = static_cast<std::uint8_t>(busy_slots_ & ~(1U << header.slot));
  }
  current_ = std::countr_one(busy_slots_);
  return connection_.slot(static_cast<std::size_t>(current_));
}

void Responder::commit(std::size_t length) {
  if (length == 0 || current_ < 0) return;
  busy_slots_ = static_cast<std::uint8_t>(busy_slots_ | 1U << current_);
  connection_.send(Kind::data, static_cast<std::size_t>(std::exchange(current_, -1)), length);
}

ssize_t Responder::send_from(int file, std::uint64_t at, std::size_t most) {
  flush();
  if (!own_pipe_.open()) {
    errno = EINVAL;
    return -1;
  }
  auto offset = static_cast<off64_t>(at);
  const ssize_t got =
      ::splice(file, &offset, own_pipe_.write_end(), nullptr, std::min(most, kPipeBytes), SPLICE_F_MOVE);
  for (ssize_t left = got; left > 0;) {
    const ssize_t put = ::splice(own_pipe_.read_end(), nullptr, connection_.pipe(), nullptr,
                                 static_cast<std::size_t>(left), SPLICE_F_MOVE);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) ::_exit(0);
    left -= put;
    connection_.send(Kind::piped, 0, static_cast<std::size_t>(put));
  }
  return got;
}

void Responder::flush() { commit(std::exchange(filled_, 0)); }

void Responder::write(std::string_view text) {
  while (!text.empty()) {
    if (current_ < 0 || filled_ == kSlotBytes) {
      buffer();
      filled_ = 0;
    }
    const std::size_t piece = std::min(text.size(), kSlotBytes - filled_);
    std::memcpy(connection_.slot(static_cast<std::size_t>(current_)) + filled_, text.data(), piece);
    filled_ += piece;
    text.remove_prefix(piece);
  }
}

void Responder::finish() {
  flush();
  ended_ = true;
  connection_.send(Kind::end);
}

void Responder::break_off() {
  ended_ = true;
  connection_.send(Kind::failed);
}

namespace {

// The daemon gives every slot back before the next request, so what is left of `free` messages is dropped here.
Request wait_for_request(Connection& connection) {
  std::string payload;
  for (;;) {
    const MessageHeader header = connection.receive(payload);
    if (header.kind != Kind::request) continue;
    auto request = unpack_request(payload);
    if (!request) ::_exit(1);
    return *std::move(request);
  }
}

void serve_one(Connection& connection, const Request& request) {
  BodyReader body(connection);
  Responder responder(connection, body);
  Result<void> done;
  try {
    done = run_operation(request, body, responder);
  } catch (const std::exception& thrown) {
    done = fail(Errc::internal, thrown.what());
  }
  if (!done && !responder.started()) {
    const WireError error = wire_error(done.error());
    const std::string method = request.operation.substr(0, request.operation.find(' '));
    responder.respond_json(error.status, error_body(error, method, request.path));
  } else if (!done) {
    responder.break_off();
  } else if (!responder.ended()) {
    if (!responder.started()) responder.start({});
    responder.finish();
  }
}

}  // namespace

void run_file_worker(UniqueFd socket, UniqueFd memory, UniqueFd pipe) {
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(022);
  // Memory that was used once stays, instead of being given back and cleared again for every request: a worker lives
  // for seconds.
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_MMAP_THRESHOLD, 16 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 16 << 20);
  auto slots = SharedSlots::map(std::move(memory));
  if (!slots) ::_exit(1);
  Connection connection(std::move(socket), *std::move(slots), std::move(pipe));
  for (;;) serve_one(connection, wait_for_request(connection));
}

}  // namespace sebring::toolbox::files
