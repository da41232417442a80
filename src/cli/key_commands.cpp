#include "cli/key_commands.h"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "base/text.h"
#include "base/time.h"
#include "cli/api_client.h"
#include "cli/sandbox_view.h"
#include "cli/table.h"
#include "config/instance.h"
#include "json/json.h"

namespace sebring::cli {
namespace bj = boost::json;
namespace {

constexpr std::chrono::seconds kDeadline{30};
constexpr std::int64_t kDayMs = 86'400'000;

Result<bj::value> ask(const std::string& socket, std::string method, std::string path, const bj::value& body) {
  Caller caller = Caller::to_unix(socket);
  net::Headers headers;
  if (!body.is_null()) headers.add("Content-Type", "application/json");
  auto response = caller.ask(std::move(method), std::move(path), std::move(headers), body_text(body), kDeadline);
  if (!response && ::access(socket.c_str(), W_OK) != 0 && errno == EACCES)
    return fail(Errc::forbidden, "keys are made by root on the server's machine: sudo sebring key …");
  if (!response)
    return fail(Errc::unavailable, "the server does not answer on " + socket + ": " + response.error().message() +
                                       ". Start it with `sebring up`");
  return read_answer(*response);
}

}  // namespace

Result<std::string> find_admin_socket(const std::string& data_dir, const std::string& run_dir) {
  std::string directory = run_dir;
  if (directory.empty()) {
    auto instance = config::read_instance(data_dir);
    if (!instance && instance.error().code() == Errc::not_found)
      return fail(Errc::unavailable, "there is no server with data directory " + data_dir +
                                         "; start one with `sebring up`, or name another with --data-dir");
    if (!instance) return fail(std::move(instance).error());
    directory = "/run/sebring/" + *instance;
  }
  const std::string socket = directory + "/control/admin.sock";
  if (::access(socket.c_str(), F_OK) == 0 || errno != ENOENT) return socket;
  return fail(Errc::unavailable,
              "the server with data directory " + data_dir + " is not running; start it with `sebring up`");
}

int create_key(const std::string& socket, const Output& output, const KeyCreateOptions& options) {
  bj::object body{{"name", options.name}};
  if (!options.permissions.empty()) {
    bj::array list;
    for (const std::string& permission : options.permissions) list.push_back(bj::value(permission));
    body["permissions"] = std::move(list);
  }
  if (options.expires_days) body["expiresAt"] = iso8601(system_clock().wall_ms() + *options.expires_days * kDayMs);
  auto answer = ask(socket, "POST", "/v1/keys", std::move(body));
  if (!answer) return output.fail(answer.error());
  if (output.json) {
    output.write_json(*answer);
  } else {
    const bj::object& key = answer->as_object();
    output.write(field(key, "value") + "\n");
  }
  return kOk;
}

int list_keys(const std::string& socket, const Output& output) {
  auto answer = ask(socket, "GET", "/v1/keys", {});
  if (!answer) return output.fail(answer.error());
  if (!answer->is_array()) return output.fail(Error(Errc::bad_gateway, "the server answered no list of keys"));
  if (output.json) {
    output.write_json(*answer);
  } else {
    output.write(render_key_list(answer->get_array(), system_clock().wall_ms()));
  }
  return kOk;
}

int delete_key(const std::string& socket, const Output& output, const std::string& name) {
  auto answer = ask(socket, "DELETE", "/v1/keys/" + percent_encode(name), {});
  if (!answer) return output.fail(answer.error());
  if (output.json) {
    output.write_json(bj::object{{"name", name}, {"deleted", true}});
  } else {
    output.write("key " + printable(name) + " deleted\n");
  }
  return kOk;
}

}  // namespace sebring::cli
