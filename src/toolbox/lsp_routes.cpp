// /lsp: from requests to language servers and back.
#include <boost/json.hpp>
#include <map>

#include "json/json.h"
#include "toolbox/answer.h"
#include "toolbox/body.h"
#include "toolbox/lsp_project.h"
#include "toolbox/paths.h"

namespace sebring::toolbox {
namespace {

namespace bj = boost::json;
constexpr std::size_t kBodyBytesMax = 1 << 20;
constexpr std::size_t kServersMax = 32;
constexpr std::int64_t kPositionMax = 1'000'000'000;

using Exchange = net::Exchange;
using Parameters = net::PathParameters;

struct LspStore {
  explicit LspStore(Context& the_context) : context(the_context), thread(std::make_shared<BlockingThread>()) {}
  Context& context;
  std::shared_ptr<BlockingThread> thread;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<LspProject>> projects;  // by server and project
};
using Store = std::shared_ptr<LspStore>;

struct Place {
  LspLanguage language;
  std::string project;
  // Languages that one server knows share it.
  std::pair<std::string, std::string> key() const { return {language.argv[0], project}; }
};

Result<Place> resolve_place(const LspStore& store, const std::string& language_id, const std::string& path) {
  auto language = lsp_language(language_id);
  if (!language) return fail(Errc::invalid_argument, "unsupported language: " + language_id);
  SB_TRY(std::string project, resolve_path(path, store.context.work_dir, store.context.user.home));
  while (project.size() > 1 && project.ends_with('/')) project.pop_back();
  return Place{*std::move(language), std::move(project)};
}

Result<std::shared_ptr<LspProject>> find_project(const LspStore& store, const Place& place) {
  const auto found = store.projects.find(place.key());
  if (found == store.projects.end()) {
    return fail(Errc::invalid_argument,
                "LSP server for " + place.language.id + " in " + place.project + " is not started",
                "LSP_SERVER_NOT_INITIALIZED");
  }
  return found->second;
}

// Reads languageId and pathToProject; the caller reads more and calls finish().
struct PlaceFields {
  explicit PlaceFields(json::ObjectReader& reader)
      : language(reader.required_text("languageId")), project(reader.required_text("pathToProject")) {}
  std::string language;
  std::string project;
};

asio::awaitable<Result<void>> start(Store store, bj::object body) {
  json::ObjectReader reader(body);
  const PlaceFields fields(reader);
  SB_CO_CHECK(invalid_body(reader.finish()));
  SB_CO_TRY(const Place place, resolve_place(*store, fields.language, fields.project));
  const auto found = store->projects.find(place.key());
  if (found != store->projects.end()) {
    auto project = found->second;
    co_return co_await project->start();
  }
  if (store->projects.size() >= kServersMax) co_return fail(Errc::exhausted, "too many language servers");
  auto project = std::make_shared<LspProject>(store->context, store->thread, place.language, place.project);
  store->projects[place.key()] = project;
  auto started = co_await project->start();
  if (!started) {
    const auto mine = store->projects.find(place.key());
    if (mine != store->projects.end() && mine->second == project) store->projects.erase(mine);
  }
  co_return started;
}

asio::awaitable<Result<void>> stop(Store store, bj::object body) {
  json::ObjectReader reader(body);
  const PlaceFields fields(reader);
  SB_CO_CHECK(invalid_body(reader.finish()));
  SB_CO_TRY(const Place place, resolve_place(*store, fields.language, fields.project));
  SB_CO_TRY(auto project, find_project(*store, place));
  store->projects.erase(place.key());
  co_await project->stop();
  co_return Result<void>{};
}

asio::awaitable<Result<void>> open_or_close(Store store, bj::object body, bool open) {
  json::ObjectReader reader(body);
  const PlaceFields fields(reader);
  std::string uri = reader.required_text("uri");
  SB_CO_CHECK(invalid_body(reader.finish()));
  SB_CO_TRY(const Place place, resolve_place(*store, fields.language, fields.project));
  SB_CO_TRY(auto project, find_project(*store, place));
  if (open) co_return co_await project->open(std::move(uri));
  co_return co_await project->close(std::move(uri));
}
asio::awaitable<Result<void>> did_open(Store store, bj::object body) {
  co_return co_await open_or_close(std::move(store), std::move(body), true);
}
asio::awaitable<Result<void>> did_close(Store store, bj::object body) {
  co_return co_await open_or_close(std::move(store), std::move(body), false);
}

struct Position {
  bj::object position;
  bj::value context;
};

Result<Position> parse_position(json::ObjectReader& reader) {
  Position result;
  if (const auto* position = reader.object("position")) {
    json::ObjectReader inside(*position, "position.");
    const auto line = inside.integer("line", 0, kPositionMax);
    const auto character = inside.integer("character", 0, kPositionMax);
    SB_CHECK(inside.finish());
    if (!line || !character) reader.error("position needs line and character");
    result.position = {{"line", line.value_or(0)}, {"character", character.value_or(0)}};
  } else {
    reader.error("position is required");
  }
  if (const auto* context = reader.object("context")) {
    json::ObjectReader inside(*context, "context.");
    const auto kind = inside.integer("triggerKind", 1, 3);
    const auto character = inside.text("triggerCharacter");
    SB_CHECK(inside.finish());
    if (!kind) reader.error("context.triggerKind is required");
    bj::object kept{{"triggerKind", kind.value_or(1)}};
    if (character) kept["triggerCharacter"] = *character;
    result.context = std::move(kept);
  }
  SB_CHECK(reader.finish());
  return result;
}

asio::awaitable<Result<bj::value>> completions(Store store, bj::object body) {
  json::ObjectReader reader(body);
  const PlaceFields fields(reader);
  std::string uri = reader.required_text("uri");
  auto position = parse_position(reader);
  if (!position) co_return fail(std::move(position.error()).tagged("INVALID_REQUEST_BODY"));
  SB_CO_TRY(const Place place, resolve_place(*store, fields.language, fields.project));
  SB_CO_TRY(auto project, find_project(*store, place));
  co_return co_await project->completions(std::move(uri), std::move(position->position), std::move(position->context));
}

Result<std::string> required(const net::Query& query, std::string_view name) {
  const auto value = query.find(name);
  if (!value || value->empty()) return fail(Errc::invalid_argument, std::string(name) + " is required");
  return std::string(*value);
}

asio::awaitable<Result<bj::value>> symbols(Store store, std::string raw_query, bool of_workspace) {
  const net::Query query(raw_query);
  SB_CO_TRY(const std::string language, required(query, "languageId"));
  SB_CO_TRY(const std::string path, required(query, "pathToProject"));
  std::string what(query.find("query").value_or(""));
  if (!of_workspace) {
    SB_CO_TRY(what, required(query, "uri"));
  }
  SB_CO_TRY(const Place place, resolve_place(*store, language, path));
  SB_CO_TRY(auto project, find_project(*store, place));
  if (of_workspace) co_return co_await project->workspace_symbols(std::move(what));
  co_return co_await project->document_symbols(std::move(what));
}

// ---- the wire

using Action = asio::awaitable<Result<void>> (*)(Store, bj::object);

asio::awaitable<void> act(Store store, Action action, Exchange& exchange) {
  auto body = co_await read_object(exchange, kBodyBytesMax);
  if (!body) co_return co_await answer_error(exchange, body.error());
  auto done = co_await action(store, *std::move(body));
  if (!done) co_return co_await answer_error(exchange, done.error());
  co_await exchange.respond(net::Response::empty(200));
}

asio::awaitable<void> answer_value(Exchange& exchange, Result<bj::value> value) {
  if (!value) co_return co_await answer_error(exchange, value.error());
  co_await exchange.respond(net::Response::json(200, bj::serialize(*value)));
}

asio::awaitable<void> answer_completions(Store store, Exchange& exchange) {
  auto body = co_await read_object(exchange, kBodyBytesMax);
  if (!body) co_return co_await answer_error(exchange, body.error());
  auto value = co_await completions(store, *std::move(body));
  co_await answer_value(exchange, std::move(value));
}

asio::awaitable<void> answer_symbols(Store store, bool of_workspace, Exchange& exchange) {
  auto value = co_await symbols(store, exchange.request().query, of_workspace);
  co_await answer_value(exchange, std::move(value));
}

}  // namespace

void add_lsp_routes(net::Router& router, Context& context) {
  auto store = std::make_shared<LspStore>(context);
  const std::pair<const char*, Action> actions[] = {
      {"/lsp/start", start}, {"/lsp/stop", stop}, {"/lsp/did-open", did_open}, {"/lsp/did-close", did_close}};
  for (const auto& [path, action] : actions) {
    router.add("POST", path, [store, action = action](Exchange& exchange, const Parameters&) {
      return act(store, action, exchange);
    });
  }
  router.add("POST", "/lsp/completions",
             [store](Exchange& exchange, const Parameters&) { return answer_completions(store, exchange); });
  router.add("GET", "/lsp/document-symbols",
             [store](Exchange& exchange, const Parameters&) { return answer_symbols(store, false, exchange); });
  router.add("GET", "/lsp/workspacesymbols",
             [store](Exchange& exchange, const Parameters&) { return answer_symbols(store, true, exchange); });
}

}  // namespace sebring::toolbox
