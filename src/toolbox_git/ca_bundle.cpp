#include "toolbox_git/ca_bundle.h"

#include <git2.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <memory>

#include "toolbox_git/git_error.h"

#ifdef SEBRING_CA_BUNDLE
// The bundle of the machine that builds, in read-only pages that cost nothing until they are read.
asm(".section .rodata.sebring_ca_bundle,\"a\",@progbits\n"
    ".globl sebring_ca_bundle\nsebring_ca_bundle:\n.incbin \"" SEBRING_CA_BUNDLE
    "\"\n"
    ".globl sebring_ca_bundle_end\nsebring_ca_bundle_end:\n.byte 0\n.previous\n");
extern "C" const char sebring_ca_bundle[];
extern "C" const char sebring_ca_bundle_end[];
#else
static const char sebring_ca_bundle[1] = "";
static const char* const sebring_ca_bundle_end = sebring_ca_bundle;
#endif

namespace sebring::toolbox_git {
namespace {

constexpr const char* kPlaces[] = {
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",                   // Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // newer RHEL
    "/etc/ssl/ca-bundle.pem",                             // openSUSE
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
};

Result<void> load_file(const std::string& path) {
  GIT_CHECK(git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, path.c_str(), nullptr), "read certificates of " + path);
  return {};
}

Result<void> load_built_in() {
  const auto size = static_cast<int>(sebring_ca_bundle_end - sebring_ca_bundle);
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new_mem_buf(sebring_ca_bundle, size), BIO_free);
  if (size == 0 || !memory)
    return fail(Errc::bad_gateway, "no trusted certificates: neither in the sandbox nor built in", kTransportFailed);
  while (true) {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr), X509_free);
    if (!certificate) break;
    GIT_CHECK(git_libgit2_opts(GIT_OPT_ADD_SSL_X509_CERT, certificate.get()), "trust a built-in certificate");
  }
  ERR_clear_error();  // the end of the text is an error to OpenSSL
  return {};
}

}  // namespace

Result<void> load_trusted_certificates(const std::string& preferred) {
  static bool loaded = false;  // a setting of the library, which is one per process
  if (loaded) return {};
  loaded = true;
  if (!preferred.empty()) return load_file(preferred);
  for (const char* path : kPlaces)
    if (::access(path, R_OK) == 0 && load_file(path)) return {};
  return load_built_in();
}

}  // namespace sebring::toolbox_git
