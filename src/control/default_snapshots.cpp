#include "control/default_snapshots.h"

#include <boost/json.hpp>

#include "control/snapshots.h"
#include "json/json.h"

namespace sebring::control {
namespace {

namespace bj = boost::json;

struct Size {
  const char* name;
  model::Resources resources;
};
constexpr Size kSizes[] = {
    {"daytona-small", {1, 0, 1, 3}}, {"daytona-medium", {2, 0, 4, 8}}, {"daytona-large", {4, 0, 8, 10}}};

// "NAME=value"
model::TextMap split_environment(const std::vector<std::string>& list) {
  model::TextMap map;
  for (const std::string& entry : list) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string::npos && equals > 0) map.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return map;
}

void read_config(const bj::object& config, model::Snapshot& snapshot) {
  json::ObjectReader reader(config, "config.");
  snapshot.user = reader.text("User").value_or("");
  if (snapshot.user.empty()) snapshot.user = "root";
  snapshot.image.work_dir = reader.text("WorkingDir").value_or("");
  snapshot.image.environment = split_environment(reader.texts("Env").value_or(std::vector<std::string>{}));
  snapshot.image.entrypoint = reader.texts("Entrypoint").value_or(std::vector<std::string>{});
  for (std::string& word : reader.texts("Cmd").value_or(std::vector<std::string>{})) {
    snapshot.image.entrypoint.push_back(std::move(word));
  }
}

}  // namespace

Result<model::Snapshot> read_image_description(const bj::object& description) {
  json::ObjectReader reader(description);
  model::Snapshot snapshot;
  if (const bj::object* layer = reader.object("layer")) {
    json::ObjectReader fields(*layer, "layer.");
    const std::string digest = fields.required_text("digest");
    snapshot.size_bytes = fields.integer("size", 0);
    SB_CHECK(fields.finish());
    if (!digest.starts_with("sha256:") || digest.size() != 71) {
      return fail(Errc::invalid_argument, "layer.digest must be sha256: and 64 hexadecimal digits");
    }
    snapshot.image.layers.push_back(digest);
  } else {
    reader.error("layer must be an object");
  }
  if (const bj::object* config = reader.object("config")) {
    read_config(*config, snapshot);
  } else {
    reader.error("config must be an object");
  }
  SB_CHECK(reader.finish());
  return snapshot;
}

asio::awaitable<Result<void>> put_default_snapshots(Control& control, std::string name, model::Snapshot image) {
  image.image_name = "sebring/" + name;
  for (const Size& size : kSizes) {
    model::Snapshot snapshot = image;
    snapshot.name = size.name;
    snapshot.resources = size.resources;
    SB_CO_CHECK(co_await put_general_snapshot(control, std::move(snapshot)));
  }
  image.name = std::move(name);
  image.resources = kSizes[0].resources;
  image.hidden = true;
  SB_CO_CHECK(co_await put_general_snapshot(control, std::move(image)));
  co_return Result<void>{};
}

}  // namespace sebring::control
