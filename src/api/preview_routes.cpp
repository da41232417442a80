#include <boost/json.hpp>

#include "api/handlers.h"
#include "api/request.h"
#include "control/sandbox_use_cases.h"

namespace sebring::api {

SEBRING_HANDLER(has_preview_access) {
  SB_CO_CHECK(co_await control::get_sandbox(context.control, request.caller.organization_id, request.path["id"]));
  co_return json_response(200, boost::json::value(true));
}

}  // namespace sebring::api
