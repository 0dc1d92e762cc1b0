#include <string>

#include <gtest/gtest.h>

#include "parley/base/result.h"
#include "parley/base/secret.h"
#include "parley/base/time.h"
#include "parley/base/untrusted.h"
#include "parley/base/uuid.h"

namespace parley {
namespace {

using namespace std::chrono_literals;

Result<int> half(int n) {
  if (n % 2 != 0) return fail(Code::invalid_argument, "odd", std::to_string(n));
  return n / 2;
}
Result<int> quarter(int n) { return PARLEY_TRY(half(PARLEY_TRY(half(n)))); }

TEST(Result, try_yields_the_value_or_returns_the_error) {
  EXPECT_EQ(*quarter(12), 3);
  ASSERT_FALSE(quarter(6));
  EXPECT_EQ(quarter(6).error().code(), Code::invalid_argument);
  EXPECT_EQ(quarter(6).error().operator_detail(), "3");
}

TEST(Error, operator_detail_is_kept_apart_from_the_public_reason) {
  const Error error(Code::unavailable, "the store does not answer", "connect 10.0.0.7: refused");
  EXPECT_EQ(error.reason().view(), "the store does not answer");
  EXPECT_EQ(describe_for_operator(error), "the store does not answer (unavailable): connect 10.0.0.7: refused");
}

TEST(Uuid, reads_what_it_writes_and_nothing_else) {
  const std::string text = "0189abcd-ef01-4234-8567-89abcdef0123";
  ASSERT_TRUE(Uuid::parse(text));
  EXPECT_EQ(Uuid::parse(text)->to_string(), text);
  EXPECT_EQ(Uuid::parse("0189ABCD-ef01-4234-8567-89abcdef0123")->to_string(), text);
  for (const auto* bad :
       {"", "0189abcd", "0189abcdef01-4234-8567-89abcdef0123-", "0189abcd-ef01-4234-8567-89abcdef012g",
        "{189abcd-ef01-4234-8567-89abcdef0123", "0189abcd-ef01-4234-8567-89abcdef01234"}) {
    EXPECT_FALSE(Uuid::parse(bad)) << bad;
  }
}

TEST(Uuid, ids_of_different_kinds_do_not_convert) {
  static_assert(!std::is_convertible_v<ChatId, TenantId>);
  static_assert(!std::is_constructible_v<TenantId, ChatId>);
}

TEST(Time, formats_utc) {
  EXPECT_EQ(to_rfc3339({0}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(to_rfc3339({1'704'067'200'999'999}), "2024-01-01T00:00:00Z");
}

TEST(Time, parses_durations_as_people_write_them) {
  EXPECT_EQ(parse_duration("90d"), 90 * 24h);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("30s"), 30s);
  for (const auto* bad : {"", "d", "0s", "-1s", "1w", "1.5h", " 1s", "1s ", "99999999999999999999s", "4000d"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
}

template <class T>
concept Printable = requires(T value) { fmt::formatter<T>().format(value, std::declval<fmt::format_context&>()); };

TEST(Secret, has_no_way_into_a_log_line_or_a_string) {
  static_assert(!Printable<Secret>);
  static_assert(!std::is_convertible_v<Secret, std::string>);
  static_assert(!std::is_convertible_v<Secret, std::string_view>);
  static_assert(!std::equality_comparable<Secret>);
}

TEST(Untrusted, cannot_be_appended_to_a_string) {
  static_assert(!std::is_convertible_v<Untrusted<>, std::string>);
  static_assert(!std::is_convertible_v<Untrusted<>, std::string_view>);
  const Untrusted<> text("x", Origin::passage);
  EXPECT_EQ(text.quote_with([](std::string_view t, Origin) { return "<" + std::string(t) + ">"; }), "<x>");
}

}  // namespace
}  // namespace parley
