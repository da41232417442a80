#include "image/archive.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>

#include "image/importer_process.h"
#include "os/file.h"

namespace sebring::image {
namespace {

using std::chrono::steady_clock;

// What a sandbox could have on its disk must come back, so only the disk's own limit counts.
ImporterJob job_of(ImporterRole role, std::uint32_t seconds_max) {
  constexpr std::uint64_t kNone = std::numeric_limits<std::int64_t>::max();
  return {.role = role,
          .own_archive = 1,
          .ratio_max = std::numeric_limits<std::uint32_t>::max(),
          .path_bytes_max = 4095,
          .depth_max = 4095,
          .input_bytes_max = kNone,
          .output_bytes_max = kNone,
          .file_bytes_max = kNone,
          .entries_max = kNone,
          .extended_bytes_max = std::uint64_t{16} << 20,
          .cpu_seconds_max = seconds_max};
}

Result<UniqueFd> open_u(int upper) { return os::open_at(upper, "u", O_RDONLY | O_DIRECTORY | O_NOFOLLOW); }

}  // namespace

Result<Archived> archive_upper(const ArchiveRequest& request) {
  auto deadline = steady_clock::now() + std::chrono::seconds(request.seconds_max);
  SB_TRY(auto u, open_u(request.upper));
  SB_TRY(auto pack, ImporterProcess::start(request.program, request.give_up));
  SB_TRY(auto compress, ImporterProcess::start(request.program, request.give_up));
  {
    SB_TRY(auto mapped, map_directory(u.get(), "", pack.user_namespace(), true));
    SB_TRY(auto pipe, make_wide_pipe());
    pack.set_mount(mapped.mount_id);
    ImporterJob compress_job = job_of(ImporterRole::compress, request.seconds_max);
    compress_job.level = request.level;
    compress_job.output_bytes_max = request.output_bytes_max;
    SB_CHECK(compress.give(compress_job, pipe.first.get(), request.output));
    SB_CHECK(pack.give(job_of(ImporterRole::pack, request.seconds_max), mapped.mount.get(), pipe.second.get()));
  }
  SB_CHECK(run_both(pack, compress, deadline, request.give_up));
  const auto& packed = *pack.outcome();
  const auto& compressed = *compress.outcome();
  // "The reader is gone" says less than why it is gone.
  bool reader_gone = !packed.result && packed.result.error().code() == Errc::cancelled;
  if (reader_gone) SB_CHECK(compressed.result);
  SB_CHECK(packed.result);
  SB_CHECK(compressed.result);
  return Archived{.bytes = compressed.report.output_bytes,
                  .sha256 = std::string(compressed.report.output_sha256, 64),
                  .entries = packed.report.entries,
                  .remarks = packed.remarks};
}

Result<Restored> restore_upper(const RestoreRequest& request) {
  SB_CHECK(digest_hex("sha256:" + request.sha256));
  auto deadline = steady_clock::now() + std::chrono::seconds(request.seconds_max);
  SB_TRY(auto u, open_u(request.upper));
  SB_TRY(auto expand, ImporterProcess::start(request.program, request.give_up));
  SB_TRY(auto unpack, ImporterProcess::start(request.program, request.give_up));
  {
    SB_TRY(auto mapped, map_directory(u.get(), "", unpack.user_namespace(), false));
    SB_TRY(auto pipe, make_wide_pipe());
    unpack.set_mount(mapped.mount_id);
    SB_CHECK(unpack.give(job_of(ImporterRole::unpack, request.seconds_max), pipe.first.get(), mapped.mount.get()));
    ImporterJob expand_job = job_of(ImporterRole::expand, request.seconds_max);
    expand_job.output_bytes_max = request.output_bytes_max;
    SB_CHECK(expand.give(expand_job, request.input, pipe.second.get()));
  }
  SB_CHECK(run_both(expand, unpack, deadline, request.give_up));
  const auto& expanded = *expand.outcome();
  const auto& unpacked = *unpack.outcome();
  if (!expanded.result && expanded.result.error().code() == Errc::too_large)
    return fail(Errc::exhausted,
                "the pool has no room for it: " + std::to_string(request.output_bytes_max >> 20) + " MiB are left");
  SB_CHECK(expanded.result);
  if (std::string_view(expanded.report.input_sha256, 64) != request.sha256)
    return fail(Errc::invalid_argument, "the archive does not have the digest " + request.sha256);
  SB_CHECK(unpacked.result);
  return Restored{
      .bytes = unpacked.report.output_bytes, .entries = unpacked.report.entries, .remarks = unpacked.remarks};
}

}  // namespace sebring::image
