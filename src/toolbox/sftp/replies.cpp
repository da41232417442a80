#include "toolbox/sftp/replies.h"

#include <cerrno>

#include "base/result.h"
#include "toolbox/sftp/attributes.h"

namespace sebring::toolbox::sftp {

void send_status(std::uint32_t id, Code code, std::string_view text, PacketWriter& writer) {
  writer.begin(kStatus);
  writer.word(id);
  writer.word(code);
  writer.text(text);
  writer.text("");
  writer.end();
}

void send_errno(std::uint32_t id, int number, PacketWriter& writer) {
  if (number == 0) return send_status(id, kOk, "Success", writer);
  Code code = kFailure;
  if (number == ENOENT || number == ENOTDIR || number == EBADF || number == ELOOP) code = kNoSuchFile;
  if (number == EACCES || number == EPERM || number == EFAULT) code = kDenied;
  if (number == ENAMETOOLONG || number == EINVAL) code = kBadMessage;
  if (number == ENOSYS) code = kUnsupported;
  send_status(id, code, errno_text(number), writer);
}

int access_errno(int number) { return number == EBADF ? EACCES : number; }

void send_result(std::uint32_t id, int result, PacketWriter& writer) {
  send_errno(id, result == 0 ? 0 : errno, writer);
}

void send_attributes(std::uint32_t id, int result, const struct stat& status, PacketWriter& writer) {
  if (result != 0) return send_errno(id, errno, writer);
  writer.begin(kAttrs);
  writer.word(id);
  write_attributes(writer, status);
  writer.end();
}

void send_one_name(std::uint32_t id, std::string_view name, PacketWriter& writer) {
  writer.begin(kName);
  writer.word(id);
  writer.word(1);
  writer.text(name);
  writer.text(name);
  writer.word(0);  // no attributes
  writer.end();
}

void send_file_system(std::uint32_t id, int result, const struct statvfs& status, PacketWriter& writer) {
  if (result != 0) return send_errno(id, errno, writer);
  writer.begin(kExtendedReply);
  writer.word(id);
  for (std::uint64_t value :
       {std::uint64_t{status.f_bsize}, std::uint64_t{status.f_frsize}, std::uint64_t{status.f_blocks},
        std::uint64_t{status.f_bfree}, std::uint64_t{status.f_bavail}, std::uint64_t{status.f_files},
        std::uint64_t{status.f_ffree}, std::uint64_t{status.f_favail}, std::uint64_t{status.f_fsid},
        std::uint64_t{(status.f_flag & ST_RDONLY ? 1U : 0U) | (status.f_flag & ST_NOSUID ? 2U : 0U)},
        std::uint64_t{status.f_namemax}}) {
    writer.quad(value);
  }
  writer.end();
}

}  // namespace sebring::toolbox::sftp
