// Disks as files in the object directory, and back; and what of copies and files lies around.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>

#include "base/random.h"
#include "image/archive.h"
#include "os/file.h"
#include "runner/sandbox_state.h"

namespace sebring::runner {

namespace bj = boost::json;

namespace {

// A file that is being written; what a death leaves of them the next start removes.
constexpr std::string_view kPart = ".part";
// Copies of disks that an archive is made from, as long as it is being made.
constexpr std::string_view kWorkingCopy = "archive-";
constexpr std::chrono::seconds kCopyTurnLook{5};
// Of the object directory's file system this much stays free: the database may lie on the same one.
constexpr std::uint64_t kKeptFree = std::uint64_t{256} << 20;

// What may still be written there.
Result<std::uint64_t> room_in(int directory) {
  struct statvfs status;
  if (::fstatvfs(directory, &status) < 0) return fail_errno(errno, "read the free space of the object directory");
  const std::uint64_t unit = status.f_frsize;
  const std::uint64_t kept = std::min(kKeptFree, status.f_blocks * unit / 20);
  const std::uint64_t free = status.f_bavail * unit;
  return free > kept ? free - kept : 0;
}

// The object directory is control's, and what lies in it has been named by nobody else; still, no link is followed.
Result<image::Archived> write_archive(int objects, const std::string& path, int upper, int give_up) {
  SB_TRY(const std::uint64_t room, room_in(objects));
  const std::string part = path + std::string(kPart);
  auto made = [&]() -> Result<image::Archived> {
    SB_TRY(auto output, os::open_inside(objects, part, O_WRONLY | O_CREAT | O_TRUNC, 0640));
    image::ArchiveRequest request;
    request.upper = upper;
    request.output = output.get();
    request.output_bytes_max = room;
    request.give_up = give_up;
    SB_TRY(auto archived, image::archive_upper(request));
    if (::fsync(output.get()) < 0) return fail_errno(errno, "sync " + path);
    if (::renameat(objects, part.c_str(), objects, path.c_str()) < 0) return fail_errno(errno, "rename " + path);
    if (::fsync(objects) < 0) return fail_errno(errno, "sync the object directory");
    return archived;
  }();
  if (!made) (void)os::unlink_at(objects, part);
  return made;
}

}  // namespace

// One of the few that archive or restore at once, until the object goes.
class Sandboxes::CopyTurn {
 public:
  explicit CopyTurn(std::shared_ptr<Copying> copying) : copying_(std::move(copying)) { ++copying_->now; }
  CopyTurn(CopyTurn&&) noexcept = default;
  CopyTurn& operator=(CopyTurn&&) = delete;
  ~CopyTurn() {
    if (!copying_) return;
    --copying_->now;
    copying_->changed.notify_all();
  }

 private:
  std::shared_ptr<Copying> copying_;
};

asio::awaitable<Result<Sandboxes::CopyTurn>> Sandboxes::wait_for_copy_turn(Handle sandbox) {
  if (!sandbox->give_up) sandbox->give_up.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!sandbox->give_up) co_return fail_errno(errno, "make an event descriptor");
  for (;;) {
    if (sandbox->unwanted) co_return fail(Errc::cancelled, "sandbox " + sandbox->record.id + " is being removed");
    if (closed_) co_return fail(Errc::unavailable, "the runner is ending");
    if (copying_->now < kCopiesAtOnce) co_return CopyTurn(copying_);
    co_await copying_->changed.wait(kCopyTurnLook);
  }
}

// Whoever archives or restores it is told to end: a removal does not wait for gigabytes.
void Sandboxes::give_up_copies(Sandbox& sandbox) {
  sandbox.unwanted = true;
  if (sandbox.give_up) (void)!::write(sandbox.give_up.get(), "\1\0\0\0\0\0\0\0", 8);
  copying_->changed.notify_all();
}

// From a copy, since nothing may write meanwhile; and once there is one, whoever wants to stop or fork the sandbox need
// not wait. Its name is its own: one that an earlier archive has left is of an earlier time.
asio::awaitable<Result<Sandboxes::WorkingCopy>> Sandboxes::make_working_copy(std::string id) {
  SB_CO_TRY(auto locked, co_await lock(id));
  Handle sandbox = locked.sandbox;
  std::string name = std::string(kWorkingCopy) + sandbox->record.disk + "-" + random_hex(4);
  auto made = co_await parts_.workers.run(
      [&](runtime::Host::Wires&) { return parts_.host.pool().make_snapshot(sandbox->record.disk, name); });
  SB_CO_CHECK(std::move(made));
  co_return WorkingCopy{std::move(sandbox), std::move(name)};
}

asio::awaitable<Result<image::Archived>> Sandboxes::archive(std::string id, std::string path) {
  if (parts_.objects_dir.empty()) co_return fail(Errc::not_implemented, "this runner has no object directory");
  SB_CO_TRY(auto copy, co_await make_working_copy(std::move(id)));
  auto archived = co_await archive_copy(copy, std::move(path));
  runtime::Leftover leftover;
  leftover.snapshot = std::move(copy.name);
  parts_.cleanup.dispose(std::move(leftover));
  co_return archived;
}

asio::awaitable<Result<image::Archived>> Sandboxes::archive_copy(const WorkingCopy& copy, std::string path) {
  SB_CO_TRY(auto turn, co_await wait_for_copy_turn(copy.sandbox));
  co_return co_await parts_.copiers.run([&](runtime::Host::Wires&) -> Result<image::Archived> {
    auto& pool = parts_.host.pool();
    SB_TRY(auto objects, os::open_dir(parts_.objects_dir));
    SB_TRY(auto upper, os::open_at(pool.root(), pool.snapshot_path(copy.name), O_RDONLY | O_DIRECTORY));
    return write_archive(objects.get(), path, upper.get(), copy.sandbox->give_up.get());
  });
}

// Half a disk that a crash left must not pass for the sandbox's: until it is whole it is to be deleted.
Result<void> Sandboxes::unpack_archive(Record& record, const RestoreOrder& order, int give_up) {
  auto& pool = parts_.host.pool();
  record.state = State::deleting;
  SB_CHECK(parts_.journal.wait_durable(parts_.journal.append(record)));
  auto done = [&]() -> Result<void> {
    SB_CHECK(pool.create_upper(record.disk, order.disk_bytes));
    SB_TRY(auto objects, os::open_dir(parts_.objects_dir));
    SB_TRY(auto input, os::open_inside(objects.get(), order.path, O_RDONLY));
    SB_TRY(auto upper, os::open_at(pool.root(), pool.upper_path(record.disk), O_RDONLY | O_DIRECTORY));
    image::RestoreRequest request;
    request.input = input.get();
    request.sha256 = order.sha256;
    request.upper = upper.get();
    request.give_up = give_up;
    SB_TRY(request.output_bytes_max, pool.room());
    SB_CHECK(image::restore_upper(request));
    SB_CHECK(pool.sync());
    record.state = State::stopped;
    return parts_.journal.wait_durable(parts_.journal.append(record));
  }();
  if (done) return done;
  runtime::Leftover leftover;
  forget_later(record.disk, leftover);
  parts_.cleanup.dispose(std::move(leftover));
  return done;
}

asio::awaitable<Result<void>> Sandboxes::restore_when_its_turn(Handle sandbox, Record& record,
                                                               const RestoreOrder& order) {
  SB_CO_TRY(auto turn, co_await wait_for_copy_turn(sandbox));
  co_return co_await parts_.copiers.run(
      [&](runtime::Host::Wires&) { return unpack_archive(record, order, sandbox->give_up.get()); });
}

asio::awaitable<Result<bj::object>> Sandboxes::restore(std::string id, RestoreOrder order) {
  if (closed_) co_return fail(Errc::unavailable, "the runner is ending");
  if (!is_sandbox_id(id)) co_return fail(Errc::invalid_argument, "not an id of a sandbox: " + id);
  if (parts_.objects_dir.empty()) co_return fail(Errc::not_implemented, "this runner has no object directory");
  Locked locked = co_await lock_or_make(id);
  Handle sandbox = locked.sandbox;
  if (!sandbox->record.disk.empty()) co_return report_of(*sandbox);
  Record record = sandbox->record;
  record.disk = runtime::Host::new_upper_name();
  record.limits.disk_bytes = order.disk_bytes;
  auto restored = co_await restore_when_its_turn(sandbox, record, order);
  if (!restored) {
    sandbox->removed = true;
    sandboxes_.erase(id);
    co_return fail(std::move(restored).error().while_doing("restore sandbox " + id));
  }
  sandbox->record = std::move(record);
  co_return report_of(*sandbox);
}

asio::awaitable<Result<Sandboxes::Copies>> Sandboxes::copies() {
  co_return co_await parts_.workers.run([&](runtime::Host::Wires&) -> Result<Copies> {
    Copies copies;
    for (auto& name : parts_.host.pool().snapshots())
      if (image::is_pool_name(name) && !name.starts_with(kWorkingCopy)) copies.snapshots.push_back(std::move(name));
    if (parts_.objects_dir.empty()) return copies;
    SB_TRY(auto names, os::list_dir_at(AT_FDCWD, parts_.objects_dir));
    for (auto& name : names)
      if (!name.ends_with(kPart)) copies.archives.push_back(std::move(name));
    return copies;
  });
}

asio::awaitable<Result<void>> Sandboxes::remove_archive(std::string path) {
  co_return co_await parts_.workers.run([&](runtime::Host::Wires&) -> Result<void> {
    SB_TRY(auto objects, os::open_dir(parts_.objects_dir));
    return os::unlink_at(objects.get(), path);
  });
}

// Nobody works on any of them yet.
void Sandboxes::remove_unfinished() {
  for (auto& name : parts_.host.pool().snapshots()) {
    if (!name.starts_with(kWorkingCopy) && !name.ends_with(kPart)) continue;
    runtime::Leftover leftover;
    leftover.snapshot = std::move(name);
    parts_.cleanup.dispose(std::move(leftover));
  }
  if (parts_.objects_dir.empty()) return;
  auto objects = os::open_dir(parts_.objects_dir);
  auto names = objects ? os::list_dir_at(objects->get(), ".") : Result<std::vector<std::string>>{};
  if (!names) return;
  for (const auto& name : *names)
    if (name.ends_with(kPart)) (void)os::unlink_at(objects->get(), name);
}

}  // namespace sebring::runner
