#pragma once
// File URLs that clients sign themselves with a sandbox's key, so that a browser or curl needs no header.
#include "proxy/access.h"

namespace sebring::proxy {

// Whether the request is of that form at all: GET /files/download or POST /files/upload-v2 with expires and signature.
// `path` is the toolbox's path.
bool is_signed_file_request(const net::RequestHead& request, std::string_view path);

// Errc::unauthorized when the signature does not fit or its time is over.
Result<void> check_file_signature(std::string_view key, std::string_view method, const net::Query& query, WallMs now);

// "v1_" + base64url(HMAC-SHA256(key, "v1:files:<METHOD>:<path>:<expires>")).
std::string sign_file_url(std::string_view key, std::string_view method, std::string_view path, std::int64_t expires);

}  // namespace sebring::proxy
