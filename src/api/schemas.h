#pragma once
// What bodies and answers look like, in short form: "name:type" with '?' behind what may be absent. Types: string,
// integer, number, boolean, date, map (of strings), object, another schema's name, and any of these with "[]".
#include <span>
#include <string_view>

namespace sebring::api {

struct SchemaEntry {
  std::string_view name;
  std::string_view fields;  // or "enum a b c"
};
std::span<const SchemaEntry> schemas();

}  // namespace sebring::api
