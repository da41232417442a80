#pragma once
// What every group of endpoints gets. Made once by serve(), lives as long as the process. One event-loop thread: no
// locks.
#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "net/router.h"
#include "toolbox/process.h"

namespace sebring::toolbox {

// The sandbox's user, read from the image's passwd and group files as data. Without an entry: uid as configured, home
// "/", shell "/bin/sh".
struct Identity {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  std::string home;
  std::string shell;
};

// Environment of processes started from now on: image ENV, then the sandbox's, then what /env changed. Ordered by name.
using Environment = std::map<std::string, std::string>;

struct Context {
  asio::io_context& io;
  Spawner& spawner;
  Identity user;
  Environment environment;  // of commands; PATH, HOME, USER, LOGNAME, SHELL are always set
  std::string work_dir;     // image WORKDIR, else home; relative paths of every endpoint resolve against it
  std::string sandbox_id;
  std::string version;                  // of sebring
  std::string log_dir;                  // for session logs; on the sandbox's disk, writable for the user only
  UniqueFd devpts;                      // root of the devpts instance; invalid in stand-alone mode (then /dev/pts)
  std::vector<std::string> entrypoint;  // image ENTRYPOINT + CMD, run as the session `entrypoint`; empty: none
  UniqueFd memory_cgroup;               // directory of the users' memory cgroup; may be invalid
  UniqueFd self_executable;             // this program, executed again as the user for file operations
  double cpus = 0;                      // the sandbox's share of processors; 0: unknown
  UniqueFd git_helper;                  // the program for git operations (StartSpec::executable); may be invalid
  // What commands have printed and their clients have not taken yet.
  std::shared_ptr<std::size_t> output_bytes = std::make_shared<std::size_t>(0);
};

// Each group adds its routes; objects that live on are owned by the returned-to router's handlers (shared_ptr).
void add_info_routes(net::Router&, Context&);     // version, dirs, port, env, system/metrics
void add_execute_routes(net::Router&, Context&);  // process/execute, process/code-run
void add_file_routes(net::Router&, Context&);
void add_session_routes(net::Router&, Context&);
void add_pty_routes(net::Router&, Context&);
void add_interpreter_routes(net::Router&, Context&);
void add_lsp_routes(net::Router&, Context&);
void add_git_routes(net::Router&, Context&);
void add_channel_routes(net::Router&, Context&);  // process/channel, port/listen, port/accept: for the SSH gateway
void add_proxy_routes(net::Router&, Context&);    // /proxy/{port}/...

}  // namespace sebring::toolbox
