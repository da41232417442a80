#include "toolbox/lsp_server.h"

#include <signal.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>

#include "base/text.h"
#include "json/json.h"
#include "toolbox/configuration.h"
#include "toolbox/interpreter_process.h"
#include "toolbox/lsp_documents.h"

namespace sebring::toolbox {
namespace {

namespace bj = boost::json;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// The first answers of a large project take their time; longer is a server that hangs.
constexpr std::chrono::seconds kAnswerTime{60};
constexpr std::chrono::seconds kStopTime{1};  // then it is killed; it has nothing to lose
constexpr std::size_t kLastWordsMax = 4 * 1024;
// Answers to its own requests that it has not read. A server that asks and asks would have all our memory.
constexpr std::size_t kUnsentAnswerBytesMax = 512 * 1024;
constexpr std::size_t kAnswerOverhead = 256;  // of one that waits

void adopt(asio::posix::stream_descriptor& descriptor, UniqueFd& fd) {
  boost::system::error_code code;
  descriptor.assign(fd.get(), code);
  if (!code) fd.release();
}

// Flat symbols and plain text are all that our wire can say.
bj::object client_capabilities() {
  return {{"textDocument",
           bj::object{{"synchronization", bj::object{{"didSave", false}}},
                      {"completion",
                       bj::object{{"completionItem", bj::object{{"snippetSupport", false},
                                                                {"documentationFormat", {"markdown", "plaintext"}}}},
                                  {"contextSupport", true}}},
                      {"documentSymbol", bj::object{{"hierarchicalDocumentSymbolSupport", false}}}}},
          {"workspace", bj::object{{"symbol", bj::object{}}, {"workspaceFolders", true}, {"configuration", true}}}};
}

bj::object answer_object(const bj::value& id) { return {{"jsonrpc", "2.0"}, {"id", id}}; }

}  // namespace

std::optional<LspLanguage> lsp_language(std::string_view id) {
  if (id == "python") return LspLanguage{"python", {"pylsp"}, {".py", ".pyi"}};
  const std::vector<std::string> argv = {"typescript-language-server", "--stdio"};
  if (id == "typescript") return LspLanguage{"typescript", argv, {".ts", ".tsx", ".mts", ".cts", ".js", ".jsx"}};
  if (id == "javascript") return LspLanguage{"javascript", argv, {".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx"}};
  return std::nullopt;
}

std::string lsp_document_language(std::string_view path, std::string_view otherwise) {
  constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
      {".ts", "typescript"}, {".mts", "typescript"}, {".cts", "typescript"}, {".tsx", "typescriptreact"},
      {".js", "javascript"}, {".mjs", "javascript"}, {".cjs", "javascript"}, {".jsx", "javascriptreact"},
      {".py", "python"},     {".pyi", "python"},
  };
  for (const auto& [suffix, kind] : kKinds) {
    if (path.ends_with(suffix)) return std::string(kind);
  }
  return std::string(otherwise);
}

LspServer::LspServer(Context& context, LspLanguage language)
    : context_(context),
      language_(std::move(language)),
      input_(context.io),
      output_(context.io),
      errors_(context.io),
      written_(context.io),
      ended_event_(context.io) {}

// ---- life

asio::awaitable<Result<std::shared_ptr<LspServer>>> LspServer::start(Context& context, LspLanguage language,
                                                                     std::string project) {
  auto self = std::make_shared<LspServer>(context, language);
  SB_CO_TRY(Pipe in, make_input_pipe());
  SB_CO_TRY(Pipe out, make_output_pipe());
  SB_CO_TRY(Pipe err, make_output_pipe());
  SB_CO_TRY(auto environment, environment_of(context));
  StartSpec spec{.argv = language.argv,
                 .environment = std::move(environment),
                 .cwd = project,
                 .uid = context.user.uid,
                 .gid = context.user.gid,
                 .groups = context.user.groups};
  spec.stdio[0] = in.read_end.get();
  spec.stdio[1] = out.write_end.get();
  spec.stdio[2] = err.write_end.get();
  auto process = co_await context.spawner.start(std::move(spec));
  if (!process) {
    Error error = std::move(process.error()).while_doing("start " + language.argv[0]);
    const bool place = error.code() == Errc::not_found || error.code() == Errc::forbidden;
    co_return fail(place ? std::move(error).with_code(Errc::unprocessable) : std::move(error));
  }
  self->process_ = *std::move(process);
  adopt(self->input_, in.write_end);
  adopt(self->output_, out.read_end);
  adopt(self->errors_, err.read_end);
  in_background(context.io, read_messages(self), "language server");
  in_background(context.io, read_errors(self), "language server");
  in_background(context.io, watch(self), "language server");
  if (auto ready = co_await self->initialize(std::move(project)); !ready) {
    co_await self->stop();
    co_return fail(std::move(ready.error()).while_doing("start " + language.argv[0]));
  }
  co_return self;
}

asio::awaitable<Result<void>> LspServer::initialize(std::string project) {
  const std::string uri = file_uri(project);
  bj::object params{{"processId", nullptr},  // ours means nothing to it: another namespace of processes
                    {"clientInfo", bj::object{{"name", "sebring"}}},
                    {"rootUri", uri},
                    {"rootPath", project},
                    {"workspaceFolders", bj::array{bj::object{{"uri", uri}, {"name", project}}}},
                    {"capabilities", client_capabilities()}};
  SB_CO_TRY(bj::value answer, co_await request("initialize", std::move(params)));
  if (answer.is_object()) {
    if (const auto* capabilities = answer.get_object().if_contains("capabilities");
        capabilities && capabilities->is_object()) {
      capabilities_ = capabilities->get_object();
    }
  }
  co_return co_await notify("initialized", bj::object{});
}

asio::awaitable<void> LspServer::watch(std::shared_ptr<LspServer> self) {
  const ExitStatus status = co_await self->process_->wait();
  self->ended_ = status;
  self->fail_all(Error(Errc::bad_gateway, self->language_.argv[0] + " " + self->end_text()));
  boost::system::error_code ignored;
  for (auto* descriptor : {&self->input_, &self->output_}) descriptor->close(ignored);
  self->written_.notify();
  self->ended_event_.notify();
  // A crashed server must not leave its helpers behind.
  if (!self->stopping_) co_await self->process_->kill_tree();
}

std::string LspServer::end_text() const {
  std::string text = ended_ ? describe_end(*ended_) : "runs";
  if (!trim(last_words_).empty()) text += ": " + to_valid_utf8(trim(last_words_));
  return text;
}

// Beside the waiting, since a server that hangs does not read it either.
asio::awaitable<void> LspServer::send_goodbye(std::shared_ptr<LspServer> self) {
  if (!co_await self->request("shutdown", nullptr)) co_return;
  (void)co_await self->notify("exit", nullptr);
  boost::system::error_code ignored;
  self->input_.close(ignored);  // some wait for the end of their input, too
}

asio::awaitable<void> LspServer::stop() {
  auto self = shared_from_this();
  stopping_ = true;
  if (!ended_) {
    const auto deadline = Steady::now() + kStopTime;
    in_background(context_.io, send_goodbye(self), "language server");
    while (!ended_ && co_await ended_event_.changed(ended_event_.version(), deadline)) {
    }
  }
  co_await process_->kill_tree();
  while (!ended_) co_await ended_event_.changed(ended_event_.version());
}

// ---- asking

asio::awaitable<Result<bj::value>> LspServer::request(std::string method, bj::value params) {
  auto self = shared_from_this();
  const std::int64_t id = ++last_id_;
  auto pending = std::make_shared<Pending>(context_.io);
  pending_[id] = pending;
  bj::object message{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}};
  if (!params.is_null()) message["params"] = std::move(params);  // none at all is not the same as null
  if (auto sent = co_await send(bj::serialize(message)); !sent) {
    pending_.erase(id);
    co_return fail(std::move(sent.error()));
  }
  const auto deadline = Steady::now() + kAnswerTime;
  while (!pending->answer && co_await pending->answered.changed(pending->answered.version(), deadline)) {
  }
  pending_.erase(id);
  if (!pending->answer) {
    (void)co_await notify("$/cancelRequest", bj::object{{"id", id}});
    co_return fail(Errc::timed_out, language_.argv[0] + " did not answer " + method + " in time");
  }
  co_return *std::move(pending->answer);
}

asio::awaitable<Result<void>> LspServer::notify(std::string method, bj::value params) {
  bj::object message{{"jsonrpc", "2.0"}, {"method", std::move(method)}};
  if (!params.is_null()) message["params"] = std::move(params);
  co_return co_await send(bj::serialize(message));
}

asio::awaitable<Result<void>> LspServer::send(std::string message) {
  auto self = shared_from_this();
  while (writing_ && !ended_) co_await written_.changed(written_.version());
  if (ended_) co_return fail(Errc::bad_gateway, language_.argv[0] + " " + end_text());
  writing_ = true;
  const std::string frame = lsp_frame(message);
  auto [code, bytes] = co_await asio::async_write(input_, asio::buffer(frame), kToken);
  writing_ = false;
  written_.notify();
  if (code) co_return fail(Errc::bad_gateway, language_.argv[0] + " reads no more");
  co_return Result<void>{};
}

void LspServer::fail_all(const Error& error) {
  for (auto& [id, pending] : pending_) {
    if (!pending->answer) pending->answer = fail(Error(error));
    pending->answered.notify();
  }
}

// ---- listening

asio::awaitable<void> LspServer::read_messages(std::shared_ptr<LspServer> self) {
  std::string buffer(64 * 1024, '\0');
  bool broken = false;
  while (!broken) {
    auto [code, bytes] = co_await self->output_.async_read_some(asio::buffer(buffer), kToken);
    if (code) break;
    self->framer_.add(std::string_view(buffer).substr(0, bytes));
    for (;;) {
      auto message = self->framer_.next();
      if (!message) {
        self->last_words_ = message.error().message();
        broken = true;
        break;
      }
      if (!*message) break;
      auto object = json::parse_object(**message);
      if (!object) continue;
      if (auto taken = self->take(*object); !taken) {
        self->last_words_ = taken.error().message();
        broken = true;
        break;
      }
    }
  }
  // It does not speak the protocol, or closed its output and lives on: of no use either way.
  if (!self->ended_) co_await self->process_->kill_tree();
}

asio::awaitable<void> LspServer::read_errors(std::shared_ptr<LspServer> self) {
  std::string buffer(4096, '\0');
  for (;;) {
    auto [code, bytes] = co_await self->errors_.async_read_some(asio::buffer(buffer), kToken);
    if (code) co_return;
    self->last_words_ += std::string_view(buffer).substr(0, bytes);
    if (self->last_words_.size() > kLastWordsMax) {
      self->last_words_.erase(0, self->last_words_.size() - kLastWordsMax / 2);
    }
  }
}

Result<void> LspServer::take(const bj::object& message) {
  const bj::value* id = message.if_contains("id");
  if (message.if_contains("method")) {
    if (id) return answer_server(message);
    return {};  // notifications: diagnostics, logs, progress
  }
  if (!id || !id->is_int64()) return {};
  const auto found = pending_.find(id->get_int64());
  if (found == pending_.end()) return {};
  Pending& pending = *found->second;
  if (const auto* error = message.if_contains("error"); error && error->is_object()) {
    const auto* text = error->get_object().if_contains("message");
    pending.answer =
        fail(Errc::bad_gateway,
             language_.argv[0] + ": " + (text && text->is_string() ? std::string(text->get_string()) : "error"));
  } else {
    const auto* result = message.if_contains("result");
    pending.answer = Result<bj::value>(result ? *result : bj::value());
  }
  pending.answered.notify();
  return {};
}

// Requests the other way: what must be answered for the server to go on.
Result<void> LspServer::answer_server(const bj::object& message) {
  bj::object answer = answer_object(message.at("id"));
  const auto* method = message.if_contains("method");
  const std::string_view name = method->is_string() ? std::string_view(method->get_string()) : std::string_view();
  if (name == "workspace/configuration") {
    bj::array none;
    const auto* params = message.if_contains("params");
    const auto* items = params && params->is_object() ? params->get_object().if_contains("items") : nullptr;
    const std::size_t count = items && items->is_array() ? std::min<std::size_t>(items->get_array().size(), 1000) : 0;
    none.resize(count);
    answer["result"] = std::move(none);
  } else if (name == "client/registerCapability" || name == "client/unregisterCapability" ||
             name == "window/workDoneProgress/create" || name == "window/showMessageRequest") {
    answer["result"] = nullptr;
  } else if (name == "workspace/applyEdit") {
    answer["result"] = bj::object{{"applied", false}};
  } else {
    answer["error"] = bj::object{{"code", -32601}, {"message", "method not found"}};
  }
  std::string text = bj::serialize(answer);
  unsent_answer_bytes_ += text.size() + kAnswerOverhead;
  if (unsent_answer_bytes_ > kUnsentAnswerBytesMax) {
    return fail(Errc::bad_gateway, "it asks without reading the answers");
  }
  in_background(context_.io, send_answer(shared_from_this(), std::move(text)), "language server");
  return {};
}

asio::awaitable<void> LspServer::send_answer(std::shared_ptr<LspServer> self, std::string text) {
  const std::size_t counted = text.size() + kAnswerOverhead;
  (void)co_await self->send(std::move(text));
  self->unsent_answer_bytes_ -= counted;
}

}  // namespace sebring::toolbox
