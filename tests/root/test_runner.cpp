// A runner by itself, for tests: test_runner DIRECTORY INSTANCE TOOLBOX. DIRECTORY/pool/layers/... must exist or be
// imported.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "image/importer.h"
#include "os/file.h"
#include "runner/runner.h"

namespace {

int listen_on(const std::string& path, int type) {
  int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ::unlink(path.c_str());
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 || ::listen(fd, 512) < 0)
    return -1;
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "importer") return sebring::image::importer_main(argc, argv);
  if (argc < 4) return 2;
  std::string base = argv[1];
  sebring::runner::RunnerConfig config;
  config.version = "test";
  config.instance = argv[2];
  config.data_dir = base + "/data";
  config.run_dir = base + "/run";
  config.pool_dir = base + "/pool";
  config.images_dir = base + "/images";
  config.objects_dir = base + "/objects";
  config.toolbox = argv[3];
  config.pool_bytes = std::uint64_t{4} << 30;
  if (const char* slots = std::getenv("SLOTS")) config.slots = static_cast<std::size_t>(std::atoi(slots));
  for (const auto& directory : {config.data_dir + "/runner", config.run_dir, config.images_dir, config.objects_dir})
    if (!sebring::os::make_dirs(directory, 0755)) return 1;
  int lock = ::open((config.data_dir + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  // A child that the last runner was just starting may hold it for some milliseconds more.
  if (::flock(lock, LOCK_EX) < 0) return 3;
  config.api_listen_fd = listen_on(base + "/runner.sock", SOCK_STREAM);
  config.dial_listen_fd = listen_on(base + "/dial.sock", SOCK_SEQPACKET);
  return sebring::runner::run(config);
}
