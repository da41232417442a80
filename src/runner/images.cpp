#include "runner/images.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <boost/json.hpp>
#include <cstdio>

#include "image/importer.h"
#include "image/layer_store.h"
#include "os/file.h"

namespace sebring::runner {

namespace bj = boost::json;

namespace {

// The directory is the administrator's. Still: a plain file, no link, nothing outside.
Result<UniqueFd> open_import(const std::string& directory, const std::string& file) {
  SB_TRY(auto root, os::open_dir(directory));
  SB_TRY(auto input, os::open_inside(root.get(), file, O_RDONLY));
  struct stat status;
  if (::fstat(input.get(), &status) < 0 || !S_ISREG(status.st_mode))
    return fail(Errc::invalid_argument, file + " is no file");
  return input;
}

bj::object layer_json(const image::Layer& layer) { return {{"digest", layer.digest}, {"bytes", layer.bytes}}; }

}  // namespace

Images::Images(asio::any_io_executor executor, runtime::Host& host, runtime::SlotPool& slots, Workers& importers,
               Sandboxes& sandboxes, std::string directory)
    : executor_(std::move(executor)),
      host_(host),
      slots_(slots),
      importers_(importers),
      sandboxes_(sandboxes),
      directory_(std::move(directory)) {
  // What killed imports and interrupted removals have left behind.
  importers_.post([this](runtime::Host::Wires&) {
    (void)image::clean_up_imports(host_.pool().layers());
    (void)image::LayerStore(host_.pool().layers()).sweep();
  });
}

asio::awaitable<Result<bj::object>> Images::list() {
  auto layers =
      co_await importers_.run([&](runtime::Host::Wires&) { return image::LayerStore(host_.pool().layers()).list(); });
  if (!layers) co_return fail(std::move(layers).error());
  bj::array array;
  for (const auto& layer : *layers) array.push_back(layer_json(layer));
  co_return bj::object{{"images", std::move(array)}};
}

asio::awaitable<Result<bj::object>> Images::import(std::string digest, ImportOrder order) {
  SB_CO_CHECK(image::digest_hex(digest));
  auto& gate = gates_[digest];
  if (!gate) gate = std::make_shared<Gate>(executor_);
  Gate::Pass pass = co_await Gate::enter(gate);
  auto imported = co_await importers_.run([&](runtime::Host::Wires&) -> Result<image::Imported> {
    SB_TRY(auto input, open_import(directory_, order.file));
    SB_TRY(const std::uint64_t room, host_.pool().room());
    image::ImportRequest request;
    request.layers = host_.pool().layers();
    request.input = input.get();
    request.digest = digest;
    request.blob_digest = order.blob_digest;
    request.blob_bytes = order.blob_bytes;
    // Not until the file system is full: sandboxes write to the same one.
    const bool scarce = room < request.limits.tar_bytes_max;
    if (scarce) request.limits.tar_bytes_max = room;
    auto done = image::import_layer(request);
    if (!done && scarce && done.error().code() == Errc::too_large)
      return fail(Errc::exhausted, "the pool has no room for it: " + std::to_string(room >> 20) + " MiB are left");
    SB_TRY(auto made, std::move(done));
    SB_CHECK(host_.pool().layers_grew());
    return made;
  });
  if (!imported) co_return fail(std::move(imported).error().while_doing("import " + order.file));
  for (const auto& remark : imported->remarks)
    std::fprintf(stderr, "runner: import %s: %s\n", order.file.c_str(), remark.c_str());
  co_return bj::object{{"digest", digest}, {"bytes", imported->bytes}};
}

asio::awaitable<Result<void>> Images::remove(std::string digest) {
  SB_CO_TRY(auto hex, image::digest_hex(digest));
  if (sandboxes_.uses_layer(digest)) co_return fail(Errc::conflict, "sandboxes lie on " + digest);
  slots_.forget_layers("layers/" + hex);
  auto removed = co_await importers_.run(
      [&](runtime::Host::Wires&) { return image::LayerStore(host_.pool().layers()).remove(digest); });
  SB_CO_CHECK(std::move(removed));
  importers_.post([this](runtime::Host::Wires&) { (void)image::LayerStore(host_.pool().layers()).sweep(); });
  co_return Result<void>{};
}

}  // namespace sebring::runner
