#pragma once
// The operations and what each needs. Parsed by the daemon, to answer bad requests without starting anything, and again
// by the helper from what the daemon hands over. Paths of repositories are absolute by then.
#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace sebring::toolbox_git {

// For http(s): user and password or token. For ssh: user and passphrase of the key, or password. Empty: none given.
struct SignIn {
  std::string username;
  std::string password;
  bool empty() const { return username.empty() && password.empty(); }
};

struct Clone {
  std::string path;
  std::string url;
  std::string branch;  // or a tag; empty: what the server's HEAD names
  std::string commit;  // full or abbreviated hash; checked out detached
  SignIn sign_in;
  bool insecure_skip_tls = false;
  int depth = 0;            // commits; 0: all
  bool submodules = false;  // fetch and check them out too, recursively
};
// What a killed clone left: the path, or with `keep_directory` only what lies in it.
struct Discard {
  std::string path;
  bool keep_directory = false;
};
struct Status {
  std::string path;
};
struct ListBranches {
  std::string path;
};
struct CreateBranch {
  std::string path;
  std::string name;
};
struct DeleteBranch {
  std::string path;
  std::string name;
};
struct Checkout {
  std::string path;
  std::string target;  // branch, tag or commit
};
struct Add {
  std::string path;
  std::vector<std::string> files;
};
struct Commit {
  std::string path;
  std::string message;
  std::string author;
  std::string email;
  bool allow_empty = false;
};
struct Push {
  std::string path;
  SignIn sign_in;
  std::string branch;  // empty: the current one
  std::string remote;  // empty: the branch's, else origin
  bool set_upstream = false;
};
struct Pull {
  std::string path;
  SignIn sign_in;
  std::string branch;  // empty: the current branch's upstream
  std::string remote;
};
struct History {
  std::string path;
};
struct Init {
  std::string path;
  bool bare = false;
  std::string initial_branch;
};
struct ListRemotes {
  std::string path;
};
struct AddRemote {
  std::string path;
  std::string name;
  std::string url;
  bool fetch = false;
  bool overwrite = false;
};

enum class Scope { global, local, system };
struct GetConfig {
  Scope scope = Scope::global;
  std::string path;  // for Scope::local
  std::string key;
};
struct SetConfig {
  Scope scope = Scope::global;
  std::string path;
  // Written in this order.
  std::vector<std::pair<std::string, std::string>> entries;
};
struct StoreCredentials {
  std::string protocol;  // "http" or "https"
  std::string host;      // with ":port" where it is not the usual one
  SignIn sign_in;
};

enum class ResetMode { soft, mixed, hard, merge, keep };
struct Reset {
  std::string path;
  ResetMode mode = ResetMode::mixed;
  std::string target;              // revision; empty: HEAD
  std::vector<std::string> files;  // only with mixed
};
struct Restore {
  std::string path;
  std::vector<std::string> files;
  bool staged = false;
  bool worktree = true;
  std::string source;  // revision; empty: HEAD when staged, else the index
};

using Request =
    std::variant<Clone, Discard, Status, ListBranches, CreateBranch, DeleteBranch, Checkout, Add, Commit, Push, Pull,
                 History, Init, ListRemotes, AddRemote, GetConfig, SetConfig, StoreCredentials, Reset, Restore>;

// `operation` is one of kOperations in request.cpp, `fields` the body as clients send it (unknown fields are ignored).
// Errc::invalid_argument naming every bad field.
Result<Request> parse_request(std::string_view operation, const boost::json::object& fields);

// Clone, push, pull and adding a remote with fetch talk to a server.
bool uses_network(const Request& request);

// An operation with where it runs: what the daemon writes to the helper's stdin.
struct Job {
  Request request;
  std::string ca_file;  // bundle that the sandbox's environment names; empty: the image's usual places, else ours
};
std::string encode_job(std::string_view operation, const boost::json::object& fields, std::string_view ca_file);
Result<Job> decode_job(std::string_view text);

}  // namespace sebring::toolbox_git
