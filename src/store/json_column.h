#pragma once
// Small structures kept as JSON text in one column: they are read and written whole and never searched.
#include <string>
#include <string_view>

#include "model/sandbox.h"

namespace sebring::store {

std::string to_column(const model::TextMap& map);
std::string to_column(const model::Image& image);
std::string to_column(const std::vector<model::VolumeMount>& volumes);
std::string to_column(const model::Archive& archive);

// What we wrote ourselves; text that cannot be read gives an empty value.
model::TextMap read_text_map(std::string_view text);
model::Image read_image(std::string_view text);
std::vector<model::VolumeMount> read_volumes(std::string_view text);
model::Archive read_archive(std::string_view text);

}  // namespace sebring::store
