// Everything below /files: a request is handed to a file worker, its body and the answer are passed through.
#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/text.h"
#include "net/stream.h"
#include "toolbox/answer.h"
#include "toolbox/context.h"
#include "toolbox/file_workers.h"
#include "toolbox/files/operations.h"

namespace sebring::toolbox {
namespace {

using namespace asio::experimental::awaitable_operators;
using files::Kind;
using Lease = FileWorkers::Lease;

// Clients of this kind refuse fields that they do not know below this version.
constexpr SdkVersion kGoTolerant{0, 188, 0};

// Of a pipe's bytes that are copied: the first ones, which go out with the head.
constexpr std::size_t kCopyBytes = 64 * 1024;

bool wants_plain_fields(const net::Exchange& exchange) {
  const auto source = exchange.request().headers.find("X-Daytona-Source");
  if (source.value_or("") != "sdk-go") return false;
  const auto version = sdk_version(exchange);
  return version && *version < kGoTolerant;
}

files::Request make_request(const Context& context, const net::Exchange& exchange, std::string operation) {
  const net::RequestHead& head = exchange.request();
  files::Request request;
  request.operation = std::move(operation);
  request.path = head.path;
  request.content_type = head.headers.find("Content-Type").value_or("");
  request.range = head.headers.find("Range").value_or("");
  request.if_range = head.headers.find("If-Range").value_or("");
  request.work_dir = context.work_dir;
  request.home = context.user.home;
  request.head_only = head.method == "HEAD";
  request.plain_fields = wants_plain_fields(exchange);
  for (const net::Parameter& parameter : net::Query(head.query)) {
    request.query.emplace_back(parameter.name, parameter.value);
  }
  return request;
}

std::unexpected<Error> confused() { return fail(Errc::internal, "the file worker sent nonsense"); }

// A slot that the worker has given back.
asio::awaitable<Result<std::size_t>> wait_for_slot(FileWorker& worker) {
  SB_CO_TRY(const FileWorker::Message message, co_await worker.receive());
  if (message.header.kind != Kind::free || message.header.slot >= files::kSlots) co_return confused();
  co_return std::size_t{message.header.slot};
}

// Fills one slot as far as the body goes.
asio::awaitable<Result<std::size_t>> fill(net::Exchange& exchange, char* memory) {
  std::size_t filled = 0;
  while (filled < files::kSlotBytes) {
    auto got = co_await exchange.read_some(asio::buffer(memory + filled, files::kSlotBytes - filled));
    if (!got) co_return fail(std::move(got.error()));
    if (*got == 0) break;
    filled += *got;
  }
  co_return filled;
}

// The whole body. An error of the client's: the worker has been told and will answer for nobody.
asio::awaitable<Result<void>> send_body(net::Exchange& exchange, FileWorker& worker, bool& client_failed) {
  std::vector<std::size_t> free_slots;
  for (std::size_t i = files::kSlots; i-- > 0;) free_slots.push_back(i);
  for (;;) {
    if (free_slots.empty()) {
      SB_CO_TRY(const std::size_t slot, co_await wait_for_slot(worker));
      free_slots.push_back(slot);
    }
    const std::size_t slot = free_slots.back();
    free_slots.pop_back();
    auto filled = co_await fill(exchange, worker.slot(slot));
    if (!filled) {
      client_failed = true;
      SB_CO_CHECK(co_await worker.send(Kind::body_failed));
      co_return fail(std::move(filled.error()));
    }
    if (*filled > 0) SB_CO_CHECK(co_await worker.send(Kind::body, slot, *filled));
    if (*filled < files::kSlotBytes) break;
  }
  co_return co_await worker.send(Kind::body_end);
}

// The answer's head; slots of the body that come back before it are passed over.
asio::awaitable<Result<FileWorker::Message>> wait_for_head(FileWorker& worker) {
  for (;;) {
    SB_CO_TRY(FileWorker::Message message, co_await worker.receive());
    if (message.header.kind == Kind::free) continue;
    if (message.header.kind != Kind::head) co_return confused();
    co_return std::move(message);
  }
}

// What a worker has put into its pipe: by the kernel where the answer is a plain body, through memory before its head
// has gone out and for chunked ones.
asio::awaitable<Result<void>> pass_piped(net::Exchange& exchange, FileWorker& worker, std::size_t length) {
  if (length == 0 || length > files::kPipeBytes) co_return confused();
  std::unique_ptr<char[]> memory;
  while (length > 0) {
    const net::RawBody to = exchange.raw_answer();
    if (to.stream && to.stream->is_plain_socket() && *to.left >= length) {
      const ssize_t put = ::splice(worker.pipe(), nullptr, to.stream->native_handle(), nullptr, length,
                                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
      if (put > 0) {
        length -= static_cast<std::size_t>(put);
        *to.left -= static_cast<std::uint64_t>(put);
        continue;
      }
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && errno != EAGAIN) co_return fail(Errc::cancelled, "the client has gone");
      if (put == 0 || worker.pipe_is_empty()) co_return confused();
      SB_CO_CHECK(co_await to.stream->wait_writable());
      continue;
    }
    if (!memory) memory = std::make_unique_for_overwrite<char[]>(kCopyBytes);
    const ssize_t got = ::read(worker.pipe(), memory.get(), std::min(length, kCopyBytes));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) co_return confused();
    SB_CO_CHECK(co_await exchange.write({memory.get(), static_cast<std::size_t>(got)}));
    length -= static_cast<std::size_t>(got);
  }
  co_return Result<void>{};
}

asio::awaitable<Result<void>> pass_data(net::Exchange& exchange, FileWorker& worker) {
  for (;;) {
    SB_CO_TRY(const FileWorker::Message message, co_await worker.receive());
    const files::MessageHeader& header = message.header;
    if (header.kind == Kind::end) co_return co_await exchange.finish();
    if (header.kind == Kind::failed) co_return fail(Errc::internal, "the answer broke off");
    if (header.kind == Kind::piped) {
      SB_CO_CHECK(co_await pass_piped(exchange, worker, header.length));
      continue;
    }
    if (header.kind != Kind::data || header.slot >= files::kSlots || header.length > files::kSlotBytes)
      co_return confused();
    SB_CO_CHECK(co_await exchange.write({worker.slot(header.slot), header.length}));
    SB_CO_CHECK(co_await worker.send(Kind::free, header.slot));
  }
}

asio::awaitable<Result<void>> pass_answer(net::Exchange& exchange, Lease& worker) {
  auto first = co_await (wait_for_head(*worker) || exchange.client_gone());
  if (first.index() == 1) co_return fail(Errc::cancelled, "the client has gone");
  auto& message = std::get<0>(first);
  if (!message) co_return fail(std::move(message.error()));
  SB_CO_TRY(files::Head head, files::unpack_head(message->payload));
  if (message->header.slot == 1) {
    worker.give_back();
    net::Response response;
    response.status = head.status;
    for (auto& [name, value] : head.headers) response.headers.add(std::move(name), std::move(value));
    response.body = std::move(head.body);
    co_return co_await exchange.respond(std::move(response));
  }
  net::ResponseHead response;
  response.status = head.status;
  for (auto& [name, value] : head.headers) response.headers.add(std::move(name), std::move(value));
  SB_CO_CHECK(co_await exchange.start(std::move(response)));
  SB_CO_CHECK(co_await pass_data(exchange, *worker));
  worker.give_back();
  co_return Result<void>{};
}

asio::awaitable<Result<void>> forward(const Context& context, FileWorkers& workers, net::Exchange& exchange,
                                      std::string operation) {
  SB_CO_TRY(Lease worker, co_await workers.take());
  std::string request = files::pack(make_request(context, exchange, std::move(operation)));
  if (request.size() > files::kMessageBytesMax) co_return fail(Errc::too_large, "request head is too long");
  SB_CO_CHECK(co_await worker->send(Kind::request, 0, 0, std::move(request)));
  bool client_failed = false;
  auto sent = co_await send_body(exchange, *worker, client_failed);
  if (!sent && client_failed) {
    // It cleans up behind itself; what it answers is for nobody.
    auto answer = co_await wait_for_head(*worker);
    if (answer && answer->header.slot == 1) worker.give_back();
  }
  if (!sent) co_return sent;
  co_return co_await pass_answer(exchange, worker);
}

asio::awaitable<void> handle(const Context& context, std::shared_ptr<FileWorkers> workers, net::Exchange& exchange,
                             std::string operation) {
  auto done = co_await forward(context, *workers, exchange, std::move(operation));
  if (!done && done.error().code() != Errc::cancelled) co_await answer_error(exchange, done.error());
}

}  // namespace

void add_file_routes(net::Router& router, Context& context) {
  auto workers = std::make_shared<FileWorkers>(context);
  for (const files::OperationRow& row : files::kOperations) {
    const std::string operation = std::string(row.method) + " " + row.path;
    router.add(row.method, row.path,
               [&context, workers, operation](net::Exchange& exchange, const net::PathParameters&) {
                 return handle(context, workers, exchange, operation);
               });
  }
}

}  // namespace sebring::toolbox
