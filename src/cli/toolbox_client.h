#pragma once
// The toolbox of one started sandbox, as verbs use it. Blocking.
#include <boost/json/value.hpp>
#include <chrono>
#include <functional>
#include <string>

#include "cli/api_client.h"
#include "net/exchange.h"

namespace sebring::cli {

class ToolboxClient {
 public:
  // Errc::conflict saying what to do when the sandbox is not started. `box`: id or name.
  static Result<ToolboxClient> open(ApiClient& api, const std::string& box);

  // `path` as in "/process/execute", with its query. `deadline` bounds the whole call.
  Result<boost::json::value> call(std::string method, std::string path, const boost::json::value& body,
                                  std::chrono::milliseconds deadline);

  // The body of a GET, piece by piece. Stops at the sink's first error.
  using Sink = std::function<Result<void>(std::string_view piece)>;
  Result<void> download(std::string path, const Sink& sink);
  // A POST whose body `source` gives piece by piece; an empty piece ends it.
  using Source = std::function<Result<std::string>()>;
  Result<boost::json::value> upload(std::string path, std::string content_type, const Source& source);
  // Runs `work` with an open WebSocket. What `work` refers to must live until this returns.
  using SocketWork = std::function<net::asio::awaitable<Result<void>>(std::unique_ptr<net::WebSocket>)>;
  Result<void> with_websocket(std::string path, net::Headers more, const SocketWork& work);
  // A POST from within such work, whose outcome nobody needs.
  net::asio::awaitable<void> send_later(std::string path, boost::json::value body);
  // Every message of a WebSocket until the server closes it. Returns the close code.
  Result<int> follow(std::string path, const Sink& heard);

  const boost::json::object& sandbox() const { return sandbox_; }

 private:
  ToolboxClient(ApiClient& api, boost::json::object sandbox, Url url, Caller caller)
      : api_(&api), sandbox_(std::move(sandbox)), url_(std::move(url)), caller_(std::move(caller)) {}
  std::string target(const std::string& path) const { return url_.base_path + path; }
  net::RequestHead head(std::string method, const std::string& path) const;

  ApiClient* api_;
  boost::json::object sandbox_;
  Url url_;  // of this sandbox's toolbox
  Caller caller_;
};

}  // namespace sebring::cli
