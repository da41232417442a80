#include "proxy/signed_file_url.h"

#include "base/text.h"
#include "proxy/cookie.h"

namespace sebring::proxy {

bool is_signed_file_request(const net::RequestHead& request, std::string_view path) {
  const bool download = (request.method == "GET" || request.method == "HEAD") && path == "/files/download";
  const bool upload = request.method == "POST" && path == "/files/upload-v2";
  if (!download && !upload) return false;
  const net::Query query(request.query);
  return query.find("signature") && query.find("expires") && query.find("path");
}

std::string sign_file_url(std::string_view key, std::string_view method, std::string_view path, std::int64_t expires) {
  std::string text = "v1:files:";
  text += method;
  text += ':';
  text += path;
  text += ':';
  text += std::to_string(expires);
  return "v1_" + base64url_encode(hmac_sha256(key, text));
}

Result<void> check_file_signature(std::string_view key, std::string_view method, const net::Query& query, WallMs now) {
  const auto expires = parse_integer(query.find("expires").value_or(""));
  if (!expires || *expires < 0 || key.empty()) return fail(Errc::unauthorized, "bad signed URL");
  const std::string_view signed_method = method == "HEAD" ? "GET" : method;
  const std::string wanted = sign_file_url(key, signed_method, query.find("path").value_or(""), *expires);
  if (!constant_time_equal(query.find("signature").value_or(""), wanted)) {
    return fail(Errc::unauthorized, "the signature of the URL does not fit");
  }
  if (*expires != 0 && now / 1000 >= *expires) return fail(Errc::unauthorized, "the signed URL has expired");
  return {};
}

}  // namespace sebring::proxy
