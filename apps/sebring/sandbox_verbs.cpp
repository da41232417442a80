#include "sandbox_verbs.h"

#include <CLI/CLI.hpp>

#include "cli/tty_command.h"

namespace sebring {

SandboxVerbs::SandboxVerbs(Parser& parser) : parser_(parser) {
  add_sandboxes();
  add_exec();
  add_snapshots();
}

void SandboxVerbs::add_sandboxes() {
  CLI::App* create = parser_.add("create", "create a sandbox", parser_.with_api([this](auto& api, auto& output) {
    return cli::create_sandbox(api, output, create_);
  }));
  parser_.add_api_flags(create);
  add_create_flags(*create);

  CLI::App* list = parser_.add("list", "list sandboxes", parser_.with_api([this](auto& api, auto& output) {
    return cli::list_sandboxes(api, output, list_);
  }));
  parser_.add_api_flags(list);
  list->add_option("-l,--limit", list_.limit, "at most so many")->check(CLI::Range(1, 1'000'000));
  list->add_option("--cursor", list_.cursor, "go on where an earlier list ended");
  list->add_option("--label", list_.labels, "KEY=VALUE; several must all match");
  list->add_option("--state", list_.states, "only in this state; may be repeated");
  list->add_option("--name", list_.name, "only names that begin so");

  CLI::App* info =
      parser_.add("info", "show one sandbox",
                  parser_.with_api([this](auto& api, auto& output) { return cli::show_sandbox(api, output, box_); }));
  parser_.add_api_flags(info);
  info->add_option("SANDBOX", box_, "id or name")->required();

  CLI::App* start = parser_.add("start", "start stopped sandboxes", parser_.with_api([this](auto& api, auto& output) {
    return cli::start_sandboxes(api, output, boxes_);
  }));
  CLI::App* stop = parser_.add(
      "stop", "stop sandboxes; their disks stay",
      parser_.with_api([this](auto& api, auto& output) { return cli::stop_sandboxes(api, output, boxes_, force_); }));
  stop->add_flag("-f,--force", force_, "kill at once");
  for (CLI::App* one : {start, stop}) {
    parser_.add_api_flags(one);
    one->add_option("SANDBOX", boxes_, "ids or names")->required();
  }

  CLI::App* erase = parser_.add(
      "delete", "delete sandboxes and their disks",
      parser_.with_api([this](auto& api, auto& output) { return cli::delete_sandboxes(api, output, boxes_, all_); }));
  parser_.add_api_flags(erase);
  auto* all = erase->add_flag("-a,--all", all_, "all sandboxes that this key may see");
  erase->add_option("SANDBOX", boxes_, "ids or names")->excludes(all);
  erase->preparse_callback([](std::size_t left) {
    if (left == 0) throw CLI::RequiredError("SANDBOX or --all");
  });
}

void SandboxVerbs::add_create_flags(CLI::App& create) {
  create.add_option("--name", create_.name, "name; by default the id");
  create.add_option("--snapshot", create_.snapshot, "snapshot to start from");
  create.add_option("--class", create_.size, "small, medium or large: the snapshot of that size")
      ->check(CLI::IsMember({"small", "medium", "large"}));
  create.add_option("-f,--dockerfile", create_.dockerfile, "build from this file; without files of a context");
  create.add_option("--user", create_.user, "user that commands run as");
  create.add_option("--target", create_.target, "region");
  create.add_option("-e,--env", create_.env, "KEY=VALUE for all processes; may be repeated");
  create.add_option("-l,--label", create_.labels, "KEY=VALUE; may be repeated");
  create.add_option("-v,--volume", create_.volumes, "VOLUME:PATH; may be repeated");
  create.add_flag("--public", create_.is_public, "previews need no token");
  create.add_option("--cpu", create_.cpu, "CPUs");
  create.add_option("--gpu", create_.gpu, "GPUs");
  create.add_option("--memory", create_.memory, "GiB of memory");
  create.add_option("--disk", create_.disk, "GiB of disk");
  create.add_option("--auto-stop", create_.auto_stop, "stop after so many minutes without use; 0 is never");
  create.add_option("--auto-archive", create_.auto_archive, "archive after so many minutes stopped");
  create.add_option("--auto-delete", create_.auto_delete, "delete after so many minutes stopped; 0 at once, -1 never");
  create.add_flag("--network-block-all", create_.network_block_all, "no network");
  create.add_option("--network-allow-list", create_.network_allow_list, "only these networks: CIDR,CIDR");
  create.add_option("--domain-allow-list", create_.domain_allow_list, "only these domains: a.example,*.b.example");
}

void SandboxVerbs::add_exec() {
  auto run = parser_.with_api(
      [this](auto& api, auto& output) {
        return tty_ ? cli::exec_in_terminal(api, output, exec_) : cli::exec_in_sandbox(api, output, exec_);
      },
      cli::kExecFailed);
  CLI::App* exec = parser_.add("exec", "run a command in a sandbox: exec SANDBOX [flags] [--] COMMAND...", [this, run] {
    if (!exec_.command.empty() || tty_) return run();
    return parser_.output().fail(Error(Errc::invalid_argument, "exec: no command given"), cli::kUsage);
  });
  parser_.add_api_flags(exec);
  exec->add_option("SANDBOX", exec_.box, "id or name")->required();
  exec->add_flag("-t,--tty", tty_, "in a terminal; without a command: a login shell");
  exec->add_option("--cwd", exec_.cwd, "working directory");
  exec->add_option("-e,--env", exec_.env, "KEY=VALUE; may be repeated");
  exec->add_option("--timeout", exec_.timeout_s, "kill it after so many seconds")->check(CLI::PositiveNumber);
}

void SandboxVerbs::add_snapshots() {
  CLI::App* snapshot = parser_.add_group("snapshot", "snapshots that sandboxes start from");
  CLI::App* list = parser_.add("list", "list snapshots", parser_.with_api([this](auto& api, auto& output) {
    return cli::list_snapshots(api, output, snapshots_);
  }),
                               snapshot);
  parser_.add_api_flags(list);
  list->add_option("-p,--page", snapshots_.page, "page, from 1")->check(CLI::PositiveNumber);
  list->add_option("-l,--limit", snapshots_.limit, "per page")->check(CLI::Range(1, 200));
  list->add_option("--name", snapshots_.name, "only names that contain this");
}

}  // namespace sebring
