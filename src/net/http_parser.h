#pragma once
// Beast as a parser only: bytes in, our own head and body pieces out. Included by net's .cpp files alone.
#include <boost/beast/http/basic_parser.hpp>
#include <cstring>

#include "net/http.h"

namespace sebring::net {

namespace http = boost::beast::http;

// Where body bytes go while put() runs.
struct BodySink {
  char* data = nullptr;
  std::size_t room = 0;
  std::size_t used = 0;
};

template <bool kIsRequest, class Head>
class MessageParser final : public http::basic_parser<kIsRequest> {
 public:
  MessageParser() {
    this->eager(false);
    this->body_limit(boost::none);
    this->header_limit(1U << 20);  // the session bounds heads before they come here
  }
  Head head;
  Headers trailers;  // of an answer, once its body was read to the end; a request's are dropped
  BodySink sink;

 private:
  using string_view = boost::beast::string_view;
  using error_code = boost::beast::error_code;

  void on_request_impl(http::verb, string_view method, string_view target, int version, error_code&) override {
    if constexpr (kIsRequest) {
      head.method.assign(method.data(), method.size());
      head.target.assign(target.data(), target.size());
      head.version_minor = version % 10;
    }
  }
  void on_response_impl(int status, string_view reason, int version, error_code&) override {
    if constexpr (!kIsRequest) {
      head.status = status;
      head.reason.assign(reason.data(), reason.size());
      head.version_minor = version % 10;
    }
  }
  // Trailers come through here too, after the body.
  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    if (head_done_ && kIsRequest) return;
    (head_done_ ? trailers : head.headers).add({name.data(), name.size()}, {value.data(), value.size()});
  }
  void on_header_impl(error_code&) override { head_done_ = true; }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code& code) override { return take(body, code); }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code& code) override {
    return take(body, code);
  }
  void on_finish_impl(error_code&) override {}

  std::size_t take(string_view body, error_code& code) {
    const std::size_t fits = std::min(body.size(), sink.room - sink.used);
    std::memcpy(sink.data + sink.used, body.data(), fits);
    sink.used += fits;
    if (fits < body.size()) code = http::error::need_buffer;
    return fits;
  }
  bool head_done_ = false;
};

using RequestParser = MessageParser<true, RequestHead>;
using ResponseParser = MessageParser<false, ResponseHead>;

}  // namespace sebring::net
