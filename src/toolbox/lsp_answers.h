#pragma once
// What language servers answer, in the shapes of our wire.
#include <boost/json/value.hpp>
#include <string_view>

namespace sebring::toolbox {

// CompletionList, CompletionItem[] or null -> {isIncomplete, items}; of an item what the wire knows.
boost::json::value completion_list(const boost::json::value& answer);
// DocumentSymbol[] (a tree, of the document `uri`), SymbolInformation[] or null -> flat symbols. With `query` only
// those whose name has it, without case.
boost::json::array flat_symbols(const boost::json::value& answer, std::string_view uri, std::string_view query = "");

}  // namespace sebring::toolbox
