#include "toolbox/git_routes_run.h"

#include <signal.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/time.h"
#include "toolbox/answer.h"
#include "toolbox/run_command.h"
#include "toolbox_git/protocol.h"
#include "toolbox_git/request.h"

namespace sebring::toolbox {
namespace {

namespace bj = boost::json;
using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// Each helper may need 200 MB; more at once than this would only make all of them slow.
constexpr int kHelpersMax = 16;
// Nothing moved for so long: a server that drips, a pipe in place of a file, a disk that hangs.
constexpr std::chrono::seconds kStallTime = 300s;
// The largest repositories over the slowest lines take less; local work on them far less.
constexpr std::chrono::seconds kNetworkTime = 4h;
constexpr std::chrono::seconds kLocalTime = 30min;
// From asking the helper to end to killing it: what a large checkout may still take.
constexpr std::chrono::seconds kGraceTime = 10s;
constexpr std::chrono::seconds kDiscardTime = 120s;
// Answers up to this size go out with a Content-Length, longer ones in pieces.
constexpr std::size_t kWholeBodyMax = 256 * 1024;
constexpr std::size_t kLineMax = 64 * 1024;
constexpr std::size_t kReadBytes = 32 * 1024;

std::string variable(const Context& context, const char* name) {
  const auto found = context.environment.find(name);
  return found == context.environment.end() ? "" : found->second;
}

// Only what git's behaviour depends on: the rest of the image's environment could reach into a static program.
std::vector<std::string> helper_environment(const Context& context) {
  std::vector<std::string> environment{
      "HOME=" + (variable(context, "HOME").empty() ? context.user.home : variable(context, "HOME")),
      "PATH=/usr/bin:/bin"};
  for (const char* name :
       {"XDG_CONFIG_HOME", "TZ", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"})
    if (const auto value = variable(context, name); !value.empty()) environment.push_back(name + ("=" + value));
  return environment;
}

std::string ca_file(const Context& context) {
  for (const char* name : {"GIT_SSL_CAINFO", "SSL_CERT_FILE"})
    if (auto value = variable(context, name); !value.empty()) return value;
  return "";
}

// One running helper. Shared with the coroutine that ends it when its request is given up.
struct Helper {
  Helper(Context& owner, int output) : context(owner), pipe(owner.io, output) {}
  Context& context;
  std::shared_ptr<Process> process;
  asio::posix::stream_descriptor pipe;
  std::string buffer;  // read, not used yet
  bool at_end = false;
  std::optional<toolbox_git::TargetEvent> target;
  Steady::time_point started = Steady::now();
  Steady::time_point last_sign = Steady::now();
};

asio::awaitable<Result<std::shared_ptr<Helper>>> start_helper(Context& context, const std::string& job) {
  if (!context.git_helper) co_return fail(Errc::unavailable, "this toolbox was started without its git helper");
  SB_CO_TRY(UniqueFd input, input_of(job));
  SB_CO_TRY(Pipe output, make_output_pipe());
  StartSpec spec;
  spec.executable = context.git_helper.get();
  spec.argv = {"sebring-toolbox-git"};
  spec.environment = helper_environment(context);
  spec.cwd = "/";
  spec.uid = context.user.uid;
  spec.gid = context.user.gid;
  spec.groups = context.user.groups;
  spec.stdio[0] = input.get();
  spec.stdio[1] = output.write_end.get();
  auto process = co_await context.spawner.start(std::move(spec));
  if (!process) co_return std::unexpected(std::move(process).error().while_doing("start git"));
  auto helper = std::make_shared<Helper>(context, output.read_end.release());
  helper->process = *std::move(process);
  co_return helper;
}

// More of the helper's output into its buffer; sets at_end.
asio::awaitable<void> read_more(Helper& helper) {
  std::array<char, kReadBytes> block;
  auto [code, got] = co_await helper.pipe.async_read_some(asio::buffer(block), kToken);
  if (code) {
    helper.at_end = true;
    co_return;
  }
  helper.last_sign = Steady::now();
  helper.buffer.append(block.data(), got);
}

// Until `done`, an error, or the end of the output. True for `done`.
asio::awaitable<Result<bool>> read_events(std::shared_ptr<Helper> helper) {
  while (true) {
    const auto end = helper->buffer.find('\n');
    if (end == std::string::npos) {
      if (helper->buffer.size() > kLineMax) co_return fail(Errc::internal, "the git helper answered something unknown");
      if (helper->at_end) co_return false;
      co_await read_more(*helper);
      continue;
    }
    auto event = toolbox_git::decode(std::string_view(helper->buffer).substr(0, end));
    helper->buffer.erase(0, end + 1);
    if (!event) co_return std::unexpected(std::move(event).error());
    if (std::holds_alternative<toolbox_git::DoneEvent>(*event)) co_return true;
    if (auto* failed = std::get_if<toolbox_git::ErrorEvent>(&*event)) co_return fail(std::move(failed->error));
    if (auto* target = std::get_if<toolbox_git::TargetEvent>(&*event)) helper->target = std::move(*target);
  }
}

// Until the answer is whole or longer than what is held at once.
asio::awaitable<void> read_body_start(std::shared_ptr<Helper> helper) {
  while (!helper->at_end && helper->buffer.size() <= kWholeBodyMax) co_await read_more(*helper);
}

asio::awaitable<void> out_of_time(std::shared_ptr<Helper> helper, std::chrono::seconds total) {
  asio::steady_timer timer(helper->context.io);
  while (true) {
    const auto limit = std::min(helper->started + total, helper->last_sign + kStallTime);
    if (Steady::now() >= limit) co_return;
    timer.expires_at(limit);
    auto [code] = co_await timer.async_wait(kToken);
    if (code) co_return;
  }
}

Error death_error(const ExitStatus& status) {
  if (status.out_of_memory) {
    return Error(Errc::internal, "git was killed: it needs more memory than the sandbox's limit of " +
                                     std::to_string(status.out_of_memory->limit_bytes >> 20) + " MiB leaves");
  }
  if (status.signal != 0) return Error(Errc::internal, "git was killed by signal " + std::to_string(status.signal));
  return Error(Errc::internal, "git ended without an answer");
}

// By a new helper, as the same user: the daemon itself must not walk a tree that the user can change.
asio::awaitable<void> discard(Context& context, toolbox_git::TargetEvent target) {
  const bj::object fields{{"path", target.path}, {"keep_directory", target.existed}};
  auto helper = co_await start_helper(context, toolbox_git::encode_job("discard", fields, ""));
  if (!helper) co_return;
  co_await (read_events(*helper) || out_of_time(*helper, kDiscardTime));
  co_await (*helper)->process->kill_tree();
  co_await (*helper)->process->wait();
}

asio::awaitable<void> read_to_end(std::shared_ptr<Helper> helper) {
  while (!helper->at_end) {
    co_await read_more(*helper);
    helper->buffer.clear();
  }
}

asio::awaitable<void> grace(asio::io_context& io) {
  asio::steady_timer timer(io, kGraceTime);
  co_await timer.async_wait(kToken);
}

// Asks first: a helper that ends by itself removes its locks and its half-made clone.
asio::awaitable<void> end_helper(std::shared_ptr<Helper> helper) {
  helper->process->signal_group(SIGTERM);
  co_await (read_to_end(helper) || grace(helper->context.io));
  co_await helper->process->kill_tree();
  const auto status = co_await helper->process->wait();
  if (helper->target && status.code != 0) co_await discard(helper->context, *helper->target);
}

asio::awaitable<void> end_in_background(std::shared_ptr<Helper> helper) { co_await end_helper(std::move(helper)); }

// Ends the helper when the request is given up, in whatever way.
class HelperGuard {
 public:
  HelperGuard(std::shared_ptr<Helper> helper, int& running) : helper_(std::move(helper)), running_(running) {
    ++running_;
  }
  HelperGuard(const HelperGuard&) = delete;
  HelperGuard& operator=(const HelperGuard&) = delete;
  ~HelperGuard() {
    --running_;
    if (helper_ && !helper_->context.io.stopped())
      asio::co_spawn(helper_->context.io, end_in_background(helper_), asio::detached);
  }
  void release() { helper_.reset(); }

 private:
  std::shared_ptr<Helper> helper_;
  int& running_;
};

// One thread, one count.
int& helpers_running() {
  static int count = 0;
  return count;
}

asio::awaitable<Result<void>> send_in_pieces(std::shared_ptr<Helper> helper, net::Exchange& exchange,
                                             net::ResponseHead head, std::chrono::seconds total) {
  SB_CO_CHECK(co_await exchange.start(std::move(head)));
  while (true) {
    if (!helper->buffer.empty()) {
      const auto piece = std::exchange(helper->buffer, {});
      if (!co_await exchange.write(piece)) co_return fail(Errc::cancelled, "the client has gone");
    }
    if (helper->at_end) break;
    auto first = co_await (read_more(*helper) || out_of_time(helper, total));
    if (first.index() == 1) co_return fail(Errc::timed_out, "git did not end");
  }
  // An answer that is not whole must not look as if it were: without the last chunk the client sees an error.
  if (const auto status = co_await helper->process->wait(); status.code != 0) co_return fail(death_error(status));
  co_return co_await exchange.finish();
}

asio::awaitable<Result<void>> send_answer(std::shared_ptr<Helper> helper, net::Exchange& exchange, int status,
                                          std::chrono::seconds total) {
  auto first = co_await (read_body_start(helper) || out_of_time(helper, total) || exchange.client_gone());
  if (first.index() == 1) co_return fail(Errc::timed_out, "git did not end");
  if (first.index() == 2) co_return fail(Errc::cancelled, "the client has gone");
  if (!helper->at_end) {
    net::ResponseHead head;
    head.status = status;
    head.headers.add("Content-Type", "application/json; charset=utf-8");
    co_return co_await send_in_pieces(helper, exchange, std::move(head), total);
  }
  if (const auto ended = co_await helper->process->wait(); ended.code != 0) co_return fail(death_error(ended));
  if (helper->buffer.empty()) co_return co_await exchange.respond(net::Response::empty(status));
  co_return co_await exchange.respond(net::Response::json(status, std::move(helper->buffer)));
}

Error time_error(bool network) {
  if (network)
    return Error(Errc::bad_gateway, "git was stopped: no progress for too long").tagged("GIT_TRANSPORT_FAILED");
  return Error(Errc::timed_out, "git was stopped: it did not end in time");
}

}  // namespace

Result<void> resolve_git_path(bj::object& fields, const Context& context) {
  auto* path = fields.if_contains("path");
  if (!path || !path->is_string() || path->get_string().empty()) return {};  // said by whoever needs it
  SB_TRY(const auto resolved, resolve_path(path->get_string(), context.work_dir, context.user.home));
  *path = resolved;
  return {};
}

asio::awaitable<Result<void>> run_git(Context& context, net::Exchange& exchange, GitCall call) {
  auto request = toolbox_git::parse_request(call.operation, call.fields);
  if (!request) co_return fail(Errc::invalid_argument, request.error().message(), "INVALID_REQUEST_BODY");
  const bool network = toolbox_git::uses_network(*request);
  const auto total = network ? kNetworkTime : kLocalTime;
  if (helpers_running() >= kHelpersMax) co_return fail(Errc::exhausted, "too many git operations at once");
  const auto job = toolbox_git::encode_job(call.operation, call.fields, ca_file(context));
  SB_CO_TRY(auto helper, co_await start_helper(context, job));
  HelperGuard guard(helper, helpers_running());
  auto first = co_await (read_events(helper) || out_of_time(helper, total) || exchange.client_gone());
  if (first.index() == 2) co_return fail(Errc::cancelled, "the client has gone");
  if (first.index() == 1) {
    guard.release();
    co_await end_helper(helper);
    co_return fail(time_error(network));
  }
  auto& events = std::get<0>(first);
  if (!events) {
    guard.release();
    co_await helper->process->wait();  // it has cleaned up after itself
    co_return std::unexpected(std::move(events).error());
  }
  if (!*events) {
    guard.release();
    const auto status = co_await helper->process->wait();
    if (helper->target) co_await discard(context, *helper->target);
    co_return fail(death_error(status));
  }
  helper->target.reset();  // finished: nothing to remove any more
  auto sent = co_await send_answer(helper, exchange, call.success_status, total);
  if (sent) guard.release();
  co_return sent;
}

}  // namespace sebring::toolbox
