#pragma once
// One function per operation. Each returns the body of the answer, JSON or nothing; an operation whose answer may be
// very long writes it to the output itself, after `done`.
#include <string>

#include "base/result.h"
#include "toolbox_git/output.h"
#include "toolbox_git/request.h"

namespace sebring::toolbox_git {

struct Tools {
  Output& output;
  std::string ca_file;
};

Result<std::string> perform(const Clone&, Tools&);
Result<std::string> perform(const Discard&, Tools&);
Result<std::string> perform(const Status&, Tools&);
Result<std::string> perform(const ListBranches&, Tools&);
Result<std::string> perform(const CreateBranch&, Tools&);
Result<std::string> perform(const DeleteBranch&, Tools&);
Result<std::string> perform(const Checkout&, Tools&);
Result<std::string> perform(const Add&, Tools&);
Result<std::string> perform(const Commit&, Tools&);
Result<std::string> perform(const Push&, Tools&);
Result<std::string> perform(const Pull&, Tools&);
Result<std::string> perform(const History&, Tools&);
Result<std::string> perform(const Init&, Tools&);
Result<std::string> perform(const ListRemotes&, Tools&);
Result<std::string> perform(const AddRemote&, Tools&);
Result<std::string> perform(const GetConfig&, Tools&);
Result<std::string> perform(const SetConfig&, Tools&);
Result<std::string> perform(const StoreCredentials&, Tools&);
Result<std::string> perform(const Reset&, Tools&);
Result<std::string> perform(const Restore&, Tools&);

}  // namespace sebring::toolbox_git
