#pragma once
// One table: method and path pattern to handler. Patterns are "/sandbox/{id}/start"; "{rest...}" as last part takes
// all.
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/exchange.h"

namespace sebring::net {

// Decoded values of the pattern's names, in the pattern's order.
class PathParameters {
 public:
  // Must be a name of the pattern.
  const std::string& operator[](std::string_view name) const;
  void add(std::string_view name, std::string value) { list_.push_back({std::string(name), std::move(value)}); }

 private:
  std::vector<Parameter> list_;
};

using RouteHandler = std::function<asio::awaitable<void>(Exchange&, const PathParameters&)>;

struct Route {
  std::string method;  // "GET", or "*" for all
  std::string pattern;
  RouteHandler handler;
};

class Router {
 public:
  // Two routes of one method whose patterns match the same paths are a programmer's error.
  void add(std::string method, std::string pattern, RouteHandler handler);

  struct Match {
    const Route* route = nullptr;
    PathParameters parameters;
    bool path_known = false;  // some other method has this path: 405 rather than 404
    bool bad_escape = false;  // 400
  };
  // Literal parts win over "{name}", which wins over "{rest...}". HEAD finds GET's route.
  Match match(std::string_view method, std::string_view path) const;
  const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }

 private:
  struct Node;
  std::vector<std::unique_ptr<Route>> routes_;
  std::shared_ptr<Node> root_;
};

}  // namespace sebring::net
