#pragma once
// One request on its way to a preview. Private to the preview proxy.
#include "proxy/authorize.h"
#include "proxy/headers.h"
#include "proxy/live.h"
#include "proxy/preview_place.h"
#include "proxy/preview_proxy.h"

namespace sebring::proxy {

struct PreviewProxy::Visit {
  PreviewPlace place;
  ClientSide client;
  std::string path;  // of the sandbox's server, still encoded
  Sandbox sandbox;
  Grant grant;
  Authorized::Way way = Authorized::Way::public_sandbox;
  bool bearer_is_ours = false;
  WallMs token_expires_at = 0;  // of a signed token; 0: none
  std::string set_cookie;       // goes out with the answer
  bool cors = true;
  LiveUses::Entry live;  // while it is carried
};

}  // namespace sebring::proxy
