#pragma once
// Who this server is to SSH clients: made once, the same ever after.
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

struct ssh_key_struct;

namespace sebring::ssh {

struct KeyFree {
  void operator()(ssh_key_struct* key) const;
};
using Key = std::unique_ptr<ssh_key_struct, KeyFree>;

// Ed25519 and ECDSA P-256 keys from `directory` (ssh_host_ed25519_key, ssh_host_ecdsa_key), made there when missing,
// with mode 0600. A key that is there and can not be read is an error: a new identity would alarm every client.
Result<std::vector<Key>> load_host_keys(const std::string& directory);
// "SHA256:..." as OpenSSH shows it.
std::string fingerprint(const Key& key);
// "ssh-ed25519 AAAA...", for known_hosts.
std::string public_key_text(const Key& key);

}  // namespace sebring::ssh
