#include "ssh/host_key.h"

#include <fcntl.h>
#include <libssh/libssh.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

namespace sebring::ssh {
namespace {

// Written whole under another name first: a crash must not leave half a key.
Result<Key> make_key(ssh_keytypes_e type, int bits, const std::string& path) {
  ssh_key raw = nullptr;
  if (::ssh_pki_generate(type, bits, &raw) != SSH_OK) return fail(Errc::internal, "make an SSH host key");
  Key key(raw);
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  const mode_t old = ::umask(077);
  const int written = ::ssh_pki_export_privkey_file(raw, nullptr, nullptr, nullptr, temporary.c_str());
  ::umask(old);
  if (written != SSH_OK) return fail(Errc::internal, "write " + temporary);
  if (::chmod(temporary.c_str(), 0600) != 0) return fail_errno(errno, "chmod " + temporary);
  if (const int fd = ::open(temporary.c_str(), O_RDONLY | O_CLOEXEC); fd >= 0) {
    ::fsync(fd);
    ::close(fd);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail_errno(errno, "rename to " + path);
  return key;
}

Result<Key> load_key(ssh_keytypes_e type, int bits, const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return fail_errno(errno, "read " + path);
    return make_key(type, bits, path);
  }
  ssh_key raw = nullptr;
  if (::ssh_pki_import_privkey_file(path.c_str(), nullptr, nullptr, nullptr, &raw) != SSH_OK) {
    return fail(Errc::internal, path + " holds no private key that can be read");
  }
  return Key(raw);
}

}  // namespace

void KeyFree::operator()(ssh_key_struct* key) const { ::ssh_key_free(key); }

Result<std::vector<Key>> load_host_keys(const std::string& directory) {
  std::vector<Key> keys;
  SB_TRY(Key ed25519, load_key(SSH_KEYTYPE_ED25519, 0, directory + "/ssh_host_ed25519_key"));
  SB_TRY(Key ecdsa, load_key(SSH_KEYTYPE_ECDSA, 256, directory + "/ssh_host_ecdsa_key"));
  keys.push_back(std::move(ed25519));
  keys.push_back(std::move(ecdsa));
  return keys;
}

std::string fingerprint(const Key& key) {
  unsigned char* hash = nullptr;
  std::size_t length = 0;
  if (::ssh_get_publickey_hash(key.get(), SSH_PUBLICKEY_HASH_SHA256, &hash, &length) != SSH_OK) return {};
  char* text = ::ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, length);
  std::string result = text ? text : "";
  ::ssh_string_free_char(text);
  ::ssh_clean_pubkey_hash(&hash);
  return result;
}

std::string public_key_text(const Key& key) {
  char* text = nullptr;
  if (::ssh_pki_export_pubkey_base64(key.get(), &text) != SSH_OK) return {};
  std::string result = std::string(::ssh_key_type_to_char(::ssh_key_type(key.get()))) + " " + text;
  ::ssh_string_free_char(text);
  return result;
}

}  // namespace sebring::ssh
