#include "store/json_column.h"

#include <boost/json.hpp>

#include "json/json.h"

namespace sebring::store {
namespace bj = boost::json;
namespace {

bj::object map_object(const model::TextMap& map) {
  bj::object object;
  for (const auto& [key, value] : map) object[key] = value;
  return object;
}

bj::array texts_array(const std::vector<std::string>& texts) {
  bj::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return array;
}

bj::value parsed(std::string_view text) {
  boost::system::error_code error;
  bj::value value = bj::parse(text, error);
  return error ? bj::value() : value;
}

std::string text_of(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

model::TextMap map_of(const bj::value* value) {
  model::TextMap map;
  if (value == nullptr || !value->is_object()) return map;
  for (const auto& entry : value->get_object()) {
    if (entry.value().is_string()) map.emplace_back(entry.key(), std::string(entry.value().get_string()));
  }
  return map;
}

std::vector<std::string> texts_of(const bj::object& object, std::string_view name) {
  std::vector<std::string> texts;
  const bj::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_array()) return texts;
  for (const bj::value& entry : value->get_array()) {
    if (entry.is_string()) texts.emplace_back(entry.get_string());
  }
  return texts;
}

}  // namespace

std::string to_column(const model::TextMap& map) { return map.empty() ? "{}" : bj::serialize(map_object(map)); }

std::string to_column(const model::Image& image) {
  bj::object object;
  object["layers"] = texts_array(image.layers);
  if (!image.base.empty()) object["base"] = image.base;
  if (!image.environment.empty()) object["env"] = map_object(image.environment);
  if (!image.entrypoint.empty()) object["entrypoint"] = texts_array(image.entrypoint);
  if (!image.work_dir.empty()) object["workDir"] = image.work_dir;
  return bj::serialize(object);
}

std::string to_column(const std::vector<model::VolumeMount>& volumes) {
  bj::array array;
  for (const auto& volume : volumes) {
    array.push_back(bj::object{{"volumeId", volume.volume_id}, {"path", volume.mount_path}, {"sub", volume.subpath}});
  }
  return bj::serialize(array);
}

std::string to_column(const model::Archive& archive) {
  return bj::serialize(bj::object{{"path", archive.path}, {"sha256", archive.sha256}, {"bytes", archive.bytes}});
}

model::TextMap read_text_map(std::string_view text) {
  if (text == "{}") return {};
  const bj::value value = parsed(text);
  return map_of(&value);
}

model::Image read_image(std::string_view text) {
  model::Image image;
  const bj::value value = parsed(text);
  if (!value.is_object()) return image;
  const bj::object& object = value.get_object();
  image.layers = texts_of(object, "layers");
  image.base = text_of(object, "base");
  image.environment = map_of(object.if_contains("env"));
  image.entrypoint = texts_of(object, "entrypoint");
  image.work_dir = text_of(object, "workDir");
  return image;
}

std::vector<model::VolumeMount> read_volumes(std::string_view text) {
  std::vector<model::VolumeMount> volumes;
  if (text == "[]") return volumes;
  const bj::value value = parsed(text);
  if (!value.is_array()) return volumes;
  for (const bj::value& entry : value.get_array()) {
    if (!entry.is_object()) continue;
    const bj::object& object = entry.get_object();
    volumes.push_back({text_of(object, "volumeId"), text_of(object, "path"), text_of(object, "sub")});
  }
  return volumes;
}

model::Archive read_archive(std::string_view text) {
  model::Archive archive;
  const bj::value value = parsed(text);
  if (!value.is_object()) return archive;
  const bj::object& object = value.get_object();
  archive.path = text_of(object, "path");
  archive.sha256 = text_of(object, "sha256");
  if (const bj::value* bytes = object.if_contains("bytes"); bytes != nullptr && bytes->is_int64()) {
    archive.bytes = bytes->get_int64();
  }
  return archive;
}

}  // namespace sebring::store
