#include "control/line.h"

#include <doctest/doctest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <list>
#include <string>

namespace sebring::control {
namespace {

using Turn = Lines::Turn;

struct LineBench {
  asio::io_context io;
  Lines lines{io.get_executor()};
  std::string order;  // who got in, by letter; upper case: who was turned away
  std::list<std::pair<char, Lines::Place>> inside;

  void enter(char name, Turn turn, std::chrono::milliseconds wait_max = Lines::kWaitMax) {
    asio::co_spawn(io, lines.enter("x", turn, wait_max), [this, name](std::exception_ptr, Result<Lines::Place> place) {
      order += place ? name : static_cast<char>(name - 'a' + 'A');
      if (place) inside.emplace_back(name, std::move(*place));
    });
    poll();
  }
  void leave(char name) {
    std::erase_if(inside, [&](const auto& one) { return one.first == name; });
    poll();
  }
  void poll() {
    io.restart();
    io.poll();
  }
};

TEST_CASE("who works together is let in together, and nobody overtakes") {
  LineBench bench;
  bench.enter('a', Turn::together);
  bench.enter('b', Turn::together);
  CHECK(bench.order == "ab");
  CHECK_FALSE(bench.lines.try_enter("x").has_value());
  bench.enter('c', Turn::in_line);
  bench.enter('d', Turn::together);  // though a and b are inside
  bench.enter('e', Turn::together);
  bench.enter('f', Turn::in_line);
  bench.enter('g', Turn::together);
  CHECK(bench.order == "ab");
  bench.leave('a');
  CHECK(bench.order == "ab");
  bench.leave('b');
  CHECK(bench.order == "abc");
  bench.enter('h', Turn::first);
  bench.leave('c');
  CHECK(bench.order == "abch");
  bench.leave('h');
  CHECK(bench.order == "abchde");
  bench.leave('d');
  CHECK(bench.order == "abchde");
  bench.leave('e');
  CHECK(bench.order == "abchdef");
  bench.leave('f');
  CHECK(bench.order == "abchdefg");
  bench.leave('g');
  CHECK_FALSE(bench.lines.busy("x"));
}

TEST_CASE("who waits too long is turned away, and the others go on") {
  LineBench bench;
  bench.enter('a', Turn::together);
  bench.enter('b', Turn::in_line, std::chrono::milliseconds(1));
  bench.enter('c', Turn::together);
  bench.io.restart();
  bench.io.run_one_for(std::chrono::seconds(10));
  CHECK(bench.order == "aB");
  bench.enter('d', Turn::in_line);
  bench.leave('a');
  CHECK(bench.order == "aBc");
  bench.leave('c');
  CHECK(bench.order == "aBcd");
  bench.leave('d');
  CHECK_FALSE(bench.lines.busy("x"));
  for (int i = 0; i < 2; ++i) bench.enter('e', Turn::in_line);
  CHECK(bench.order == "aBcde");
  bench.inside.clear();
  bench.poll();
}

}  // namespace
}  // namespace sebring::control
