#include "parley/kv/gcra_table.h"

#include <gtest/gtest.h>

#include "parley/kv/rate.h"

namespace parley::kv {
namespace {

using namespace std::chrono_literals;

constexpr Timestamp start{1'800'000'000'000'000};

/// Spreads numbers over the whole table, as the keyed hash of a subject does.
std::uint64_t spread(std::uint64_t n) {
  n *= 0x9e3779b97f4a7c15ULL;
  n ^= n >> 32;
  return n * 0xd6e8feb86659fd93ULL;
}

TEST(Rate, is_read_as_people_write_it) {
  EXPECT_EQ(parse_rate("15/min"), (Rate{15, 1min}));
  EXPECT_EQ(parse_rate("20/s"), (Rate{20, 1s}));
  EXPECT_EQ(parse_rate("3000/h"), (Rate{3000, 1h}));
  for (const auto* text : {"15/min", "20/s", "3000/h"}) EXPECT_EQ(to_string(*parse_rate(text)), text);
  for (const auto* bad : {"", "0/s", "-1/s", "15", "15/", "15/day", "15 / min", "1000001/s", "off"})
    EXPECT_FALSE(parse_rate(bad)) << bad;
}

TEST(GcraTable, allows_a_burst_of_the_whole_count_then_one_each_interval) {
  GcraTable table;
  const Counts counts{{1, {15, 1min}}};
  for (int i = 0; i < 15; ++i) EXPECT_FALSE(table.take(counts, start)) << i;
  const auto exceeded = table.take(counts, start);
  ASSERT_TRUE(exceeded);
  EXPECT_EQ(exceeded->wait, 4s);
  EXPECT_FALSE(table.take(counts, start + 4s));
  EXPECT_TRUE(table.take(counts, start + 4s));
}

TEST(GcraTable, a_burst_is_exact_for_counts_that_do_not_divide_their_time) {
  for (const std::uint32_t count : {1U, 7U, 13U, 997U, 3'001U}) {
    GcraTable table;
    const Counts counts{{spread(count), {count, 1min}}};
    for (std::uint32_t i = 0; i < count; ++i) ASSERT_FALSE(table.take(counts, start)) << count << " " << i;
    EXPECT_TRUE(table.take(counts, start)) << count;
  }
}

TEST(GcraTable, remembers_a_hundred_thousand_subjects_exactly) {
  GcraTable table;
  for (std::uint64_t n = 0; n < 100'000; ++n) ASSERT_FALSE(table.take({{spread(n), {1, 1min}}}, start));
  EXPECT_EQ(table.size(start), 100'000U);
  for (std::uint64_t n = 0; n < 100'000; ++n) ASSERT_TRUE(table.take({{spread(n), {1, 1min}}}, start));
  EXPECT_EQ(table.size(start + 1min), 0U);
}

TEST(GcraTable, has_an_upper_bound_and_refuses_new_subjects_beyond_it) {
  GcraTable table;
  std::size_t refused = 0;
  for (std::uint64_t n = 0; n < 2'200'000; ++n)
    if (table.take({{spread(n), {1, 1min}}}, start)) ++refused;
  EXPECT_GT(refused, 100'000U);
  EXPECT_LE(table.bytes(), std::size_t{32} * 1024 * 1024);
  // Those inside are still counted, and when they are whole again there is room for others.
  EXPECT_TRUE(table.take({{spread(0), {1, 1min}}}, start));
  EXPECT_FALSE(table.take({{spread(4'000'000), {1, 1min}}}, start + 1min));
}

TEST(GcraTable, a_request_that_finds_no_place_takes_nothing) {
  GcraTable table;
  const Count mine{spread(0), {20'000, 1h}};
  for (int i = 0; i < 10'000; ++i) ASSERT_FALSE(table.take({mine}, start));
  for (std::uint64_t n = 1; n < 2'500'000; ++n) (void)table.take({{spread(n), {1, 1min}}}, start);
  int passed = 0;
  for (std::uint64_t n = 5'000'000; n < 5'001'000; ++n)
    if (!table.take({mine, {spread(n), {1, 1min}}}, start)) ++passed;
  EXPECT_LT(passed, 600);
  for (int i = 0; i < 10'000 - passed; ++i) ASSERT_FALSE(table.take({mine}, start)) << i;
  EXPECT_TRUE(table.take({mine}, start));
}

}  // namespace
}  // namespace parley::kv
