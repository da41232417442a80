#include "cli/snapshot_commands.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "base/time.h"
#include "cli/sandbox_view.h"

namespace sebring::cli {

int list_snapshots(ApiClient& api, const Output& output, const SnapshotListOptions& options) {
  std::string path = "/snapshots?page=" + std::to_string(options.page) + "&limit=" + std::to_string(options.limit);
  if (!options.name.empty()) path += "&name=" + percent_encode(options.name);
  auto answer = api.get(std::move(path));
  if (!answer) return output.fail(answer.error());
  const boost::json::value* items = answer->is_object() ? answer->get_object().if_contains("items") : nullptr;
  if (!items || !items->is_array())
    return output.fail(Error(Errc::bad_gateway, "the server answered no list of snapshots"));
  if (output.json) {
    output.write_json(*items);
  } else {
    output.write(render_snapshot_list(items->get_array(), system_clock().wall_ms()));
  }
  return kOk;
}

}  // namespace sebring::cli
