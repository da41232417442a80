#include "proxy/cors.h"

#include "base/text.h"

namespace sebring::proxy {

bool is_preflight(const net::RequestHead& request) {
  return request.method == "OPTIONS" && request.headers.find("Origin") &&
         request.headers.find("Access-Control-Request-Method");
}

net::Response preflight_answer(const net::RequestHead& request) {
  net::Response response = net::Response::empty(204);
  response.headers.set("Access-Control-Allow-Origin", "*");
  response.headers.set("Access-Control-Allow-Methods", "GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS");
  if (auto wanted = request.headers.find("Access-Control-Request-Headers")) {
    response.headers.set("Access-Control-Allow-Headers", std::string(*wanted));
  }
  response.headers.set("Access-Control-Max-Age", "7200");
  response.headers.set("Vary", "Access-Control-Request-Headers");
  return response;
}

void add_cors(const net::RequestHead& request, net::Headers& answer) {
  if (!request.headers.find("Origin")) return;
  if (answer.find("Access-Control-Allow-Origin")) return;
  answer.set("Access-Control-Allow-Origin", "*");
  answer.set("Access-Control-Expose-Headers", "*");
}

}  // namespace sebring::proxy
