#include "toolbox/lsp_project.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "toolbox/lsp_answers.h"

namespace sebring::toolbox {
namespace {

namespace bj = boost::json;
// A server that crashes at once is not started again and again.
constexpr std::chrono::seconds kRestartPause{2};
constexpr std::size_t kDocumentsMax = 1000;
// For servers that can not search a project themselves: its files are asked for their symbols one by one.
constexpr std::size_t kSearchedFilesMax = 1000;
constexpr std::chrono::seconds kSearchTime{20};

bj::object document_id(const std::string& uri) { return {{"textDocument", bj::object{{"uri", uri}}}}; }

}  // namespace

LspProject::LspProject(Context& context, std::shared_ptr<BlockingThread> thread, LspLanguage language,
                       std::string project)
    : context_(context),
      thread_(std::move(thread)),
      language_(std::move(language)),
      project_(std::move(project)),
      start_event_(context.io) {}

// ---- the server

asio::awaitable<Result<void>> LspProject::start() {
  // Who asks for a start need not wait for the pause to be over.
  SB_CO_TRY(auto started, co_await server(Restart::at_once));
  co_return Result<void>{};
}

asio::awaitable<Result<std::shared_ptr<LspServer>>> LspProject::server(Restart restart) {
  auto self = shared_from_this();
  while (starting_) co_await start_event_.changed(start_event_.version());
  if (stopped_) co_return fail(Errc::gone, "the language server was stopped");
  if (server_ && !server_->ended()) co_return server_;
  if (server_ && restart == Restart::after_pause && Steady::now() < last_start_ + kRestartPause) {
    co_return fail(Errc::bad_gateway, language_.argv[0] + " " + server_->end_text());
  }
  starting_ = true;
  last_start_ = Steady::now();
  auto started = co_await LspServer::start(context_, language_, project_);
  if (started && !stopped_) {
    server_ = *started;
    // What was open in the one that crashed.
    const auto before = std::exchange(documents_, {});
    for (const auto& [uri, document] : before) {
      const std::vector<std::string> path{document.path};
      auto file = co_await thread_->run([path, &user = context_.user] { return read_source(path, user); });
      if (file) (void)co_await send_open(server_, *file);
    }
  } else if (started) {
    co_await (*started)->stop();
    started = fail(Errc::gone, "the language server was stopped");
  }
  starting_ = false;
  start_event_.notify();
  co_return started;
}

asio::awaitable<void> LspProject::stop() {
  auto self = shared_from_this();
  stopped_ = true;
  while (starting_) co_await start_event_.changed(start_event_.version());
  if (server_) co_await server_->stop();
}

// ---- documents

asio::awaitable<Result<SourceFile>> LspProject::read(std::string uri) {
  SB_CO_TRY(const auto paths, candidate_paths(uri, {project_, context_.work_dir}));
  co_return co_await thread_->run([paths, &user = context_.user] { return read_source(paths, user); });
}

asio::awaitable<Result<void>> LspProject::send_open(std::shared_ptr<LspServer> server, const SourceFile& file) {
  const std::string uri = file_uri(file.path);
  if (documents_.contains(uri)) {
    SB_CO_CHECK(co_await server->notify("textDocument/didClose", document_id(uri)));
  } else if (documents_.size() >= kDocumentsMax) {
    co_return fail(Errc::exhausted, "too many documents are open");
  }
  documents_[uri] = {.path = file.path, .modified_ns = file.modified_ns, .size = file.size};
  bj::object document{{"uri", uri},
                      {"languageId", lsp_document_language(file.path, language_.id)},
                      {"version", 1},
                      {"text", file.text}};
  co_return co_await server->notify("textDocument/didOpen", bj::object{{"textDocument", std::move(document)}});
}

asio::awaitable<Result<void>> LspProject::open(std::string uri) {
  auto self = shared_from_this();
  SB_CO_TRY(auto server, co_await this->server());
  SB_CO_TRY(const SourceFile file, co_await read(std::move(uri)));
  co_return co_await send_open(server, file);
}

asio::awaitable<Result<void>> LspProject::close(std::string uri) {
  auto self = shared_from_this();
  SB_CO_TRY(auto server, co_await this->server());
  SB_CO_TRY(const auto paths, candidate_paths(uri, {project_, context_.work_dir}));
  for (const std::string& path : paths) {
    const std::string name = file_uri(path);
    if (documents_.erase(name) > 0) co_return co_await server->notify("textDocument/didClose", document_id(name));
  }
  co_return Result<void>{};  // it is closed
}

asio::awaitable<Result<std::string>> LspProject::refresh(std::shared_ptr<LspServer> server, std::string uri) {
  SB_CO_TRY(const auto paths, candidate_paths(uri, {project_, context_.work_dir}));
  for (const std::string& path : paths) {
    const std::string name = file_uri(path);
    const auto found = documents_.find(name);
    if (found == documents_.end()) continue;
    const Document known = found->second;
    auto now = co_await thread_->run([path, &user = context_.user] { return look_at_source(path, user); });
    if (!now || (now->modified_ns == known.modified_ns && now->size == known.size)) co_return name;
    const std::vector<std::string> just_it{path};
    SB_CO_TRY(SourceFile file,
              co_await thread_->run([just_it, &user = context_.user] { return read_source(just_it, user); }));
    Document& document = documents_[name];
    document = {.path = path, .modified_ns = file.modified_ns, .size = file.size, .version = known.version + 1};
    bj::object params{{"textDocument", bj::object{{"uri", name}, {"version", document.version}}},
                      {"contentChanges", bj::array{bj::object{{"text", std::move(file.text)}}}}};
    SB_CO_CHECK(co_await server->notify("textDocument/didChange", std::move(params)));
    co_return name;
  }
  SB_CO_TRY(const SourceFile file, co_await read(std::move(uri)));
  SB_CO_CHECK(co_await send_open(server, file));
  co_return file_uri(file.path);
}

// ---- questions

asio::awaitable<Result<bj::value>> LspProject::completions(std::string uri, bj::object position, bj::value context) {
  auto self = shared_from_this();
  SB_CO_TRY(auto server, co_await this->server());
  SB_CO_TRY(const std::string name, co_await refresh(server, std::move(uri)));
  bj::object params = document_id(name);
  params["position"] = std::move(position);
  if (!context.is_null()) params["context"] = std::move(context);
  SB_CO_TRY(const bj::value answer, co_await server->request("textDocument/completion", std::move(params)));
  co_return completion_list(answer);
}

asio::awaitable<Result<bj::value>> LspProject::document_symbols(std::string uri) {
  auto self = shared_from_this();
  SB_CO_TRY(auto server, co_await this->server());
  SB_CO_TRY(const std::string name, co_await refresh(server, std::move(uri)));
  SB_CO_TRY(const bj::value answer, co_await server->request("textDocument/documentSymbol", document_id(name)));
  co_return flat_symbols(answer, name);
}

asio::awaitable<Result<void>> LspProject::refresh_open_documents(std::shared_ptr<LspServer> server) {
  std::vector<std::string> open;
  for (const auto& [uri, document] : documents_) open.push_back(uri);
  for (const std::string& uri : open) SB_CO_CHECK(co_await refresh(server, uri));
  if (!open.empty()) co_return Result<void>{};
  // The typescript server knows of a project only through a file of it.
  auto files = co_await thread_->run([project = project_, suffixes = language_.suffixes, &user = context_.user] {
    return list_sources(project, suffixes, 1, user);
  });
  if (files.empty()) co_return Result<void>{};
  SB_CO_CHECK(co_await refresh(server, file_uri(files.front())));
  co_return Result<void>{};
}

asio::awaitable<Result<bj::value>> LspProject::workspace_symbols(std::string query) {
  auto self = shared_from_this();
  SB_CO_TRY(auto server, co_await this->server());
  const auto* provider = server->capabilities().if_contains("workspaceSymbolProvider");
  const bool able = provider && (provider->is_object() || (provider->is_bool() && provider->get_bool()));
  if (!able) co_return co_await search_documents(server, std::move(query));
  SB_CO_CHECK(co_await refresh_open_documents(server));
  SB_CO_TRY(const bj::value answer, co_await server->request("workspace/symbol", bj::object{{"query", query}}));
  co_return flat_symbols(answer, "");
}

asio::awaitable<Result<bj::value>> LspProject::search_documents(std::shared_ptr<LspServer> server, std::string query) {
  auto files = co_await thread_->run([project = project_, suffixes = language_.suffixes, &user = context_.user] {
    return list_sources(project, suffixes, kSearchedFilesMax, user);
  });
  const auto deadline = Steady::now() + kSearchTime;
  bj::array symbols;
  for (const std::string& path : files) {
    if (Steady::now() >= deadline) break;
    const std::string uri = file_uri(path);
    auto answer = co_await server->request("textDocument/documentSymbol", document_id(uri));
    if (!answer && server->ended()) co_return fail(std::move(answer.error()));
    if (!answer) continue;  // a file that it can not read
    for (auto& symbol : flat_symbols(*answer, uri, query)) symbols.push_back(std::move(symbol));
  }
  co_return symbols;
}

}  // namespace sebring::toolbox
