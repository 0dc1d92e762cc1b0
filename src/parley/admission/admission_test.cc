#include <gtest/gtest.h>

#include "parley/admission/admission.h"

namespace parley::admission {
namespace {

using namespace std::chrono_literals;

struct TestClock final : Clock {
  Timestamp at{1'800'000'000'000'000};
  Timestamp now() const override { return at; }
};

TEST(Rate, is_read_as_people_write_it) {
  EXPECT_EQ(parse_rate("15/min"), (Rate{15, 1min}));
  EXPECT_EQ(parse_rate("20/s"), (Rate{20, 1s}));
  EXPECT_EQ(parse_rate("3000/h"), (Rate{3000, 1h}));
  for (const auto* bad : {"", "0/s", "-1/s", "15", "15/", "15/day", "15 / min", "1000001/s", "off"})
    EXPECT_FALSE(parse_rate(bad)) << bad;
}

TEST(Gcra, allows_a_burst_of_the_whole_count_then_one_each_interval) {
  Gcra gcra;
  TestClock clock;
  const Rate rate{15, 1min};
  for (int i = 0; i < 15; ++i) EXPECT_FALSE(gcra.take(1, rate, clock.now())) << i;
  const auto wait = gcra.take(1, rate, clock.now());
  ASSERT_TRUE(wait);
  EXPECT_EQ(*wait, 4s);
  clock.at = clock.at + 4s;
  EXPECT_FALSE(gcra.take(1, rate, clock.now()));
  EXPECT_TRUE(gcra.take(1, rate, clock.now()));
}

TEST(Gcra, a_clock_that_jumps_back_locks_nobody_out) {
  Gcra gcra;
  TestClock clock;
  const Rate rate{2, 1s};
  EXPECT_FALSE(gcra.take(1, rate, clock.now()));
  clock.at = clock.at - 24h;
  (void)gcra.take(1, rate, clock.now());
  clock.at = clock.at + 2s;
  EXPECT_FALSE(gcra.take(1, rate, clock.now()));
}

TEST(Admission, ipv6_clients_count_by_their_network_and_mapped_ipv4_by_the_ipv4_address) {
  TestClock clock;
  Limits limits;
  limits.request_per_address = {2, 1min};
  Admission admission(limits, clock, 7);
  const auto ask = [&](const char* text) {
    return admission.admit_address(boost::asio::ip::make_address(text)).has_value();
  };
  EXPECT_TRUE(ask("2001:db8:1:2::1"));
  EXPECT_TRUE(ask("2001:db8:1:2:ffff::9"));
  EXPECT_FALSE(ask("2001:db8:1:2::77"));
  EXPECT_TRUE(ask("2001:db8:1:3::1"));
  EXPECT_TRUE(ask("192.0.2.1"));
  EXPECT_TRUE(ask("::ffff:192.0.2.1"));
  EXPECT_FALSE(ask("192.0.2.1"));
}

TEST(Admission, a_refusal_names_the_limit_and_the_wait) {
  TestClock clock;
  Limits limits;
  limits.request_per_address = {1, 1min};
  Admission admission(limits, clock, 7);
  const auto address = boost::asio::ip::make_address("192.0.2.1");
  EXPECT_TRUE(admission.admit_address(address));
  const auto refused = admission.admit_address(address);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().limit.view(), "request_per_address");
  EXPECT_EQ(refused.error().retry_after, 60s);
}

}  // namespace
}  // namespace parley::admission
