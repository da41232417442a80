#pragma once
// The SFTP subsystem of an SSH session: runs inside the sandbox, as the sandbox's user, on two descriptors. It has no
// right that the user does not have, and nothing on the host's side reads what it says.
#include <dirent.h>

#include <map>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "toolbox/sftp/attributes.h"

namespace sebring::toolbox::sftp {

class Server {
 public:
  // Answers to as many whole packets as `input` holds, which are taken from it. false: the client broke the protocol.
  bool serve(std::string& input, std::string& output);

 private:
  struct DirectoryClose {
    void operator()(DIR* directory) const { ::closedir(directory); }
  };
  struct Handle {
    UniqueFd file;
    std::unique_ptr<DIR, DirectoryClose> directory;
    std::string path;
    bool append = false;
  };

  void answer(std::uint8_t type, std::uint32_t id, PacketReader& reader, PacketWriter& writer);
  void extended(std::uint32_t id, PacketReader& reader, PacketWriter& writer);
  void version(PacketWriter& writer);
  void open(std::uint32_t id, PacketReader& reader, PacketWriter& writer);
  void open_directory(std::uint32_t id, PacketReader& reader, PacketWriter& writer);
  void close(std::uint32_t id, PacketReader& reader, PacketWriter& writer);
  void read(std::uint32_t id, PacketReader& reader, PacketWriter& writer);
  void write(std::uint32_t id, PacketReader& reader, PacketWriter& writer);
  void read_directory(std::uint32_t id, PacketReader& reader, PacketWriter& writer);
  void status_of(std::uint32_t id, PacketReader& reader, PacketWriter& writer, bool follow);
  void handle_status(std::uint32_t id, PacketReader& reader, PacketWriter& writer);
  void set_attributes(std::uint32_t id, PacketReader& reader, PacketWriter& writer, bool follow);
  void set_handle_attributes(std::uint32_t id, PacketReader& reader, PacketWriter& writer);
  void real_path(std::uint32_t id, PacketReader& reader, PacketWriter& writer);
  void read_link(std::uint32_t id, PacketReader& reader, PacketWriter& writer);
  void rename(std::uint32_t id, PacketReader& reader, PacketWriter& writer);
  Handle* find(std::string_view text);
  void add_handle(std::uint32_t id, Handle handle, PacketWriter& writer);

  std::map<std::uint32_t, Handle> handles_;
  std::uint32_t next_ = 1;
};

// Serves until the client goes. Never returns.
[[noreturn]] void run_sftp(int input, int output);

}  // namespace sebring::toolbox::sftp
