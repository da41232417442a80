#include "cli/config_view.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "cli/quickstart.h"

namespace sebring::cli {

TEST_CASE("config shows value and origin of every setting") {
  auto loaded = config::load({.flags = {{"slots", "4"}, {"data-dir", "/nonexistent/d"}},
                              .environment = {{"SEBRING_STOP_SANDBOXES_ON_EXIT", "off"}}});
  REQUIRE(loaded);
  const std::string text = render_config(*loaded, false);
  CHECK(text.starts_with("SETTING "));
  CHECK(text.find("--slots\n") != std::string::npos);
  CHECK(text.find("SEBRING_STOP_SANDBOXES_ON_EXIT\n") != std::string::npos);
  CHECK(render_config(*loaded, true).find("0 to 4096; SEBRING_SLOTS") != std::string::npos);

  auto json = config_json(*loaded);
  CHECK(json.at("file").is_null());
  CHECK(json.at("settings").as_array().size() == config::settings().size());
  for (const auto& one : json.at("settings").as_array()) {
    if (one.at("name") == "slots") CHECK(one.at("value") == 4);
    if (one.at("name") == "stop-sandboxes-on-exit") CHECK(one.at("value") == false);
    if (one.at("name") == "run-dir") CHECK(one.at("value").is_null());
  }
}

TEST_CASE("quickstart names URL and key") {
  const std::string text = quickstart("http://localhost:1/api", "dtn_x");
  CHECK(text.find("DAYTONA_API_URL=http://localhost:1/api\n") != std::string::npos);
  CHECK(text.find("DAYTONA_API_KEY=dtn_x\n") != std::string::npos);
  CHECK(quickstart("u", "").find("sebring key create") != std::string::npos);
}

}  // namespace sebring::cli
