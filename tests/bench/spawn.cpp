// What a command costs without any sandbox: sebring-bench-spawn ROOT THREADS COUNT PROGRAM. Each thread changes nothing
// but the root, feeds the text "true" to PROGRAM's standard input, reads its output to the end and reaps it, COUNT
// times in all. Prints JSON as sebring-load does; times in milliseconds. Needs root.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// False: it did not start, or ended with another status than 0.
bool run_once(char* program, char** environment) {
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) < 0 || ::pipe2(out, O_CLOEXEC) < 0) return false;
  constexpr char kText[] = "true\n";
  const bool fed = ::write(in[1], kText, sizeof kText - 1) == sizeof kText - 1;
  ::close(in[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, out[1], 2);
  char* argv[] = {program, nullptr};
  pid_t pid = 0;
  const bool started = ::posix_spawn(&pid, program, &actions, nullptr, argv, environment) == 0;
  posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(out[1]);
  char buffer[256];
  while (::read(out[0], buffer, sizeof buffer) > 0) {
  }
  ::close(out[0]);
  int status = 1;
  if (started) ::waitpid(pid, &status, 0);
  return fed && started && status == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 || ::chroot(argv[1]) < 0 || ::chdir("/") < 0) {
    std::fprintf(stderr, "usage: sebring-bench-spawn ROOT THREADS COUNT PROGRAM, as root\n");
    return 2;
  }
  const int threads = std::atoi(argv[2]), count = std::atoi(argv[3]);
  char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
  char* environment[] = {path, nullptr};
  std::atomic<int> begun = 0, failed = 0;
  std::mutex mutex;
  std::vector<double> times;
  const auto start = Clock::now();
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      while (begun.fetch_add(1) < count) {
        const auto before = Clock::now();
        if (!run_once(argv[4], environment)) ++failed;
        std::lock_guard lock(mutex);
        times.push_back(since(before));
      }
    });
  }
  for (auto& worker : workers) worker.join();
  const double seconds = since(start) / 1000;
  if (times.empty()) return 2;
  std::sort(times.begin(), times.end());
  auto at = [&](double part) { return times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))]; };
  std::printf("{\"n\": %zu, \"failed\": %d, \"p50\": %.3f, \"p95\": %.3f, \"p99\": %.3f, \"per_second\": %.1f}\n",
              times.size(), failed.load(), at(0.5), at(0.95), at(0.99), static_cast<double>(times.size()) / seconds);
  return failed == 0 ? 0 : 1;
}
