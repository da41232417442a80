#pragma once
// The packets that answer a request, and the numbers of the protocol (draft-ietf-secsh-filexfer-02, version 3).
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cstdint>
#include <string_view>

#include "toolbox/sftp/packet.h"

namespace sebring::toolbox::sftp {

enum Type : std::uint8_t {
  kInit = 1,
  kVersion = 2,
  kOpen = 3,
  kClose = 4,
  kRead = 5,
  kWrite = 6,
  kLstat = 7,
  kFstat = 8,
  kSetstat = 9,
  kFsetstat = 10,
  kOpendir = 11,
  kReaddir = 12,
  kRemove = 13,
  kMkdir = 14,
  kRmdir = 15,
  kRealpath = 16,
  kStat = 17,
  kRename = 18,
  kReadlink = 19,
  kSymlink = 20,
  kStatus = 101,
  kHandle = 102,
  kData = 103,
  kName = 104,
  kAttrs = 105,
  kExtended = 200,
  kExtendedReply = 201,
};

enum Code : std::uint32_t {
  kOk = 0,
  kEof = 1,
  kNoSuchFile = 2,
  kDenied = 3,
  kFailure = 4,
  kBadMessage = 5,
  kUnsupported = 8
};

void send_status(std::uint32_t id, Code code, std::string_view text, PacketWriter& writer);
// The status that stands for an errno; 0: success.
void send_errno(std::uint32_t id, int number, PacketWriter& writer);
// EACCES for EBADF: a handle that is known but was opened for the other direction.
int access_errno(int number);
// `result` of a system call: 0, or else errno holds the cause. So for the following two.
void send_result(std::uint32_t id, int result, PacketWriter& writer);
void send_attributes(std::uint32_t id, int result, const struct stat& status, PacketWriter& writer);
void send_file_system(std::uint32_t id, int result, const struct statvfs& status, PacketWriter& writer);
void send_one_name(std::uint32_t id, std::string_view name, PacketWriter& writer);

}  // namespace sebring::toolbox::sftp
