#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "parley/crypto/totp.h"

namespace parley::crypto {
namespace {

namespace json = boost::json;

TotpHash hash_named(const json::value& name) {
  if (name.as_string() == "SHA256") return TotpHash::sha256;
  if (name.as_string() == "SHA512") return TotpHash::sha512;
  return TotpHash::sha1;
}

TEST(Totp, makes_the_codes_of_the_standards) {
  const std::filesystem::path file = "../shared/data/totp/vectors.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no " << file << " here";
  std::ifstream in(file);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto vectors = json::parse(text).as_object();
  std::size_t tried = 0;
  for (const auto& each : vectors.at("totp").as_array()) {
    const auto& row = each.as_object();
    const TotpShape shape{.hash = hash_named(row.at("alg")),
                          .digits = static_cast<int>(row.at("digits").as_int64()),
                          .period = std::chrono::seconds(row.at("period").as_int64())};
    const Secret secret{std::string(row.at("secret_ascii").as_string())};
    const auto step = totp_step({row.at("time").as_int64() * 1'000'000}, shape.period);
    EXPECT_EQ(totp_code(secret, step, shape).reveal(), row.at("code").as_string()) << json::serialize(row);
    EXPECT_EQ(find_totp_step(secret, row.at("code").as_string(), step, -1, shape), step);
    ++tried;
  }
  for (const auto& each : vectors.at("hotp").as_array()) {
    const auto& row = each.as_object();
    const Secret secret{std::string(row.at("secret_ascii").as_string())};
    EXPECT_EQ(hotp_code(secret, static_cast<std::uint64_t>(row.at("counter").as_int64()), hash_named(row.at("alg")),
                        static_cast<int>(row.at("digits").as_int64()))
                  .reveal(),
              row.at("code").as_string());
    ++tried;
  }
  EXPECT_EQ(tried, 22U);
}

TEST(Totp, accepts_one_step_each_way_and_none_twice) {
  const Secret secret = make_totp_secret();
  const std::int64_t now = 50'000'000;
  const auto code = [&](std::int64_t step) { return std::string(totp_code(secret, step).reveal()); };
  for (const std::int64_t step : {now - 1, now, now + 1}) {
    EXPECT_EQ(find_totp_step(secret, code(step), now, -1), step);
    EXPECT_FALSE(find_totp_step(secret, code(step), now, step)) << "again";
    EXPECT_FALSE(find_totp_step(secret, code(step), now, step + 1)) << "after a later one";
  }
  EXPECT_FALSE(find_totp_step(secret, code(now - 2), now, -1));
  EXPECT_FALSE(find_totp_step(secret, code(now + 2), now, -1));
}

TEST(Totp, reads_digits_and_the_blanks_that_apps_show) {
  const Secret secret = make_totp_secret();
  const std::int64_t now = 50'000'000;
  const std::string code(totp_code(secret, now).reveal());
  EXPECT_EQ(find_totp_step(secret, code.substr(0, 3) + " " + code.substr(3), now, -1), now);
  for (const auto& other : {std::string(), code.substr(1), code + "0", "x" + code.substr(1), code + "\n", "-" + code,
                            std::string(100'000, '1')})
    EXPECT_FALSE(find_totp_step(secret, other, now, -1)) << other.size();
}

TEST(Totp, a_time_before_1970_has_no_code) {
  const Secret secret = make_totp_secret();
  EXPECT_EQ(totp_step({-1}, std::chrono::seconds(30)), -1);
  EXPECT_EQ(totp_step({29'999'999}, std::chrono::seconds(30)), 0);
  EXPECT_FALSE(find_totp_step(secret, totp_code(secret, -1).reveal(), -1, -10));
}

TEST(Totp, writes_secrets_as_base32) {
  // RFC 4648, section 10, without the padding.
  const std::pair<const char*, const char*> rows[] = {{"", ""},
                                                      {"f", "MY"},
                                                      {"fo", "MZXQ"},
                                                      {"foo", "MZXW6"},
                                                      {"foob", "MZXW6YQ"},
                                                      {"fooba", "MZXW6YTB"},
                                                      {"foobar", "MZXW6YTBOI"}};
  for (const auto& [bytes, text] : rows) EXPECT_EQ(to_base32(Secret(bytes)).reveal(), text);
}

}  // namespace
}  // namespace parley::crypto
