#include "toolbox/process.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "toolbox/process_tree.h"

namespace sebring::toolbox {
namespace {

StartSpec shell(std::string script) {
  StartSpec spec;
  spec.candidates = {"/bin/sh"};
  spec.argv = {"sh", "-c", std::move(script)};
  spec.environment = {"PATH=/usr/bin:/bin", "A=b"};
  spec.cwd = "/";
  spec.uid = ::geteuid();
  spec.gid = ::getegid();
  return spec;
}

struct Fixture {
  asio::io_context io;
  std::unique_ptr<Spawner> spawner = make_spawner(io, -1, -1);

  template <class Coroutine>
  void run(Coroutine coroutine) {
    bool done = false;
    asio::co_spawn(io, std::move(coroutine), [&](std::exception_ptr thrown) {
      done = true;
      CHECK(!thrown);
      io.stop();
    });
    io.restart();
    io.run_for(std::chrono::seconds(60));
    CHECK(done);
  }

  asio::awaitable<Result<ExitStatus>> status_of(StartSpec spec) {
    SB_CO_TRY(auto process, co_await spawner->start(std::move(spec)));
    co_return co_await process->wait();
  }
};

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EAGAIN) {
      ::usleep(1000);
      continue;
    }
    if (got <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

asio::awaitable<void> nap(asio::io_context& io, int milliseconds) {
  asio::steady_timer timer(io, std::chrono::milliseconds(milliseconds));
  co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace

TEST_CASE("exit codes and signals") {
  Fixture fixture;
  struct Row {
    const char* script;
    int code;
    int signal;
  } rows[] = {{"true", 0, 0}, {"exit 3", 3, 0}, {"exit 255", 255, 0}, {"kill -9 $$", 137, 9}, {"kill -15 $$", 143, 15}};
  for (const Row& row : rows) {
    CAPTURE(row.script);
    fixture.run([](Fixture& f, Row r) -> asio::awaitable<void> {
      auto status = co_await f.status_of(shell(r.script));
      REQUIRE(status.has_value());
      CHECK(status->code == r.code);
      CHECK(status->signal == r.signal);
      CHECK(!status->out_of_memory);
    }(fixture, row));
  }
}

TEST_CASE("what can not start says at which step") {
  Fixture fixture;
  struct Row {
    const char* program;
    const char* cwd;
    const char* says;
    int error;
  } rows[] = {{"/nonexistent", "/", "execute /nonexistent", ENOENT},
              {"no-such-program", "/", "execute no-such-program", ENOENT},
              {"/etc/passwd", "/", "execute /etc/passwd", EACCES},
              {"/bin/sh", "/nonexistent", "enter the working directory /nonexistent", ENOENT},
              {"/bin/sh", "/etc/passwd", "enter the working directory /etc/passwd", ENOTDIR}};
  for (const Row& row : rows) {
    CAPTURE(row.program);
    fixture.run([](Fixture& f, Row r) -> asio::awaitable<void> {
      StartSpec spec = shell("");
      spec.candidates.clear();
      spec.argv = {r.program};
      spec.cwd = r.cwd;
      auto status = co_await f.status_of(spec);
      REQUIRE(!status.has_value());
      CHECK(status.error().message().starts_with(r.says));
      CHECK(status.error().os_errno() == r.error);
    }(fixture, row));
  }
  fixture.run([](Fixture& f) -> asio::awaitable<void> {
    auto some_left = [info = siginfo_t{}]() mutable {
      return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    };
    for (int i = 0; i < 1000 && some_left(); ++i) co_await nap(f.io, 20);
    CHECK(!some_left());
  }(fixture));
}

TEST_CASE("NUL characters are refused, not cut") {
  Fixture fixture;
  fixture.run([](Fixture& f) -> asio::awaitable<void> {
    StartSpec spec = shell("true");
    spec.argv.push_back(std::string("a\0b", 3));
    CHECK(!(co_await f.status_of(spec)).has_value());
    spec = shell("true");
    spec.environment.push_back(std::string("a=\0b", 4));
    CHECK(!(co_await f.status_of(spec)).has_value());
    spec = shell("true");
    spec.cwd = std::string("/\0", 2);
    CHECK(!(co_await f.status_of(spec)).has_value());
  }(fixture));
}

TEST_CASE("the child has standard streams only, no blocked or ignored signals, its own session") {
  Fixture fixture;
  ::signal(SIGPIPE, SIG_IGN);
  fixture.run([](Fixture& f) -> asio::awaitable<void> {
    auto pipe = make_output_pipe();
    REQUIRE(pipe.has_value());
    StartSpec spec =
        shell("ls /proc/self/fd; grep -E 'SigBlk|SigIgn' /proc/self/status; echo $A; cut -d' ' -f6 /proc/$$/stat");
    spec.stdio[1] = pipe->write_end.get();
    auto process = co_await f.spawner->start(spec);
    REQUIRE(process.has_value());
    pipe->write_end.reset();
    const std::string output = read_all(pipe->read_end.get());
    CHECK(output == "0\n1\n2\n3\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nb\n" +
                        std::to_string((*process)->pid()) + "\n");
    CHECK((co_await (*process)->wait()).code == 0);
    CHECK((co_await (*process)->wait()).code == 0);
    (*process)->signal_group(SIGKILL);  // of nobody any more
  }(fixture));
}

TEST_CASE("kill_tree ends what left the group and the session") {
  Fixture fixture;
  fixture.run([](Fixture& f) -> asio::awaitable<void> {
    auto process = co_await f.spawner->start(
        shell("setsid sh -c 'setsid sleep 1000 & sleep 1000' & for i in 1 2 3 4 5; do sleep 1000 & done; wait"));
    REQUIRE(process.has_value());
    std::vector<pid_t> tree;
    for (int i = 0; i < 1000 && tree.size() < 9; ++i) {
      co_await nap(f.io, 20);
      tree = tree_of(read_processes(), (*process)->pid());
    }
    CHECK(tree.size() == 9);
    co_await (*process)->kill_tree();
    CHECK((co_await (*process)->wait()).signal == SIGKILL);
    for (pid_t member : tree) {
      for (int i = 0; i < 1000 && read_process(member); ++i) co_await nap(f.io, 10);
      CHECK(!read_process(member));
    }
  }(fixture));
}

TEST_CASE("orphans are reaped") {
  Fixture fixture;
  fixture.run([](Fixture& f) -> asio::awaitable<void> {
    auto pipe = make_output_pipe();
    REQUIRE(pipe.has_value());
    StartSpec spec = shell("setsid sleep 1000 & echo $!");
    spec.stdio[1] = pipe->write_end.get();
    auto process = co_await f.spawner->start(spec);
    REQUIRE(process.has_value());
    pipe->write_end.reset();
    co_await (*process)->wait();
    char text[32] = {};
    REQUIRE(::read(pipe->read_end.get(), text, sizeof text - 1) > 0);
    const pid_t orphan = static_cast<pid_t>(std::atoi(text));
    CHECK(read_process(orphan));
    ::kill(orphan, SIGKILL);
    for (int i = 0; i < 1000 && read_process(orphan); ++i) co_await nap(f.io, 20);
    CHECK(!read_process(orphan));
  }(fixture));
}

TEST_CASE("many at once") {
  Fixture fixture;
  int ended = 0;
  for (int i = 0; i < 200; ++i) {
    asio::co_spawn(fixture.io, fixture.status_of(shell("exit 7")), [&](std::exception_ptr, Result<ExitStatus> status) {
      CHECK((status && status->code == 7));
      if (++ended == 200) fixture.io.stop();
    });
  }
  fixture.io.run_for(std::chrono::seconds(60));
  CHECK(ended == 200);
}

TEST_CASE("stat lines") {
  struct Row {
    const char* text;
    bool good;
    pid_t parent;
    char state;
  } rows[] = {{"12 (sh) S 1 12 12 0 -1", true, 1, 'S'},
              {"12 (a) b) (c) R 7 12 12 0", true, 7, 'R'},
              {"", false, 0, 0},
              {"12", false, 0, 0},
              {"12 (sh", false, 0, 0},
              {"12 (sh)", false, 0, 0},
              {"12 (sh) S", false, 0, 0},
              {"x (sh) S 1 2 3", false, 0, 0},
              {"12 (sh) S 1 2", false, 0, 0}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    auto entry = parse_stat(row.text);
    CHECK(entry.has_value() == row.good);
    if (!entry) continue;
    CHECK(entry->parent == row.parent);
    CHECK(entry->state == row.state);
  }
}

}  // namespace sebring::toolbox
