#include "toolbox/sftp/server.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace {
using namespace sebring::toolbox::sftp;

constexpr std::uint8_t kStatus = 101;
constexpr std::uint8_t kHandle = 102;
constexpr std::uint8_t kData = 103;
constexpr std::uint8_t kName = 104;

// One request, its answer without the length in front.
class Client {
 public:
  Client() {
    char path[] = "/tmp/sftp-test-XXXXXX";
    directory = ::mkdtemp(path);
    std::string hello;
    PacketWriter writer(hello);
    writer.begin(1);
    writer.word(3);
    writer.end();
    std::string answer;
    REQUIRE(server.serve(hello, answer));
    REQUIRE(answer.size() > 9);
  }
  ~Client() {
    const std::string command = "rm -rf " + directory;
    if (std::system(command.c_str()) != 0) MESSAGE("could not remove " << directory);
  }

  template <class Fill>
  std::string ask(std::uint8_t type, Fill fill) {
    std::string request;
    PacketWriter writer(request);
    writer.begin(type);
    writer.word(++id);
    fill(writer);
    writer.end();
    std::string answer;
    REQUIRE(server.serve(request, answer));
    CHECK(request.empty());
    REQUIRE(answer.size() >= 9);
    PacketReader reader(answer);
    CHECK(reader.word() == answer.size() - 4);
    return answer.substr(4);
  }
  static std::uint32_t status(const std::string& answer) {
    PacketReader reader(answer);
    if (reader.byte() != kStatus) return 999;
    reader.word();
    return reader.word();
  }
  std::string open(const std::string& name, std::uint32_t flags) {
    const std::string answer = ask(3, [&](PacketWriter& writer) {
      writer.text(directory + "/" + name);
      writer.word(flags);
      writer.word(0);
    });
    PacketReader reader(answer);
    if (reader.byte() != kHandle) return {};
    reader.word();
    return std::string(reader.text());
  }
  std::string read(const std::string& handle, std::uint64_t offset, std::uint32_t length) {
    const std::string answer = ask(5, [&](PacketWriter& writer) {
      writer.text(handle);
      writer.quad(offset);
      writer.word(length);
    });
    PacketReader reader(answer);
    if (reader.byte() != kData) return "status " + std::to_string(status(answer));
    reader.word();
    return std::string(reader.text());
  }
  std::uint32_t write(const std::string& handle, std::uint64_t offset, std::string_view data) {
    return status(ask(6, [&](PacketWriter& writer) {
      writer.text(handle);
      writer.quad(offset);
      writer.text(data);
    }));
  }
  std::uint32_t one_path(std::uint8_t type, const std::string& path) {
    return status(ask(type, [&](PacketWriter& writer) {
      writer.text(path);
      writer.word(0);
    }));
  }

  Server server;
  std::string directory;
  std::uint32_t id = 0;
};

TEST_CASE("write, read, list, remove") {
  Client client;
  const std::string handle = client.open("f", 2 | 8 | 16);
  REQUIRE_FALSE(handle.empty());
  CHECK(client.write(handle, 0, "hello ") == 0);
  CHECK(client.write(handle, 6, "world") == 0);
  CHECK(client.read(handle, 0, 100) == "status 3");  // opened for writing
  CHECK(client.one_path(4, handle) == 0);
  CHECK(client.one_path(4, handle) == 2);  // closed already
  const std::string again = client.open("f", 1);
  CHECK(client.read(again, 6, 100) == "world");
  CHECK(client.read(again, 11, 100) == "status 1");
  CHECK(client.read(again, 0, 0xFFFFFFFF) == "hello world");
  const std::string names = client.ask(11, [&](PacketWriter& writer) { writer.text(client.directory); });
  PacketReader reader(names);
  CHECK(reader.byte() == kHandle);
  reader.word();
  const std::string listing(reader.text());
  const std::string entries = client.ask(12, [&](PacketWriter& writer) { writer.text(listing); });
  PacketReader list(entries);
  CHECK(list.byte() == kName);
  list.word();
  CHECK(list.word() == 3);
  CHECK(Client::status(client.ask(12, [&](PacketWriter& writer) { writer.text(listing); })) == 1);
  CHECK(client.one_path(13, client.directory + "/f") == 0);
  CHECK(client.one_path(13, client.directory + "/f") == 2);
}

TEST_CASE("rename does not replace, the extension does") {
  Client client;
  for (const char* name : {"a", "b"}) CHECK(client.one_path(4, client.open(name, 2 | 8)) == 0);
  auto rename = [&](bool replace) {
    return Client::status(client.ask(replace ? 200 : 18, [&](PacketWriter& writer) {
      if (replace) writer.text("posix-rename@openssh.com");
      writer.text(client.directory + "/a");
      writer.text(client.directory + "/b");
    }));
  };
  CHECK(rename(false) == 4);
  CHECK(rename(true) == 0);
  CHECK(rename(true) == 2);
}

TEST_CASE("broken packets end the session or get an answer, nothing else") {
  for (std::string_view bad : {std::string_view("\0\0\0\0x", 5), std::string_view("\xFF\xFF\xFF\xFFx", 5),
                               std::string_view("\0\x10\0\0\x05", 5), std::string_view("\0\0\0\x01\x05", 5),
                               std::string_view("\0\0\0\x03\x05\0\0", 7)}) {
    Server server;
    std::string input(bad);
    std::string output;
    CHECK_FALSE(server.serve(input, output));
  }
  Client client;
  // Lengths inside that are longer than the packet, names with NUL, unknown types.
  CHECK(Client::status(client.ask(3, [](PacketWriter& writer) { writer.word(0xFFFFFFFF); })) == 5);
  CHECK(Client::status(client.ask(5, [](PacketWriter& writer) { writer.text("none"); })) == 2);
  CHECK(Client::status(client.ask(6, [](PacketWriter&) {})) == 2);
  CHECK(client.one_path(14, std::string("/tmp/a\0b", 8)) == 5);
  CHECK(Client::status(client.ask(77, [](PacketWriter&) {})) == 8);
  CHECK(Client::status(client.ask(200, [](PacketWriter& writer) { writer.text("what@ever"); })) == 8);
}

TEST_CASE("handles are bounded and incomplete input waits") {
  Client client;
  int opened = 0;
  for (int i = 0; i < 300; ++i) opened += client.open("f", 2 | 8).empty() ? 0 : 1;
  CHECK(opened == 256);
  std::string half("\0\0\0\x09\x0D", 5);
  std::string output;
  CHECK(client.server.serve(half, output));
  CHECK(half.size() == 5);
  CHECK(output.empty());
}

}  // namespace
