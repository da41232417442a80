#pragma once
// The control plane's API and a sandbox's toolbox, as the verbs use them. Blocking.
#include <boost/json/value.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/caller.h"
#include "cli/profile.h"

namespace sebring::cli {

// Creates wait up to 30 s in the server; imports of images are not asked for here.
constexpr std::chrono::milliseconds kApiDeadline{90'000};

class ApiClient {
 public:
  static Result<ApiClient> make(Profile profile);

  // `path` starts after the base: "/sandbox?limit=5", parts already percent-encoded. An empty answer is null.
  // Errors carry the server's own message, or say what to do when no server answers or it does not take the key.
  Result<boost::json::value> get(std::string path);
  Result<boost::json::value> post(std::string path, const boost::json::value& body = {});
  Result<boost::json::value> erase(std::string path);

  // Authorization and what else every request of ours carries.
  net::Headers headers(bool with_body) const;
  // Says what to do about an error that the server's own message leaves open.
  Error explain(Error error, const std::string& url) const;

  const Profile& profile() const { return profile_; }

 private:
  ApiClient(Profile profile, Url url, Caller caller)
      : profile_(std::move(profile)), url_(std::move(url)), caller_(std::move(caller)) {}
  Result<boost::json::value> call(std::string method, std::string path, const boost::json::value& body);

  Profile profile_;
  Url url_;
  Caller caller_;
};

// From an answer: the JSON of a 2xx, else an error with the server's message. For the API, the toolbox and the admin
// socket alike; they all put it in "message".
Result<boost::json::value> read_answer(const net::Response& response);

// A request body, or "" for null.
std::string body_text(const boost::json::value& body);

// Text of a field for people: "" for absent and null, numbers and booleans as JSON writes them.
std::string field(const boost::json::object& object, std::string_view name);

}  // namespace sebring::cli
