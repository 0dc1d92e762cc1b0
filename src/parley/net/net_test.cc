#include <algorithm>
#include <thread>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "parley/net/workers.h"

namespace parley::net {
namespace {

Async<int> sum_on(Workers& workers, std::thread::id home) {
  std::thread::id seen;
  const int first = PARLEY_CO_TRY(co_await workers.run([&]() -> Result<int> {
    seen = std::this_thread::get_id();
    return 20;
  }));
  EXPECT_NE(seen, home);
  EXPECT_EQ(std::this_thread::get_id(), home);
  const auto refused = co_await workers.run([]() -> Result<int> { return fail(Code::unavailable, "no"); });
  EXPECT_EQ(refused.error().code(), Code::unavailable);
  co_return first + 22;
}

TEST(Workers, run_elsewhere_and_resume_at_home) {
  Workers workers(2);
  asio::io_context io;
  int total = 0;
  asio::co_spawn(io, sum_on(workers, std::this_thread::get_id()),
                 [&](std::exception_ptr, Result<int> result) { total = *result; });
  io.run();
  EXPECT_EQ(total, 42);
}

Async<int> nice_of(Workers& workers) {
  co_return co_await workers.run([]() -> Result<int> { return ::getpriority(PRIO_PROCESS, 0); });
}

TEST(Workers, background_threads_give_way_to_the_others) {
  Workers usual(1);
  Workers background(1, Priority::background);
  asio::io_context io;
  const int own = ::getpriority(PRIO_PROCESS, 0);
  int of_usual = -1, of_background = -1;
  asio::co_spawn(io, nice_of(usual), [&](std::exception_ptr, Result<int> result) { of_usual = *result; });
  asio::co_spawn(io, nice_of(background), [&](std::exception_ptr, Result<int> result) { of_background = *result; });
  io.run();
  EXPECT_EQ(of_usual, own);
  EXPECT_GE(of_background, std::max(own, 10));
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), own);
}

}  // namespace
}  // namespace parley::net
