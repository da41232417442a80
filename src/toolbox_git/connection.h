#pragma once
// TCP connections that libgit2 makes for http, https and git://, so that each address is judged before it is connected
// to.
#include <sys/socket.h>

#include <set>
#include <string>

#include "base/result.h"
#include "toolbox_git/address.h"

namespace sebring::toolbox_git {

// Where one operation may connect to. The server that the user named and the proxies that the user configured are free;
// a server that we were redirected to must not lie nearer than the one that sent us, and gets no credentials meant for
// it.
class ConnectionPolicy {
 public:
  explicit ConnectionPolicy(std::string origin_host) : origin_(std::move(origin_host)) {}

  void allow_proxy(std::string host) { proxies_.insert(std::move(host)); }
  // Credentials went out for the origin: from now on no other server may be asked over this session.
  void signed_in() { signed_in_ = true; }

  // Before names are resolved.
  Result<void> check_host(const std::string& host) const;
  // For each address of a host that passed.
  Result<void> check_address(const std::string& host, const sockaddr& address);
  // Why a connection was refused, empty when none was.
  const std::string& refusal() const { return refusal_; }
  void remember_refusal(std::string why) { refusal_ = std::move(why); }
  const std::string& origin() const { return origin_; }

 private:
  bool is_free(const std::string& host) const { return host == origin_ || proxies_.contains(host); }

  std::string origin_;
  std::set<std::string> proxies_;
  Reach origin_reach_ = Reach::world;
  bool signed_in_ = false;
  std::string refusal_;
};

// Makes libgit2 connect under `policy` until the object dies. One at a time.
class PolicedConnections {
 public:
  explicit PolicedConnections(ConnectionPolicy& policy);
  ~PolicedConnections();
  PolicedConnections(const PolicedConnections&) = delete;
  PolicedConnections& operator=(const PolicedConnections&) = delete;
};

}  // namespace sebring::toolbox_git
