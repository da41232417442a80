// The unprivileged side: takes privileges away from itself, then does one job. Nothing is read of the input before.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>

#include "image/byte_stream.h"
#include "image/expand.h"
#include "image/importer.h"
#include "image/importer_filter.h"
#include "image/importer_protocol.h"
#include "image/tree_packer.h"
#include "image/tree_writer.h"
#include "os/file.h"
#include "os/passing.h"

namespace sebring::image {
namespace {

constexpr std::uint64_t kMemoryMax = std::uint64_t{2} << 30;

Result<void> send_kind(ImporterMessage kind, std::span<const int> fds = {}) {
  char byte = static_cast<char>(kind);
  return os::send_message(kImporterSocket, {&byte, 1}, fds);
}

// The runner does for directories what needs its privilege.
class Runner : public OpaqueMarks, public OpaqueQuestions {
 public:
  Result<void> set(int directory) override {
    SB_TRY(bool done, ask(ImporterMessage::make_opaque, directory));
    if (!done) return fail(Errc::internal, "the runner refused to make a directory opaque");
    return {};
  }
  Result<bool> is_opaque(int directory) override { return ask(ImporterMessage::is_opaque, directory); }

 private:
  Result<bool> ask(ImporterMessage kind, int directory) {
    SB_CHECK(send_kind(kind, {&directory, 1}));
    SB_TRY(auto answer, os::receive_message(kImporterSocket, 1));
    if (answer.data.empty()) return fail(Errc::cancelled, "the runner is gone");
    return answer.data[0] == 1;
  }
};

class HashingSource : public ByteSource {
 public:
  HashingSource(ByteSource& source, Digest& digest) : source_(source), digest_(digest) {}
  Result<std::size_t> read(char* into, std::size_t bytes_max) override {
    SB_TRY(std::size_t n, source_.read(into, bytes_max));
    digest_.add(into, n);
    return n;
  }

 private:
  ByteSource& source_;
  Digest& digest_;
};

// Goes on without its reader: when the other process stumbles over a broken tar, the digest tells whether the tar is
// what it should be or was damaged on the way.
class HashingSink : public ByteSink {
 public:
  HashingSink(ByteSink& sink, Digest& digest) : sink_(sink), digest_(digest) {}
  Result<void> write(const char* data, std::size_t bytes) override {
    digest_.add(data, bytes);
    if (reader_gone_) return {};
    auto written = sink_.write(data, bytes);
    if (!written && written.error().code() == Errc::cancelled)
      reader_gone_ = true;
    else if (!written)
      return written;
    return {};
  }

 private:
  ByteSink& sink_;
  Digest& digest_;
  bool reader_gone_ = false;
};

class BoundedSink : public ByteSink {
 public:
  BoundedSink(ByteSink& sink, std::uint64_t bytes_max) : sink_(sink), left_(bytes_max) {}
  Result<void> write(const char* data, std::size_t bytes) override {
    if (bytes > left_) return fail(Errc::exhausted, "no room is left for the archive");
    left_ -= bytes;
    return sink_.write(data, bytes);
  }

 private:
  ByteSink& sink_;
  std::uint64_t left_;
};

struct Work {
  ImporterJob job;
  UniqueFd first, second;
  Digest input, output;
  ImporterReport report{};
  std::string text;  // remarks, one per line
};

Result<void> expand(Work& work) {
  FdSource file(work.first.get());
  FdSink pipe(work.second.get());
  HashingSource source(file, work.input);
  HashingSink sink(pipe, work.output);
  Expander expander({work.job.input_bytes_max, work.job.output_bytes_max, work.job.ratio_max});
  return expander.run(source, sink);
}

Result<void> compress(Work& work) {
  FdSource pipe(work.first.get());
  FdSink file(work.second.get());
  BoundedSink bounded(file, work.job.output_bytes_max);
  HashingSource source(pipe, work.input);
  HashingSink sink(bounded, work.output);
  return compress_zstd(source, sink, work.job.level);
}

void keep_remarks(Work& work, const Remarks& remarks) {
  for (const auto& line : remarks.lines()) work.text += line + "\n";
}

Result<void> empty_directory(int directory) {
  SB_TRY(auto names, os::list_dir_at(directory, "."));
  for (const auto& name : names) SB_CHECK(os::remove_tree_at(directory, name));
  return {};
}

Result<void> unpack(Work& work) {
  Runner runner;
  FdSource pipe(work.first.get());
  TarReader reader(pipe, {.entries_max = work.job.entries_max,
                          .extended_bytes_max = work.job.extended_bytes_max,
                          .file_bytes_max = work.job.file_bytes_max});
  TreeWriter writer(work.second.get(),
                    {.names = {work.job.path_bytes_max, work.job.depth_max}, .own_archive = work.job.own_archive != 0},
                    runner);
  if (work.job.own_archive) SB_CHECK(empty_directory(work.second.get()));
  for (;;) {
    SB_TRY(auto entry, reader.next());
    if (!entry) break;
    SB_CHECK(writer.add(*entry, reader));
  }
  SB_CHECK(writer.finish());
  work.report.entries = reader.entries();
  work.report.output_bytes = writer.bytes();
  keep_remarks(work, writer.remarks());
  return {};
}

Result<void> pack(Work& work) {
  Runner runner;
  FdSink pipe(work.second.get());
  BufferedSink sink(pipe, 1 << 18);
  TarWriter tar(sink);
  TreePacker packer(work.first.get(), tar, runner);
  SB_CHECK(packer.run());
  SB_CHECK(sink.flush());
  work.report.entries = tar.entries();
  keep_remarks(work, packer.remarks());
  return {};
}

Result<void> run_job(Work& work) {
  switch (work.job.role) {
    case ImporterRole::expand:
      return expand(work);
    case ImporterRole::compress:
      return compress(work);
    case ImporterRole::unpack:
      return unpack(work);
    case ImporterRole::pack:
      return pack(work);
  }
  return fail(Errc::internal, "an unknown role");
}

void set_limit(__rlimit_resource what, std::uint64_t value) {
  rlimit limit{value, value};
  ::setrlimit(what, &limit);
}

Result<void> keep_capabilities(ImporterRole role) {
  std::uint64_t kept = 0;
  auto keep = [&](int capability) { kept |= std::uint64_t{1} << capability; };
  if (role == ImporterRole::unpack || role == ImporterRole::pack) keep(CAP_DAC_OVERRIDE);
  if (role == ImporterRole::unpack)
    for (int capability : {CAP_CHOWN, CAP_FOWNER, CAP_FSETID, CAP_SETFCAP}) keep(capability);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  for (int i = 0; i < 2; ++i) data[i].effective = data[i].permitted = static_cast<std::uint32_t>(kept >> (32 * i));
  if (::syscall(SYS_capset, &header, data) < 0) return fail_errno(errno, "drop capabilities");
  return {};
}

// Becomes root of the namespace, which is an ordinary id outside, with an empty root directory.
Result<void> enter_namespace(int empty_root) {
  if (::setgroups(0, nullptr) < 0 || ::setresgid(0, 0, 0) < 0 || ::setresuid(0, 0, 0) < 0)
    return fail_errno(errno, "take the importer's ids");
  if (::fchdir(empty_root) < 0 || ::chroot(".") < 0) return fail_errno(errno, "enter the empty root");
  return {};
}

Result<void> drop_privileges(const ImporterJob& job) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  set_limit(RLIMIT_CORE, 0);
  set_limit(RLIMIT_NOFILE, job.role == ImporterRole::pack ? 4096 : 256);
  set_limit(RLIMIT_CPU, job.cpu_seconds_max);
#if !__has_feature(address_sanitizer)
  set_limit(RLIMIT_AS, kMemoryMax);
#endif
  set_limit(RLIMIT_MEMLOCK, 0);
  if (job.role == ImporterRole::unpack) set_limit(RLIMIT_FSIZE, job.file_bytes_max);
  SB_CHECK(keep_capabilities(job.role));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return fail_errno(errno, "give up new privileges");
  return restrict_system_calls(job.role);
}

// The runner may be gone already; then nobody reads what is sent.
Result<void> prepare(Work& work) {
  ::umask(0);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  ::syscall(SYS_close_range, kImporterSocket + 1, ~0U, 0);
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
    return fail_errno(errno, "make the importer's namespaces");
  SB_CHECK(send_kind(ImporterMessage::unshared));
  SB_TRY(auto message, os::receive_message(kImporterSocket, sizeof(ImporterJob) + 1));
  if (message.data.size() != sizeof(ImporterJob) || message.fds.size() != 3)
    return fail(Errc::internal, "no job for the importer");
  std::memcpy(&work.job, message.data.data(), sizeof work.job);
  SB_CHECK(enter_namespace(message.fds[0].get()));
  work.first = std::move(message.fds[1]);
  work.second = std::move(message.fds[2]);
  message.fds.clear();
  return drop_privileges(work.job);
}

void report(Work& work, const Result<void>& result) {
  if (!result) {
    work.report.failed = 1;
    work.report.code = result.error().code();
    work.text = result.error().message();
  }
  if (work.input.bytes()) work.report.input_bytes = work.input.bytes();
  if (work.output.bytes()) work.report.output_bytes = work.output.bytes();
  std::memcpy(work.report.input_sha256, work.input.hex().data(), sizeof work.report.input_sha256);
  std::memcpy(work.report.output_sha256, work.output.hex().data(), sizeof work.report.output_sha256);
  if (work.text.size() > kImporterMessageMax / 2) work.text.resize(kImporterMessageMax / 2);
  std::string message(1, static_cast<char>(ImporterMessage::report));
  message.append(reinterpret_cast<const char*>(&work.report), sizeof work.report);
  message += work.text;
  (void)os::send_message(kImporterSocket, message);
}

}  // namespace

int importer_main(int argc, char** argv) {
  struct stat status;
  if (::fstat(kImporterSocket, &status) < 0 || !S_ISSOCK(status.st_mode)) return 2;  // started by hand
  Work work;
  Result<void> result = prepare(work);
  try {
    if (result) result = run_job(work);
  } catch (const std::bad_alloc&) {
    result = fail(Errc::too_large, "needs more than " + std::to_string(kMemoryMax >> 30) + " GiB of memory");
  }
  report(work, result);
  // Nothing is left to clean up, and exit handlers are none of the allowed calls' business.
  ::_exit(result ? 0 : 1);
}

}  // namespace sebring::image
