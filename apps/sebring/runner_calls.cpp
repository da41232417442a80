#include "runner_calls.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <memory>

#include "base/text.h"
#include "base/time.h"
#include "cli/api_client.h"
#include "json/json.h"

namespace sebring {
namespace bj = boost::json;
using namespace std::chrono_literals;
namespace {

// Unpacking 1.5 GB takes half a minute on a small machine; a slow disk may need many times that.
constexpr std::chrono::minutes kImportDeadline{30};

asio::awaitable<Result<bj::value>> call(net::Client& runner, std::string method, std::string path, bj::value body,
                                        std::chrono::milliseconds deadline) {
  net::Headers headers;
  if (!body.is_null()) headers.add("Content-Type", "application/json");
  SB_CO_TRY(net::Response response, co_await runner.ask(std::move(method), std::move(path), std::move(headers),
                                                        cli::body_text(body), deadline));
  co_return cli::read_answer(response);
}

bool holds_image(const bj::value& answer, std::string_view digest) {
  const bj::value* images = answer.is_object() ? answer.get_object().if_contains("images") : nullptr;
  if (!images || !images->is_array()) return false;
  for (const bj::value& image : images->get_array())
    if (image.is_object() && cli::field(image.get_object(), "digest") == digest) return true;
  return false;
}

asio::awaitable<void> say_every_few_seconds(Progress progress) {
  const auto start = Steady::now();
  while (co_await net::sleep_for(3s))
    progress("importing the default snapshot: " +
             std::to_string(std::chrono::duration_cast<std::chrono::seconds>(Steady::now() - start).count()) + " s");
}

}  // namespace

Result<PreparedImage> read_prepared_image(const std::string& directory) {
  const std::string path = directory + "/config.json";
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in)
    return fail(Errc::not_found, "no default snapshot: " + path + ": " + errno_text(errno ? errno : EIO) +
                                     ". Build it with: snapshots/build default " + directory);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  auto parsed = json::parse_object(text);
  const bj::value* layer = parsed ? parsed->if_contains("layer") : nullptr;
  if (!layer || !layer->is_object() || !cli::field(layer->get_object(), "digest").starts_with("sha256:"))
    return fail(Errc::invalid_argument, path + " is no description of a snapshot; build it again with snapshots/build");
  return PreparedImage{cli::field(layer->get_object(), "digest"), "layer.tar.zst",
                       cli::field(layer->get_object(), "compressed_digest")};
}

asio::awaitable<Result<void>> wait_for_runner(net::Client& runner, std::chrono::milliseconds deadline) {
  const auto end = Steady::now() + deadline;
  for (;;) {
    auto info = co_await call(runner, "GET", "/v1/info", {}, deadline);
    if (info) co_return Result<void>{};
    if (Steady::now() >= end) co_return fail(std::move(info).error().while_doing("the runner does not answer"));
    co_await net::sleep_for(20ms);  // it died while we waited; the next one reads from the same socket
  }
}

asio::awaitable<Result<void>> ensure_image(net::Client& runner, std::string images_directory, Progress progress) {
  using namespace asio::experimental::awaitable_operators;
  auto image = read_prepared_image(images_directory);
  SB_CO_TRY(bj::value known, co_await call(runner, "GET", "/v1/images", {}, 30s));
  if (!image) {
    const bj::value* images = known.is_object() ? known.get_object().if_contains("images") : nullptr;
    const bool any = images && images->is_array() && !images->get_array().empty();
    if (!any) co_return fail(std::move(image).error());
    progress("nothing in " + images_directory + "; the images imported before are used");
    co_return Result<void>{};
  }
  if (holds_image(known, image->digest)) co_return Result<void>{};
  progress("importing the default snapshot; the first time this takes a while");
  bj::object order{{"file", image->file}};
  if (!image->blob_digest.empty()) order["blobDigest"] = image->blob_digest;
  const auto start = Steady::now();
  auto outcome = co_await (call(runner, "PUT", "/v1/images/" + image->digest, std::move(order), kImportDeadline) ||
                           say_every_few_seconds(progress));
  auto& imported = std::get<0>(outcome);
  if (!imported) co_return fail(std::move(imported).error().while_doing("import the default snapshot"));
  progress("imported the default snapshot in " +
           std::to_string(std::chrono::duration_cast<std::chrono::seconds>(Steady::now() - start).count()) + " s");
  co_return Result<void>{};
}

asio::awaitable<Result<void>> wait_for_slots(net::Client& runner, std::chrono::milliseconds deadline) {
  const auto end = Steady::now() + deadline;
  for (;;) {
    SB_CO_TRY(bj::value info, co_await call(runner, "GET", "/v1/info", {}, 10s));
    const bj::value* slots = info.is_object() ? info.get_object().if_contains("slots") : nullptr;
    if (!slots || !slots->is_object()) co_return fail(Errc::bad_gateway, "the runner says nothing of its slots");
    auto ready = parse_integer(cli::field(slots->get_object(), "ready")).value_or(0);
    auto wanted = parse_integer(cli::field(slots->get_object(), "wanted")).value_or(0);
    if (ready >= wanted || Steady::now() >= end) co_return Result<void>{};
    co_await net::sleep_for(5ms);
  }
}

asio::awaitable<void> stop_all_sandboxes(net::Client& runner, std::chrono::milliseconds grace,
                                         std::chrono::milliseconds deadline, Progress progress) {
  const auto end = Steady::now() + deadline;
  auto list = co_await call(runner, "GET", "/v1/sandboxes", {}, deadline);
  const bj::value* sandboxes = list && list->is_object() ? list->get_object().if_contains("sandboxes") : nullptr;
  if (!sandboxes || !sandboxes->is_array()) {
    progress("the runner does not say which sandboxes run; they are left as they are");
    co_return;
  }
  struct Count {
    std::size_t open = 0, failed = 0;
  };
  auto count = std::make_shared<Count>();
  auto executor = co_await asio::this_coro::executor;
  for (const bj::value& sandbox : sandboxes->get_array()) {
    if (!sandbox.is_object() || cli::field(sandbox.get_object(), "state") == "stopped") continue;
    ++count->open;
    bj::object body{{"force", false}, {"graceMs", grace.count()}};
    asio::co_spawn(executor,
                   call(runner, "POST", "/v1/sandboxes/" + cli::field(sandbox.get_object(), "id") + "/stop",
                        std::move(body), deadline),
                   [count](std::exception_ptr failure, Result<bj::value> result) {
                     --count->open;
                     if (failure || !result) ++count->failed;
                   });
  }
  if (count->open > 0) progress("stopping " + std::to_string(count->open) + " sandboxes");
  while (count->open > 0 && Steady::now() < end) co_await net::sleep_for(5ms);
  if (count->open + count->failed > 0)
    progress(std::to_string(count->open + count->failed) + " sandboxes did not confirm that they stopped");
}

}  // namespace sebring
