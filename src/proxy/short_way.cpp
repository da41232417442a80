#include "proxy/short_way.h"

#include "base/text.h"
#include "net/read_buffer.h"
#include "net/request_head.h"
#include "proxy/authorize.h"

namespace sebring::proxy {
namespace {

constexpr std::size_t kReadBytes = 8 * 1024;
constexpr std::size_t kAnswerHeadMax = 16 * 1024;
// Copied behind the head: cheaper for the kernel than a second piece.
constexpr std::size_t kCopiedBodyMax = 2 * 1024;

// What the general way does to a field.
enum class Fate { passes, dropped, special };

// Most names differ in their length.
bool is(std::string_view name, std::string_view other) {
  return name.size() == other.size() && equals_ignore_case(name, other);
}

Fate of_request(const net::Header& field, Access::Entry entry) {
  const std::string_view name = field.name;
  if (is(name, "connection")) {
    return equals_ignore_case(field.value, "keep-alive") ? Fate::dropped : Fate::special;
  }
  if (is(name, "host") || is(name, "content-length")) return Fate::dropped;
  if (is(name, "authorization")) {
    if (entry == Access::Entry::by_bearer) return Fate::dropped;
    return judge_bearer(bearer_token(field.value)) == Bearer::foreign ? Fate::passes : Fate::special;
  }
  if (is(name, "cookie")) {
    return !field.value.empty() && without_our_cookies(field.value) == field.value ? Fate::passes : Fate::special;
  }
  if (is(name, kPreviewTokenHeader) || is(name, "x-daytona-skip-preview-warning")) return Fate::dropped;
  if (is(name, "origin") || is(name, "expect") || starts_with_ignore_case(name, "x-daytona-") || is_hop_by_hop(name)) {
    return Fate::special;
  }
  if (!is_forwarded(name)) return Fate::passes;
  // Who holds a credential is a program of the sandbox's owner, whose word counts.
  return entry == Access::Entry::open ? Fate::dropped : Fate::special;
}

Fate of_answer(const net::Header& field) {
  const std::string_view name = field.name;
  if (is(name, "connection")) {
    return equals_ignore_case(field.value, "keep-alive") ? Fate::dropped : Fate::special;
  }
  if (is(name, "keep-alive") || is(name, "content-length")) return Fate::dropped;
  if (is_hop_by_hop(name) || is_confined(name)) return Fate::special;
  return Fate::passes;
}

std::string_view host_of(const net::RawHead& head) {
  for (const net::Header& field : head.fields) {
    if (is(field.name, "host")) return field.value;
  }
  return {};
}

void append_field(std::string& text, std::string_view name, std::string_view value) {
  text.append(name).append(": ").append(value).append("\r\n");
}

// Its query loses nothing.
bool is_plain_target(std::string_view target) {
  if (!target.starts_with('/') || target.ends_with('?')) return false;
  const std::size_t mark = target.find('?');
  if (is_own_path(target.substr(0, mark))) return false;
  return mark == std::string_view::npos ||
         remove_query_key(target.substr(mark + 1), kQueryKey) == target.substr(mark + 1);
}

// A whole answer as it goes on.
struct Answer {
  std::size_t head_bytes = 0;
  std::size_t body_bytes = 0;
  std::optional<std::string_view> keep_alive;
};
enum class Reading { more, whole, special };

// "HTTP/1.1 200 OK": of an answer that has a body.
bool read_status(std::string_view line, std::string& out) {
  if (line.size() < 13 || !line.starts_with("HTTP/1.1 ") || line[12] != ' ' || !net::is_field_value(line)) return false;
  const auto status = parse_integer(line.substr(9, 3));
  if (!status || *status < 200 || *status == 204 || *status == 304) return false;
  out.assign(line.size() > 13 ? line : line.substr(0, 13));
  if (line.size() == 13) out += net::reason_phrase(static_cast<int>(*status));
  out += "\r\n";
  return true;
}

std::optional<std::size_t> read_length(std::string_view value) {
  if (value.empty() || value.size() > 9 || value.find_first_not_of("0123456789") != std::string_view::npos) return {};
  if (value.size() > 1 && value.front() == '0') return {};
  return static_cast<std::size_t>(*parse_integer(value));
}

Reading read_answer(std::string_view bytes, Answer& answer, std::string& out) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return bytes.size() < kAnswerHeadMax ? Reading::more : Reading::special;
  answer = {.head_bytes = end + 4};
  std::string_view head = bytes.substr(0, end + 2);
  std::optional<std::string_view> length;
  for (bool first = true; !head.empty(); first = false) {
    const std::size_t line_end = head.find("\r\n");
    const std::string_view line = head.substr(0, line_end);
    head.remove_prefix(line_end + 2);
    if (first) {
      if (!read_status(line, out)) return Reading::special;
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return Reading::special;
    const net::Header field{line.substr(0, colon), trim(line.substr(colon + 1))};
    if (!net::is_field_name(field.name) || !net::is_field_value(line)) return Reading::special;
    switch (of_answer(field)) {
      case Fate::special:
        return Reading::special;
      case Fate::passes:
        append_field(out, field.name, field.value);
        break;
      case Fate::dropped:
        if (is(field.name, "keep-alive")) answer.keep_alive = field.value;
        if (!is(field.name, "content-length")) break;
        if (length) return Reading::special;
        length = field.value;
    }
  }
  const auto body_bytes = length ? read_length(*length) : std::nullopt;
  // What has not come yet may be long in coming: then the head goes on without it.
  if (!body_bytes || bytes.size() != answer.head_bytes + *body_bytes) return Reading::special;
  answer.body_bytes = *body_bytes;
  append_field(out, "Content-Length", *length);
  out += "\r\n";
  return Reading::whole;
}

class PreviewShortWay final : public net::ShortWay {
 public:
  PreviewShortWay(Shared& shared, const PreviewOptions& options, std::string_view scheme, const std::string& peer,
                  std::string& out)
      : shared_(shared), options_(options), scheme_(scheme), peer_(peer), out_(out) {}

  bool begin(const net::RawHead& head) override {
    if (head.method != "GET" || head.version_minor != 1 || !goes_to(host_of(head))) return false;
    const Access::Entry entry = entry_of(head);
    if (entry == Access::Entry::ask || !write_request(head, entry)) return false;
    server_ = shared_.pool.take_idle(upstream_, upstream_.idle_time, true);
    if (!server_) return false;
    hold_.emplace(shared_.open.hold(upstream_.sandbox_id));
    if (!*hold_) {
      shared_.pool.give_back(upstream_, std::move(server_), upstream_.idle_time);
      return false;
    }
    use_.emplace(shared_.activity.use(upstream_.sandbox_id));
    answers_ = false;
    sent_ = server_->ask_now(out_);
    return true;
  }

  asio::awaitable<End> finish(net::ByteStream& client) override {
    const auto end = co_await carry(client);
    hold_.reset();
    use_.reset();
    co_return end;
  }

  std::unique_ptr<net::ClientConnection> take_asked() override { return std::move(server_); }
  bool answers() const override { return answers_; }
  void client_gone() override {
    client_has_gone_ = true;
    if (server_) server_->close();
  }

 private:
  asio::awaitable<End> carry(net::ByteStream& client) {
    if (!sent_ && !co_await server_->finish_body()) {
      server_.reset();
      co_return End::general;
    }
    net::ReadBuffer& bytes = server_->answer_bytes();
    Answer answer;
    for (auto reading = Reading::more; reading != Reading::whole;) {
      auto got = co_await server_->stream()->read_some(bytes.prepare(kReadBytes));
      if (client_has_gone_) co_return End::cut;
      if (!got || *got == 0) {
        server_.reset();
        co_return End::general;
      }
      bytes.commit(*got);
      reading = read_answer(bytes.view(), answer, out_);
      if (reading == Reading::special) co_return End::general;
    }
    std::string_view body = bytes.view().substr(answer.head_bytes, answer.body_bytes);
    if (body.size() <= kCopiedBodyMax) {
      out_ += body;
      body = {};
    }
    answers_ = true;
    const std::size_t sent = client.write_now(asio::buffer(out_), asio::buffer(body));
    if (sent < out_.size() + body.size()) {
      // Others use out_ meanwhile.
      std::string rest = out_.substr(std::min(sent, out_.size()));
      rest += body.substr(sent - std::min(sent, out_.size()));
      if (!co_await client.write(asio::buffer(rest))) co_return End::cut;
    }
    const auto idle = kept_idle(answer.keep_alive, upstream_.idle_time);
    server_->took_answer(answer.head_bytes + answer.body_bytes);
    shared_.pool.give_back(upstream_, std::move(server_), idle);
    co_return End::answered;
  }

  // Mostly the same as before. Asked of every request to this listener.
  bool goes_to(std::string_view host) {
    if (host == host_) return is_preview_;
    host_ = host;
    HostMatch match = match_preview_host(host, options_.domain);
    is_preview_ = match.kind == HostMatch::Kind::preview && !match.name.is_token && !is_protected_port(match.name.port);
    if (!is_preview_) return false;
    upstream_.place = std::to_string(match.name.port);
    upstream_.sandbox_id = std::move(match.name.label);
    own_fields_.clear();
    append_field(own_fields_, "Host", "localhost:" + upstream_.place);
    if (!peer_.empty()) append_field(own_fields_, "X-Forwarded-For", peer_);
    append_field(own_fields_, "X-Forwarded-Host", host);
    append_field(own_fields_, "X-Forwarded-Proto", scheme_);
    return true;
  }

  // By the first field of each name, as everywhere.
  Access::Entry entry_of(const net::RawHead& head) {
    std::optional<std::string_view> bearer, preview_token;
    for (const net::Header& field : head.fields) {
      if (!bearer && is(field.name, "authorization")) bearer = bearer_token(field.value);
      if (!preview_token && is(field.name, kPreviewTokenHeader)) preview_token = field.value;
    }
    if (bearer && judge_bearer(*bearer) == Bearer::foreign) bearer.reset();
    return shared_.access.entry_now(upstream_.sandbox_id, bearer.value_or(""), preview_token.value_or(""));
  }

  // The head into out_. false: something in it has a rule of its own.
  bool write_request(const net::RawHead& head, Access::Entry entry) {
    if (!is_plain_target(head.target)) return false;
    out_.assign("GET ").append(head.target).append(" HTTP/1.1\r\n");
    bool has_length = false;
    for (const net::Header& field : head.fields) {
      switch (of_request(field, entry)) {
        case Fate::special:
          return false;
        case Fate::passes:
          append_field(out_, field.name, field.value);
          break;
        case Fate::dropped:
          has_length |= is(field.name, "content-length");
      }
    }
    out_ += own_fields_;
    out_ += has_length ? "Content-Length: 0\r\n\r\n" : "\r\n";
    return true;
  }

  Shared& shared_;
  const PreviewOptions& options_;
  const std::string_view scheme_;
  const std::string peer_;
  std::string& out_;
  // Of the last request's Host, and what follows from it.
  std::string host_;
  bool is_preview_ = false;
  std::string own_fields_;
  Upstream upstream_{.sandbox_id = {}, .place = {}, .connect = {}, .idle_time = kServerIdle};
  // Of the request that is on its way.
  std::unique_ptr<net::ClientConnection> server_;
  std::optional<net::OpenCounts::Hold> hold_;
  std::optional<ActivityKeeper::Use> use_;
  bool sent_ = false;
  bool answers_ = false;
  bool client_has_gone_ = false;
};

}  // namespace

net::MakeShortWay make_short_way(Shared& shared, const PreviewOptions& options, std::string scheme) {
  // What all of them write goes through one string: it is used from one wait to the next only.
  struct Common {
    std::string scheme;
    std::string out;
  };
  auto common = std::make_shared<Common>(std::move(scheme));
  return [&shared, &options, common](const std::string& peer) -> std::unique_ptr<net::ShortWay> {
    // What a trusted proxy says of its clients has rules of its own.
    if (shared.trusted.contains(peer)) return nullptr;
    return std::make_unique<PreviewShortWay>(shared, options, common->scheme, peer, common->out);
  };
}

}  // namespace sebring::proxy
