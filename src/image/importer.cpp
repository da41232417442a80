#include "image/importer.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/random.h"
#include "image/importer_process.h"
#include "image/layer_mark.h"
#include "image/layer_store.h"
#include "os/file.h"

namespace sebring::image {
namespace {

constexpr std::string_view kTemporary = ".import-";

// A directory that becomes a layer or vanishes. Locked while somebody works on it, so that clean_up_imports() of
// whatever process can tell; the lock goes with the process.
class TemporaryLayer {
 public:
  static Result<TemporaryLayer> make(int layers, const std::string& hex) {
    std::string name = std::string(kTemporary) + hex + "-" + random_hex(8);
    if (::mkdirat(layers, name.c_str(), 0755) < 0) return fail_errno(errno, "make " + name);
    auto lock = os::open_at(layers, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!lock) return std::unexpected(std::move(lock).error());
    TemporaryLayer layer(layers, name, *std::move(lock));
    struct stat status;
    // A cleaner may have come between; it takes the lock before it removes.
    if (::flock(layer.lock_.get(), LOCK_EX | LOCK_NB) < 0 || ::fstat(layer.lock_.get(), &status) < 0 ||
        status.st_nlink == 0 || !os::exists_at(layers, name))
      return fail(Errc::unavailable, "a clean-up of imports came between; try again");
    if (::fchmod(layer.lock_.get(), 0755) < 0) return fail_errno(errno, "set the mode of " + name);
    return layer;
  }
  TemporaryLayer(TemporaryLayer&& other) noexcept
      : layers_(other.layers_), name_(std::exchange(other.name_, "")), lock_(std::move(other.lock_)) {}
  ~TemporaryLayer() {
    if (!name_.empty()) (void)os::remove_tree_at(layers_, name_);
  }

  const std::string& name() const { return name_; }

  // Durable, and only then under its name. False when somebody else has been faster.
  Result<bool> publish(const std::string& hex, const Imported& imported) {
    SB_CHECK(mark_layer(lock_.get(), {imported.bytes, imported.entries}));
    if (::syncfs(lock_.get()) < 0) return fail_errno(errno, "sync the layer");
    if (::renameat2(layers_, name_.c_str(), layers_, hex.c_str(), RENAME_NOREPLACE) < 0) {
      if (errno == EEXIST) return false;
      return fail_errno(errno, "rename the layer");
    }
    name_.clear();
    if (::fsync(layers_) < 0) return fail_errno(errno, "sync the layers' directory");
    return true;
  }

 private:
  TemporaryLayer(int layers, std::string name, UniqueFd lock)
      : layers_(layers), name_(std::move(name)), lock_(std::move(lock)) {}
  int layers_;
  std::string name_;  // empty: nothing to remove
  UniqueFd lock_;
};

ImporterJob job_of(const ImportLimits& limits, ImporterRole role) {
  return {.role = role,
          .ratio_max = limits.ratio_max,
          .path_bytes_max = limits.path_bytes_max,
          .depth_max = limits.depth_max,
          .input_bytes_max = limits.blob_bytes_max,
          .output_bytes_max = limits.tar_bytes_max,
          .file_bytes_max = limits.file_bytes_max,
          .entries_max = limits.entries_max,
          .extended_bytes_max = limits.pax_bytes_max,
          .cpu_seconds_max = limits.seconds_max};
}

// Before what the tar's reader has said: a damaged stream breaks tars in many ways, but this says what is wrong.
Result<void> check_digests(const ImportRequest& request, const ImporterReport& report) {
  auto differs = [](const std::string& wanted, const char* found) {
    return !wanted.empty() && std::string_view(wanted).substr(7) != std::string_view(found, 64);
  };
  if (request.blob_bytes && report.input_bytes != request.blob_bytes)
    return fail(Errc::invalid_argument, "the layer has " + std::to_string(report.input_bytes) + " bytes instead of " +
                                            std::to_string(request.blob_bytes));
  if (differs(request.blob_digest, report.input_sha256))
    return fail(Errc::invalid_argument, "the layer as given does not have the digest " + request.blob_digest);
  if (differs(request.digest, report.output_sha256))
    return fail(Errc::invalid_argument, "the layer's tar does not have the digest " + request.digest);
  return {};
}

Result<Imported> unpack_into(const ImportRequest& request, const std::string& directory) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(request.limits.seconds_max);
  SB_TRY(auto expand, ImporterProcess::start(request.program));
  SB_TRY(auto unpack, ImporterProcess::start(request.program));
  {
    SB_TRY(auto mapped, map_directory(request.layers, directory, unpack.user_namespace(), false));
    SB_TRY(auto pipe, make_wide_pipe());
    unpack.set_mount(mapped.mount_id);
    SB_CHECK(unpack.give(job_of(request.limits, ImporterRole::unpack), pipe.first.get(), mapped.mount.get()));
    SB_CHECK(expand.give(job_of(request.limits, ImporterRole::expand), request.input, pipe.second.get()));
  }
  SB_CHECK(run_both(expand, unpack, deadline));
  const auto& expanded = *expand.outcome();
  const auto& unpacked = *unpack.outcome();
  SB_CHECK(expanded.result);
  SB_CHECK(check_digests(request, expanded.report));
  SB_CHECK(unpacked.result);
  return Imported{
      .bytes = unpacked.report.output_bytes, .entries = unpacked.report.entries, .remarks = unpacked.remarks};
}

Result<void> check_request(const ImportRequest& request) {
  SB_CHECK(digest_hex(request.digest));
  if (!request.blob_digest.empty()) SB_CHECK(digest_hex(request.blob_digest));
  struct stat status;
  if (::fstat(request.input, &status) < 0) return fail_errno(errno, "look at the layer's file");
  if (!S_ISREG(status.st_mode)) return fail(Errc::invalid_argument, "the layer is not a file");
  return {};
}

}  // namespace

Result<std::string> digest_hex(std::string_view digest) {
  constexpr std::string_view kPrefix = "sha256:";
  auto hex = digest.substr(std::min(kPrefix.size(), digest.size()));
  bool good = digest.starts_with(kPrefix) && hex.size() == 64 && std::all_of(hex.begin(), hex.end(), [](char c) {
                return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
              });
  if (!good) return fail(Errc::invalid_argument, "a digest is \"sha256:\" and 64 lower-case hexadecimal digits");
  return std::string(hex);
}

Result<Imported> import_layer(const ImportRequest& request) {
  SB_CHECK(check_request(request));
  SB_TRY(std::string hex, digest_hex(request.digest));
  auto existing = [&]() -> Result<Imported> {
    SB_TRY(auto layer, os::open_at(request.layers, hex, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    SB_TRY(auto mark, read_layer_mark(layer.get()));
    return Imported{.bytes = mark.bytes, .entries = mark.entries, .existed = true};
  };
  if (LayerStore(request.layers).has(request.digest)) return existing();
  SB_TRY(auto temporary, TemporaryLayer::make(request.layers, hex));
  auto imported = unpack_into(request, temporary.name());
  if (!imported) return std::unexpected(std::move(imported).error().while_doing("import layer " + hex.substr(0, 12)));
  SB_TRY(bool ours, temporary.publish(hex, *imported));
  if (!ours) return existing();
  return imported;
}

Result<void> clean_up_imports(int layers) {
  SB_TRY(auto names, os::list_dir_at(layers, "."));
  for (const auto& name : names) {
    if (!name.starts_with(kTemporary)) continue;
    auto directory = os::open_at(layers, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory || ::flock(directory->get(), LOCK_EX | LOCK_NB) < 0) continue;
    SB_CHECK(os::remove_tree_at(layers, name));
  }
  return {};
}

}  // namespace sebring::image
