#include "toolbox_git/request.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/text.h"
#include "json/json.h"
#include "toolbox_git/url.h"

namespace sebring::toolbox_git {
namespace bj = boost::json;
namespace {

using json::ObjectReader;
constexpr std::size_t kFilesMax = 100'000;

bool has_control_character(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// What reaches libgit2 as a C string, and would be cut at a NUL.
std::string read_required_text(ObjectReader& reader, std::string_view name) {
  auto text = reader.required_text(name);
  if (text.contains('\0')) reader.error(std::string(name) + " must not contain NUL");
  return text;
}

// A path may hold anything else: such names exist.
std::string read_path(ObjectReader& reader, std::string_view name = "path") { return read_required_text(reader, name); }

// Names, hosts, users: nothing in them may break a line of a protocol or of a file.
std::string plain(ObjectReader& reader, std::string_view name, std::string text) {
  if (has_control_character(text)) reader.error(std::string(name) + " must not contain control characters");
  return text;
}
std::string read_plain(ObjectReader& reader, std::string_view name) {
  return plain(reader, name, reader.text(name).value_or(""));
}
std::string read_required_plain(ObjectReader& reader, std::string_view name) {
  return plain(reader, name, reader.required_text(name));
}

SignIn read_sign_in(ObjectReader& reader) { return {read_plain(reader, "username"), read_plain(reader, "password")}; }

std::vector<std::string> read_files(ObjectReader& reader, bool required) {
  auto files = reader.texts("files").value_or(std::vector<std::string>());
  if (required && files.empty()) reader.error("files must name at least one path");
  if (files.size() > kFilesMax) reader.error("files must not have more than 100000 entries");
  for (const auto& file : files)
    if (file.empty() || file.contains('\0')) {
      reader.error("files must not hold empty paths or NUL");
      break;
    }
  return files;
}

std::string read_url(ObjectReader& reader) {
  auto url = reader.required_text("url");
  if (url.empty()) return url;  // said already
  auto parsed = parse_repository_url(url);
  if (!parsed) {
    reader.error(parsed.error().message());
    return url;
  }
  return parsed->text;
}

Scope read_scope(ObjectReader& reader) {
  const auto text = reader.text("scope").value_or("");
  if (text == "local") return Scope::local;
  if (text == "system") return Scope::system;
  if (!text.empty() && text != "global") reader.error("scope must be one of global, local, system");
  return Scope::global;
}

std::string read_config_path(ObjectReader& reader, Scope scope) {
  if (scope == Scope::local) return read_path(reader);
  return "";
}

Request read_clone(ObjectReader& reader) {
  Clone clone;
  clone.path = read_path(reader);
  clone.url = read_url(reader);
  clone.branch = read_plain(reader, "branch");
  clone.commit = read_plain(reader, "commit_id");
  clone.sign_in = read_sign_in(reader);
  clone.insecure_skip_tls = reader.boolean("insecure_skip_tls").value_or(false);
  clone.depth = static_cast<int>(reader.integer("depth", 0, 1 << 30).value_or(0));
  clone.submodules = reader.boolean("submodules").value_or(false);
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); };
  if (!clone.commit.empty() &&
      (clone.commit.size() < 4 || clone.commit.size() > 40 || !std::ranges::all_of(clone.commit, is_hex)))
    reader.error("commit_id must be 4 to 40 hexadecimal digits");
  return clone;
}

Request read_discard(ObjectReader& reader) {
  return Discard{read_path(reader), reader.boolean("keep_directory").value_or(true)};
}

Request read_commit(ObjectReader& reader) {
  return Commit{read_path(reader), read_required_text(reader, "message"), read_required_plain(reader, "author"),
                read_required_plain(reader, "email"), reader.boolean("allow_empty").value_or(false)};
}

Request read_push(ObjectReader& reader) {
  return Push{read_path(reader), read_sign_in(reader), read_plain(reader, "branch"), read_plain(reader, "remote"),
              reader.boolean("set_upstream").value_or(false)};
}

Request read_pull(ObjectReader& reader) {
  return Pull{read_path(reader), read_sign_in(reader), read_plain(reader, "branch"), read_plain(reader, "remote")};
}

Request read_init(ObjectReader& reader) {
  return Init{read_path(reader), reader.boolean("bare").value_or(false), read_plain(reader, "initial_branch")};
}

Request read_add_remote(ObjectReader& reader) {
  return AddRemote{read_path(reader), read_required_plain(reader, "name"), read_url(reader),
                   reader.boolean("fetch").value_or(false), reader.boolean("overwrite").value_or(false)};
}

Request read_get_config(ObjectReader& reader) {
  const auto scope = read_scope(reader);
  return GetConfig{scope, read_config_path(reader, scope), read_required_plain(reader, "key")};
}

Request read_set_config(ObjectReader& reader) {
  const auto scope = read_scope(reader);
  auto path = read_config_path(reader, scope);
  auto key = read_required_plain(reader, "key");
  auto value = reader.text("value");
  if (!value) reader.error("value is required");
  if (value && value->contains('\0')) reader.error("value must not contain NUL");
  return SetConfig{scope, std::move(path), {{std::move(key), value.value_or("")}}};
}

Request read_set_user(ObjectReader& reader) {
  const auto scope = read_scope(reader);
  auto path = read_config_path(reader, scope);
  auto name = read_required_plain(reader, "name");
  auto email = read_required_plain(reader, "email");
  return SetConfig{scope, std::move(path), {{"user.name", std::move(name)}, {"user.email", std::move(email)}}};
}

Request read_store_credentials(ObjectReader& reader) {
  StoreCredentials store;
  store.protocol = to_lower(read_plain(reader, "protocol"));
  store.host = to_lower(read_plain(reader, "host"));
  if (store.protocol.empty()) store.protocol = "https";
  if (store.host.empty()) store.host = "github.com";
  store.sign_in.username = read_required_plain(reader, "username");
  store.sign_in.password = read_required_plain(reader, "password");
  if (store.protocol != "http" && store.protocol != "https") reader.error("protocol must be http or https");
  // The parser for URLs knows what a host is; what it finds must be all there was.
  const auto parsed = parse_repository_url("https://" + store.host + "/x");
  if (!parsed || host_and_port(parsed->text) != store.host || !parsed->user.empty() || store.host.ends_with(':'))
    reader.error("host must be a host name with an optional port");
  return store;
}

Request read_reset(ObjectReader& reader) {
  Reset reset{read_path(reader), ResetMode::mixed, read_plain(reader, "target"), read_files(reader, false)};
  const auto mode = reader.text("mode").value_or("");
  if (mode == "soft") {
    reset.mode = ResetMode::soft;
  } else if (mode == "hard") {
    reset.mode = ResetMode::hard;
  } else if (mode == "merge") {
    reset.mode = ResetMode::merge;
  } else if (mode == "keep") {
    reset.mode = ResetMode::keep;
  } else if (!mode.empty() && mode != "mixed") {
    reader.error("mode must be one of soft, mixed, hard, merge, keep");
  }
  if (!reset.files.empty() && reset.mode != ResetMode::mixed)
    reader.error("files can only be given with mode mixed: no other mode works on single files");
  return reset;
}

Request read_restore(ObjectReader& reader) {
  Restore restore{read_path(reader), read_files(reader, true), false, true, read_plain(reader, "source")};
  const auto staged = reader.boolean("staged");
  restore.staged = staged.value_or(false);
  // Said nothing about either: the working tree. Said something about the index only: nothing else is touched.
  restore.worktree = reader.boolean("worktree").value_or(!staged.has_value());
  if (!restore.staged && !restore.worktree) reader.error("one of staged and worktree must be true");
  return restore;
}

struct Operation {
  std::string_view name;
  Request (*read)(ObjectReader&);
};

constexpr Operation kOperations[] = {
    {"clone", read_clone},
    {"discard", read_discard},
    {"status", [](ObjectReader& reader) -> Request { return Status{read_path(reader)}; }},
    {"list_branches", [](ObjectReader& reader) -> Request { return ListBranches{read_path(reader)}; }},
    {"create_branch",
     [](ObjectReader& reader) -> Request {
       return CreateBranch{read_path(reader), read_required_plain(reader, "name")};
     }},
    {"delete_branch",
     [](ObjectReader& reader) -> Request {
       return DeleteBranch{read_path(reader), read_required_plain(reader, "name")};
     }},
    {"checkout",
     [](ObjectReader& reader) -> Request {
       return Checkout{read_path(reader), read_required_plain(reader, "branch")};
     }},
    {"add", [](ObjectReader& reader) -> Request { return Add{read_path(reader), read_files(reader, true)}; }},
    {"commit", read_commit},
    {"push", read_push},
    {"pull", read_pull},
    {"history", [](ObjectReader& reader) -> Request { return History{read_path(reader)}; }},
    {"init", read_init},
    {"list_remotes", [](ObjectReader& reader) -> Request { return ListRemotes{read_path(reader)}; }},
    {"add_remote", read_add_remote},
    {"get_config", read_get_config},
    {"set_config", read_set_config},
    {"set_user", read_set_user},
    {"store_credentials", read_store_credentials},
    {"reset", read_reset},
    {"restore", read_restore},
};

}  // namespace

Result<Request> parse_request(std::string_view operation, const bj::object& fields) {
  for (const auto& row : kOperations) {
    if (row.name != operation) continue;
    ObjectReader reader(fields);
    auto request = row.read(reader);
    SB_CHECK(reader.finish());
    return request;
  }
  return fail(Errc::invalid_argument, "unknown git operation '" + std::string(operation) + "'");
}

bool uses_network(const Request& request) {
  if (const auto* remote = std::get_if<AddRemote>(&request)) return remote->fetch;
  return std::holds_alternative<Clone>(request) || std::holds_alternative<Push>(request) ||
         std::holds_alternative<Pull>(request);
}

std::string encode_job(std::string_view operation, const bj::object& fields, std::string_view ca_file) {
  return json::serialize(bj::object{{"operation", operation}, {"ca_file", ca_file}, {"fields", fields}});
}

Result<Job> decode_job(std::string_view text) {
  SB_TRY(auto object, json::parse_object(text));
  ObjectReader reader(object);
  const auto operation = reader.required_text("operation");
  Job job;
  job.ca_file = reader.text("ca_file").value_or("");
  const auto* fields = reader.object("fields");
  if (!fields) reader.error("fields is required");
  SB_CHECK(reader.finish());
  SB_TRY(job.request, parse_request(operation, *fields));
  return job;
}

}  // namespace sebring::toolbox_git
