#pragma once
// git's plain credential store on disk: ~/.git-credentials and what `credential.helper = store` names.
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "toolbox_git/handles.h"
#include "toolbox_git/request.h"

namespace sebring::toolbox_git {

// From the first store that has one, where the configuration names the plain store as a helper; other helpers would
// have to be run and are passed over.
std::optional<SignIn> stored_credential(git_repository* repository, std::string_view protocol, std::string_view host,
                                        std::string_view username);

// Into ~/.git-credentials (mode 0600), and `credential.helper = store` into the user's configuration.
Result<void> store_credential(const StoreCredentials& request);

}  // namespace sebring::toolbox_git
