#include "toolbox/lsp_answers.h"

#include <boost/json.hpp>

#include "base/text.h"

namespace sebring::toolbox {
namespace {

namespace bj = boost::json;
constexpr int kDepthMax = 64;
constexpr std::size_t kSymbolsMax = 50'000;

bj::object completion_item(const bj::object& item) {
  bj::object kept;
  for (const char* name : {"label", "kind", "detail", "documentation", "sortText", "filterText", "insertText"}) {
    if (const auto* value = item.if_contains(name); value && !value->is_null()) kept[name] = *value;
  }
  return kept;
}

bj::value no_range() {
  const bj::object zero{{"line", 0}, {"character", 0}};
  return bj::object{{"start", zero}, {"end", zero}};
}

void add_symbol(const bj::value& value, std::string_view uri, std::string_view query, int depth, bj::array& symbols) {
  if (!value.is_object() || depth > kDepthMax || symbols.size() >= kSymbolsMax) return;
  const bj::object& symbol = value.get_object();
  const auto* name = symbol.if_contains("name");
  const auto* kind = symbol.if_contains("kind");
  if (name && name->is_string() && kind && kind->is_int64()) {
    bj::value location;
    if (const auto* found = symbol.if_contains("location"); found && found->is_object()) {
      location = *found;
      // Some servers leave the range of a workspace symbol out.
      if (!location.get_object().if_contains("range")) location.get_object()["range"] = no_range();
    } else {
      const auto* range = symbol.if_contains("range");
      location = bj::object{{"range", range ? *range : no_range()}, {"uri", uri}};
    }
    const bool wanted =
        query.empty() || to_lower(std::string_view(name->get_string())).find(to_lower(query)) != std::string::npos;
    if (wanted) symbols.push_back(bj::object{{"kind", *kind}, {"location", std::move(location)}, {"name", *name}});
  }
  if (const auto* children = symbol.if_contains("children"); children && children->is_array()) {
    for (const auto& child : children->get_array()) add_symbol(child, uri, query, depth + 1, symbols);
  }
}

}  // namespace

bj::value completion_list(const bj::value& answer) {
  bool incomplete = false;
  const bj::array* found = answer.if_array();
  if (const auto* object = answer.if_object()) {
    if (const auto* flag = object->if_contains("isIncomplete")) incomplete = flag->is_bool() && flag->get_bool();
    if (const auto* items = object->if_contains("items")) found = items->if_array();
  }
  bj::array items;
  if (found) {
    for (const auto& item : *found) {
      if (item.is_object()) items.push_back(completion_item(item.get_object()));
    }
  }
  return bj::object{{"isIncomplete", incomplete}, {"items", std::move(items)}};
}

bj::array flat_symbols(const bj::value& answer, std::string_view uri, std::string_view query) {
  bj::array symbols;
  if (const auto* list = answer.if_array()) {
    for (const auto& symbol : *list) add_symbol(symbol, uri, query, 0, symbols);
  }
  return symbols;
}

}  // namespace sebring::toolbox
