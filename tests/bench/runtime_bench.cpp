// What the runtime costs by itself, without HTTP and with a tiny toolbox: slot, create -> ready, first command, end.
// runtime_bench [COUNT] [WORKERS]; needs root. Times in microseconds.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "../root/fixture.h"
#include "base/time.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/pidfd.h"
#include "runtime/root.h"

using namespace sebring;
using namespace sebring::test;

namespace {

double now() { return std::chrono::duration<double, std::micro>(Steady::now().time_since_epoch()).count(); }

void line(const char* name, std::vector<double> values) {
  if (values.empty()) return;
  std::sort(values.begin(), values.end());
  auto at = [&](double part) {
    return values[std::min(values.size() - 1, static_cast<std::size_t>(part * static_cast<double>(values.size())))];
  };
  std::printf("%-34s p50 %8.0f  p95 %8.0f  p99 %8.0f  min %8.0f  n %zu\n", name, at(0.5), at(0.95), at(0.99),
              values.front(), values.size());
}

void load() {
  auto text = os::read_at(AT_FDCWD, "/proc/loadavg");
  std::printf("load %.14s\n", text ? text->c_str() : "?");
}

void one_by_one(Machine& machine, int count) {
  std::vector<double> wait, create, command, again, end;
  for (int i = 0; i < count; ++i) {
    double t = now();
    auto slot = machine.slots().take(machine.spec().layers, false, machine.spec().limits, 20'000);
    if (!slot) return;
    double taken = now();
    auto container =
        runtime::start_container(machine.host(), machine.wires(), machine.cleanup(), std::move(*slot), machine.spec());
    double ready = now();
    if (!container) {
      std::printf("%s\n", container.error().message().c_str());
      return;
    }
    if (run(*container, "true").status != 0) std::printf("command failed\n");
    double ran = now();
    run(*container, "true");
    double twice = now();
    (void)os::signal_pidfd(container->pidfd.get(), SIGKILL);
    os::wait_pidfd(container->pidfd.get(), -1);
    double dead = now();
    machine.destroy(std::move(*container));
    wait.push_back(taken - t);
    create.push_back(ready - taken);
    command.push_back(ran - taken);
    again.push_back(twice - ran);
    end.push_back(dead - twice);
    ::usleep(20'000);  // lets the pool and the cleanup catch up: this is latency, not throughput
  }
  line("wait for a slot", wait);
  line("create -> ready", create);
  line("create -> first command", command);
  line("another command", again);
  line("kill -> dead", end);
}

void sustained(Machine& machine, int count, int workers) {
  std::atomic<int> left = count;
  double t = now();
  std::vector<std::thread> threads;
  for (int i = 0; i < workers; ++i)
    threads.emplace_back([&] {
      (void)runtime::prepare_mounting_thread();
      auto wires = machine.host().open_wires();
      while (left-- > 0) {
        auto slot = machine.slots().take(machine.spec().layers, false, machine.spec().limits, 60'000);
        if (!slot) break;
        auto container =
            runtime::start_container(machine.host(), *wires, machine.cleanup(), std::move(*slot), machine.spec());
        if (!container) break;
        run(*container, "true");
        machine.destroy(std::move(*container));
      }
    });
  for (auto& thread : threads) thread.join();
  double made = now() - t;
  machine.cleanup().wait_until_empty(60'000);
  std::printf("%d cycles, %d workers: %.0f/s, cleaned up at %.0f/s\n", count, workers, count / made * 1e6,
              count / (now() - t) * 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  int count = argc > 1 ? std::atoi(argv[1]) : 100, workers = argc > 2 ? std::atoi(argv[2]) : 4;
  if (::geteuid() != 0 || ::unshare(CLONE_NEWNS) < 0 || !os::make_mounts_private()) {
    std::puts("SKIP: needs root");
    return 77;
  }
  auto& machine = Machine::get();
  load();
  one_by_one(machine, 5);  // warm
  one_by_one(machine, count);
  sustained(machine, count * 2, workers);
  load();
  Machine::shut_down();
}
