#include "cli/sandbox_commands.h"

#include <boost/json.hpp>
#include <fstream>
#include <functional>
#include <iterator>
#include <thread>

#include "base/text.h"
#include "base/time.h"
#include "cli/sandbox_view.h"
#include "json/json.h"

namespace sebring::cli {
namespace bj = boost::json;
namespace {

constexpr std::int64_t kPageMax = 200;  // what the API allows
constexpr std::chrono::seconds kSettleTime{120};

Result<std::pair<std::string, std::string>> split_pair(std::string_view flag, const std::string& text, char separator) {
  std::size_t at = text.find(separator);
  if (at == std::string::npos || at == 0)
    return fail(Errc::invalid_argument, std::string(flag) + " \"" + text + "\": expected KEY" + separator + "VALUE");
  return std::pair(text.substr(0, at), text.substr(at + 1));
}

Result<bj::object> pairs(std::string_view flag, const std::vector<std::string>& texts) {
  bj::object out;
  for (const std::string& text : texts) {
    SB_TRY(auto pair, split_pair(flag, text, '='));
    out[pair.first] = pair.second;
  }
  return out;
}

Result<std::string> read_dockerfile(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail_errno(errno ? errno : EIO, "open " + path);
  return std::string{std::istreambuf_iterator<char>(in), {}};
}

bool is_waiting(std::string_view state) {
  for (std::string_view one : {"creating", "restoring", "starting", "pending_build", "building_snapshot",
                               "pulling_snapshot", "stopping", "resuming", "unknown"})
    if (state == one) return true;
  return false;
}

// Until the state is one that stays. Creates that need no image answer "started" at once and cost no second request.
Result<bj::value> settle(ApiClient& api, bj::value sandbox) {
  const auto end = Steady::now() + kSettleTime;
  auto pause = std::chrono::milliseconds(50);
  while (sandbox.is_object() && is_waiting(field(sandbox.get_object(), "state"))) {
    if (Steady::now() > end)
      return fail(Errc::timed_out, "still " + field(sandbox.get_object(), "state") + " after " +
                                       std::to_string(kSettleTime.count()) + " s");
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 3 / 2, std::chrono::milliseconds(1000));
    SB_TRY(sandbox, api.get(sandbox_path(field(sandbox.get_object(), "id"))));
  }
  if (!sandbox.is_object()) return fail(Errc::bad_gateway, "the server answered no sandbox");
  const bj::object& object = sandbox.get_object();
  const std::string state = field(object, "state");
  if (state == "error" || state == "build_failed")
    return fail(Errc::internal, "sandbox " + field(object, "id") + ": " + state + ": " + field(object, "errorReason"));
  return sandbox;
}

// Calls `one` for each; goes on after a failure, and the exit code tells of it.
int for_each(const Output& output, const std::vector<std::string>& boxes, std::string_view done,
             const std::function<Result<bj::value>(const std::string&)>& one) {
  int code = kOk;
  bj::array results;
  for (const std::string& box : boxes) {
    auto result = one(box);
    if (!result) {
      code = output.fail(std::move(result).error().while_doing(box));
      continue;
    }
    if (output.json) {
      results.push_back(*std::move(result));
    } else {
      output.write(box + " " + std::string(done) + "\n");
    }
  }
  if (output.json) output.write_json(results);
  return code;
}

Result<bj::array> collect(ApiClient& api, const ListOptions& options) {
  bj::array out;
  std::string cursor = options.cursor;
  for (;;) {
    const std::int64_t missing = options.limit - static_cast<std::int64_t>(out.size());
    SB_TRY(std::string path, list_path(options, std::min(missing, kPageMax), cursor));
    SB_TRY(bj::value page, api.get(path));
    const bj::value* items = page.is_object() ? page.get_object().if_contains("items") : nullptr;
    if (!items || !items->is_array()) return fail(Errc::bad_gateway, "the server answered no list of sandboxes");
    for (const bj::value& item : items->get_array()) out.push_back(item);
    cursor = field(page.get_object(), "nextCursor");
    if (cursor.empty() || static_cast<std::int64_t>(out.size()) >= options.limit) return out;
  }
}

}  // namespace

std::string sandbox_path(const std::string& box) { return "/sandbox/" + percent_encode(box); }

Result<bj::value> create_body(const CreateOptions& options) {
  bj::object body;
  auto text = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) body[name] = value;
  };
  auto number = [&](std::string_view name, const std::optional<std::int64_t>& value) {
    if (value) body[name] = *value;
  };
  text("name", options.name);
  text("snapshot", options.snapshot);
  if (!options.size.empty()) {
    if (!options.snapshot.empty() || !options.dockerfile.empty())
      return fail(Errc::invalid_argument, "--class chooses a snapshot itself; leave out --snapshot and --dockerfile");
    body["snapshot"] = "daytona-" + options.size;
  }
  text("user", options.user);
  text("target", options.target);
  text("networkAllowList", options.network_allow_list);
  text("domainAllowList", options.domain_allow_list);
  SB_TRY(bj::object env, pairs("--env", options.env));
  SB_TRY(bj::object labels, pairs("--label", options.labels));
  if (!env.empty()) body["env"] = std::move(env);
  if (!labels.empty()) body["labels"] = std::move(labels);
  if (options.is_public) body["public"] = true;
  if (options.network_block_all) body["networkBlockAll"] = true;
  number("cpu", options.cpu);
  number("gpu", options.gpu);
  number("memory", options.memory);
  number("disk", options.disk);
  number("autoStopInterval", options.auto_stop);
  number("autoArchiveInterval", options.auto_archive);
  number("autoDeleteInterval", options.auto_delete);
  bj::array volumes;
  for (const std::string& volume : options.volumes) {
    SB_TRY(auto pair, split_pair("--volume", volume, ':'));
    volumes.push_back(bj::object{{"volumeId", pair.first}, {"mountPath", pair.second}});
  }
  if (!volumes.empty()) body["volumes"] = std::move(volumes);
  if (!options.dockerfile.empty()) {
    SB_TRY(std::string content, read_dockerfile(options.dockerfile));
    body["buildInfo"] = bj::object{{"dockerfileContent", content}, {"contextHashes", bj::array()}};
  }
  return body;
}

Result<std::string> list_path(const ListOptions& options, std::int64_t limit, std::string_view cursor) {
  std::string out = "/sandbox?limit=" + std::to_string(limit);
  if (!cursor.empty()) out += "&cursor=" + percent_encode(cursor);
  if (!options.name.empty()) out += "&name=" + percent_encode(options.name);
  SB_TRY(bj::object labels, pairs("--label", options.labels));
  if (!labels.empty()) out += "&labels=" + percent_encode(json::serialize(labels));
  for (const std::string& state : options.states) out += "&states=" + percent_encode(state);
  return out;
}

int create_sandbox(ApiClient& api, const Output& output, const CreateOptions& options) {
  auto body = create_body(options);
  if (!body) return output.fail(body.error(), kUsage);
  auto answer = api.post("/sandbox", *body);
  if (answer) answer = settle(api, *std::move(answer));
  if (!answer) return output.fail(std::move(answer).error().while_doing("create"));
  if (output.json) {
    output.write_json(*answer);
    return kOk;
  }
  const bj::object& sandbox = answer->get_object();
  const std::string name = field(sandbox, "name");
  output.write(render_sandbox(sandbox, system_clock().wall_ms()));
  output.write("\nRun something in it:  sebring exec " + name + " -- uname -a\nDelete it:            sebring delete " +
               name + "\n");
  return kOk;
}

int list_sandboxes(ApiClient& api, const Output& output, const ListOptions& options) {
  auto items = collect(api, options);
  if (!items) return output.fail(items.error());
  if (output.json) {
    output.write_json(*items);
  } else {
    output.write(render_sandbox_list(*items, system_clock().wall_ms()));
  }
  return kOk;
}

int show_sandbox(ApiClient& api, const Output& output, const std::string& box) {
  auto answer = api.get(sandbox_path(box));
  if (!answer) return output.fail(answer.error());
  if (!answer->is_object()) return output.fail(Error(Errc::bad_gateway, "the server answered no sandbox"));
  if (output.json) {
    output.write_json(*answer);
  } else {
    output.write(render_sandbox(answer->get_object(), system_clock().wall_ms()));
  }
  return kOk;
}

int start_sandboxes(ApiClient& api, const Output& output, const std::vector<std::string>& boxes) {
  return for_each(output, boxes, "started", [&](const std::string& box) -> Result<bj::value> {
    SB_TRY(bj::value sandbox, api.post(sandbox_path(box) + "/start"));
    return settle(api, std::move(sandbox));
  });
}

int stop_sandboxes(ApiClient& api, const Output& output, const std::vector<std::string>& boxes, bool force) {
  return for_each(output, boxes, "stopped", [&](const std::string& box) -> Result<bj::value> {
    SB_TRY(bj::value sandbox, api.post(sandbox_path(box) + "/stop" + (force ? "?force=true" : "")));
    return settle(api, std::move(sandbox));
  });
}

int delete_sandboxes(ApiClient& api, const Output& output, const std::vector<std::string>& boxes, bool all) {
  std::vector<std::string> targets = boxes;
  if (all) {
    auto items = collect(api, {.limit = 1'000'000});
    if (!items) return output.fail(items.error());
    for (const bj::value& item : *items)
      if (item.is_object()) targets.push_back(field(item.get_object(), "id"));
  }
  return for_each(output, targets, "deleted", [&](const std::string& box) { return api.erase(sandbox_path(box)); });
}

}  // namespace sebring::cli
