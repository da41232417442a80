#pragma once
// Subcommands about the server itself: up down control runner, doctor config version quickstart, key.
#include "cli/key_commands.h"
#include "parser.h"
#include "role.h"
#include "up.h"

namespace sebring {

class ServerVerbs {
 public:
  // `parser` must outlive this, and this the parser's run().
  explicit ServerVerbs(Parser& parser);

 private:
  using Alone = Result<RoleInput> (*)(config::Config);
  void add_role(const std::string& name, const std::string& description, Alone alone, int (*run)(RoleInput));
  int run_role(config::Config config, const std::string& name, Alone alone, int (*run)(RoleInput));
  void add_up();
  void add_machine();
  void add_information();
  void add_keys();

  Parser& parser_;
  UpOptions up_;
  std::string instance_, sockets_;
  bool brief_ = false, verbose_ = false;
  cli::KeyCreateOptions key_;
};

}  // namespace sebring
