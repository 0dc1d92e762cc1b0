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

}  // namespace
}  // namespace parley::net
