#include "net/router.h"

#include <map>

#include "base/text.h"

namespace sebring::net {

struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> parameter;
  std::map<std::string, const Route*, std::less<>> routes;       // by method, ending here
  std::map<std::string, const Route*, std::less<>> rest_routes;  // by method, taking all that follows
};

namespace {

bool is_parameter(std::string_view part) { return part.starts_with('{') && part.ends_with('}'); }
bool is_rest(std::string_view part) { return is_parameter(part) && part.ends_with("...}"); }

std::vector<std::string_view> pattern_parts(std::string_view pattern) {
  if (pattern.starts_with('/')) pattern.remove_prefix(1);
  if (pattern.empty()) return {};
  return split(pattern, '/');
}

const Route* by_method(const std::map<std::string, const Route*, std::less<>>& routes, std::string_view method) {
  auto found = routes.find(method);
  if (found == routes.end() && method == "HEAD") found = routes.find("GET");
  if (found == routes.end()) found = routes.find("*");
  return found == routes.end() ? nullptr : found->second;
}

}  // namespace

const std::string& PathParameters::operator[](std::string_view name) const {
  for (const Parameter& pair : list_) {
    if (pair.name == name) return pair.value;
  }
  assertion_failed("path parameter is in the pattern", __FILE__, __LINE__);
}

void Router::add(std::string method, std::string pattern, RouteHandler handler) {
  if (!root_) root_ = std::make_shared<Node>();
  routes_.push_back(std::make_unique<Route>(std::move(method), std::move(pattern), std::move(handler)));
  const Route* route = routes_.back().get();
  Node* node = root_.get();
  for (std::string_view part : pattern_parts(route->pattern)) {
    if (is_rest(part)) {
      SB_ASSERT(node->rest_routes.emplace(route->method, route).second);
      return;
    }
    std::unique_ptr<Node>& next = is_parameter(part) ? node->parameter : node->literals[std::string(part)];
    if (!next) next = std::make_unique<Node>();
    node = next.get();
  }
  SB_ASSERT(node->routes.emplace(route->method, route).second);
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  Match match;
  const auto segments = path_segments(path);
  if (!segments) {
    match.bad_escape = true;
    return match;
  }
  if (!root_) return match;
  // Depth first: literal, then parameter, then rest. Patterns are short, so recursion is bounded by their length.
  auto walk = [&](auto& self, const Node& node, std::size_t at) -> bool {
    if (at == segments->size()) {
      if (!node.routes.empty()) match.path_known = true;
      match.route = by_method(node.routes, method);
      if (match.route) return true;
    } else {
      auto literal = node.literals.find((*segments)[at]);
      if (literal != node.literals.end() && self(self, *literal->second, at + 1)) return true;
      if (node.parameter && !(*segments)[at].empty() && self(self, *node.parameter, at + 1)) return true;
    }
    if (!node.rest_routes.empty()) match.path_known = true;
    match.route = by_method(node.rest_routes, method);
    return match.route != nullptr;
  };
  if (!walk(walk, *root_, 0)) return match;
  const auto parts = pattern_parts(match.route->pattern);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (is_rest(parts[i])) {
      // As sent, still encoded: who asks for the rest forwards it.
      std::string_view rest = path.starts_with('/') ? path.substr(1) : path;
      for (std::size_t skip = 0; skip < i; ++skip) {
        const std::size_t slash = rest.find('/');
        rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
      }
      match.parameters.add(parts[i].substr(1, parts[i].size() - 5), std::string(rest));
      break;
    }
    if (is_parameter(parts[i])) match.parameters.add(parts[i].substr(1, parts[i].size() - 2), (*segments)[i]);
  }
  return match;
}

}  // namespace sebring::net
