#include "parley/admission/admission.h"

#include <cstdlib>
#include <set>

#include <unistd.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "parley/crypto/random.h"
#include "parley/kv/redis_store.h"
#include "testing/wait.h"

// Admission takes an authenticated caller, which only the authenticator makes. Its stand-in here makes whom the test
// likes.
namespace parley::identity {
class Authenticator {
 public:
  static Authenticated authenticate(Principal who) { return Authenticated(std::move(who)); }
};
}  // namespace parley::identity

namespace parley::admission {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::make_address;

constexpr HashKey hash_key{7, 11};

/// Every line but one far out of reach.
Limits only(std::string_view name, std::optional<Rate> rate = {}) {
  Limits limits;
  for (std::size_t i = 0; i < limits_count; ++i)
    if (all_limits()[i].name.view() != name) limits[i] = {kv::rate_count_max, 1s};
    else if (rate) limits[i] = *rate;
  return limits;
}

/// Somebody who asks, and from where.
struct Asker {
  Principal who;
  boost::asio::ip::address address = make_address("192.0.2.1");
  Target target;
  std::string account = "somebody@example.com";
};

Asker somebody(PrincipalKind kind) {
  Asker asker;
  asker.who.kind = kind;
  asker.target = {.tenant = crypto::random_id<TenantId>(), .project = crypto::random_id<ProjectId>(), .chat = {}};
  if (kind == PrincipalKind::anonymous) return asker;
  asker.who.id = crypto::random_uuid();
  asker.who.tenant = asker.target.tenant;
  asker.who.project = asker.target.project;
  return asker;
}

/// One request through every gate that admission has; what it was refused by.
asio::awaitable<std::optional<Refused>> ask(Admission* admission, Work work, Asker asker) {
  auto from = admission->admit_address(asker.address);
  if (!from) co_return from.error();
  if (work == Work::log_in) co_return co_await admission->admit_log_in(*from, asker.account);
  const auto caller = identity::Authenticator::authenticate(asker.who);
  const auto admitted = co_await admission->admit(*from, caller, work);
  if (!admitted) co_return admitted.error();
  co_return co_await admission->admit_target(work, asker.who, asker.target);
}

struct Counted {
  std::uint32_t passed = 0;
  std::optional<Refused> refused;
};
Async<Counted> ask_until_refused(Admission* admission, Work work, Asker asker, std::uint32_t times_max) {
  Counted counted;
  while (counted.passed < times_max) {
    counted.refused = co_await ask(admission, work, asker);
    if (counted.refused) break;
    ++counted.passed;
  }
  co_return counted;
}

Counted count(Admission& admission, Work work, Asker asker, std::uint32_t times_max = 100'000) {
  return *wait(ask_until_refused(&admission, work, std::move(asker), times_max));
}

/// Callers whom a line is for, each with others of the same kind whom it must not touch.
std::vector<std::pair<Asker, Asker>> callers_of(Subject subject, Work work) {
  using Kind = PrincipalKind;
  std::vector<std::pair<Asker, Asker>> pairs;
  const auto pair = [&](Kind kind) -> std::pair<Asker, Asker>& {
    return pairs.emplace_back(somebody(kind), somebody(kind));
  };
  switch (subject) {
    case Subject::address:
      for (const Kind kind : {Kind::anonymous, Kind::visitor, Kind::public_key, Kind::local_user})
        pair(kind).second.address = make_address("192.0.2.2");
      if (work == Work::webhook) pair(Kind::secret_key).second.address = make_address("192.0.2.2");
      break;
    case Subject::visitor: pair(Kind::visitor); break;
    case Subject::user: pair(Kind::local_user); break;
    case Subject::secret_key: pair(Kind::secret_key); break;
    case Subject::public_key: {
      pair(Kind::public_key);
      auto& [one, other] = pair(Kind::visitor);
      one.who.vouched_by = crypto::random_id<KeyId>();
      other.who.vouched_by = crypto::random_id<KeyId>();
      break;
    }
    case Subject::project:
      for (const Kind kind : {Kind::anonymous, Kind::visitor, Kind::public_key, Kind::local_user}) pair(kind);
      break;
    case Subject::organisation:
      for (const Kind kind : {Kind::anonymous, Kind::visitor, Kind::public_key, Kind::local_user, Kind::secret_key})
        pair(kind);
      break;
    case Subject::chat: {
      for (const Kind kind : {Kind::visitor, Kind::secret_key}) {
        auto& [one, other] = pair(kind);
        one.target.chat = crypto::random_id<ChatId>();
        // The same chat, asked for by somebody else.
        other.target.chat = one.target.chat;
      }
      break;
    }
    case Subject::account: pair(Kind::anonymous).second.account = "other@example.com"; break;
  }
  return pairs;
}

class EachLimit : public testing::TestWithParam<std::size_t> {};

TEST_P(EachLimit, is_met_by_exactly_the_request_after_its_number) {
  const Limit& limit = all_limits()[GetParam()];
  const Work work = limit.work == Work::request ? Work::read : limit.work;
  for (auto& [one, other] : callers_of(limit.subject, limit.work)) {
    ManualClock clock;
    Admission admission(only(limit.name), clock, hash_key);
    const Counted counted = count(admission, work, one);
    EXPECT_EQ(counted.passed, limit.rate.count);
    ASSERT_TRUE(counted.refused);
    EXPECT_EQ(counted.refused->limit.view(), limit.name.view());
    EXPECT_EQ(counted.refused->retry_after,
              std::chrono::ceil<std::chrono::seconds>(std::chrono::microseconds(limit.rate.step_micros())));
    EXPECT_EQ(count(admission, work, other, 1).passed, 1U) << "another of the same kind is not touched";
    // The one unit that comes back, and no more.
    clock.advance(std::chrono::microseconds(limit.rate.step_micros()));
    EXPECT_EQ(count(admission, work, one, 2).passed, 1U);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, EachLimit, testing::Range<std::size_t>(0, limits_count),
                         [](const auto& info) { return std::string(all_limits()[info.param].name.view()); });

TEST(Limits, have_distinct_names_that_say_what_they_count) {
  std::set<std::string_view> names;
  for (const Limit& limit : all_limits()) {
    EXPECT_TRUE(names.insert(limit.name.view()).second) << limit.name.view();
    EXPECT_NE(limit.name.view().find("_per_"), std::string_view::npos);
    EXPECT_FALSE(limit.why.view().empty());
    EXPECT_EQ(kv::parse_rate(kv::to_string(limit.rate)), limit.rate) << limit.name.view();
  }
}

TEST(Limits, the_numbers_that_the_contract_names_are_those) {
  const Limits limits;
  EXPECT_EQ(limits.of("chat_per_visitor"), (Rate{15, 1min}));
  EXPECT_EQ(limits.of("chat_per_chat"), (Rate{15, 1min}));
  EXPECT_EQ(limits.of("chat_per_address"), (Rate{100, 1min}));
  EXPECT_EQ(limits.of("chat_per_secret_key"), (Rate{600, 1min}));
  EXPECT_EQ(limits.of("chat_per_organisation"), (Rate{3'000, 1min}));
  EXPECT_EQ(limits.of("log_in_per_account"), (Rate{5, 1min}));
  EXPECT_EQ(limits.of("log_in_per_address"), (Rate{20, 1min}));
}

TEST(Limits, tools_and_expensive_models_are_stricter_than_chat_for_everybody) {
  for (const Limit& chat : limits_of(Work::chat))
    for (const Work work : {Work::tool, Work::expensive_model})
      for (const Limit& stricter : limits_of(work)) {
        if (stricter.subject == chat.subject) EXPECT_LT(stricter.rate.count, chat.rate.count) << stricter.name.view();
      }
}

TEST(Limits, a_wider_line_holds_less_than_many_of_the_narrower_could) {
  // A thousand visitors, a hundred addresses: none of them may be a way around the line above.
  for (const Limit& narrow : all_limits())
    for (const Limit& wide : limits_of(narrow.work)) {
      if (narrow.subject == Subject::visitor && (wide.subject == Subject::address || wide.subject == Subject::project))
        EXPECT_LT(wide.rate.count, narrow.rate.count * 1'000U) << wide.name.view();
      if (narrow.subject == Subject::address && wide.subject == Subject::project)
        EXPECT_LT(wide.rate.count, narrow.rate.count * 100U) << wide.name.view();
    }
}

TEST(Admission, ipv6_clients_count_by_their_network_and_mapped_ipv4_by_the_ipv4_address) {
  ManualClock clock;
  Admission admission(only("request_per_address", Rate{2, 1min}), clock, hash_key);
  const auto passes = [&](const char* text) { return admission.admit_address(make_address(text)).has_value(); };
  EXPECT_TRUE(passes("2001:db8:1:2::1"));
  EXPECT_TRUE(passes("2001:db8:1:2:ffff::9"));
  EXPECT_FALSE(passes("2001:db8:1:2::77"));
  EXPECT_TRUE(passes("2001:db8:1:3::1"));
  EXPECT_TRUE(passes("192.0.2.1"));
  EXPECT_TRUE(passes("::ffff:192.0.2.1"));
  EXPECT_FALSE(passes("192.0.2.1"));
}

TEST(Admission, a_refused_request_uses_up_none_of_the_counts_it_passed) {
  ManualClock clock;
  Limits limits = only("");
  limits.of("chat_per_visitor") = {2, 1min};
  limits.of("chat_per_organisation") = {4, 1min};
  Admission admission(limits, clock, hash_key);
  const Asker visitor = somebody(PrincipalKind::visitor);
  EXPECT_EQ(count(admission, Work::chat, visitor).passed, 2U);
  for (int i = 0; i < 50; ++i) (void)count(admission, Work::chat, visitor, 1);
  Asker colleague = somebody(PrincipalKind::visitor);
  colleague.who.tenant = visitor.who.tenant;
  EXPECT_EQ(count(admission, Work::chat, colleague).passed, 2U) << "what is left of the organisation's four";
}

TEST(Admission, accounts_are_the_same_in_any_case_of_letters) {
  ManualClock clock;
  Admission admission(only("log_in_per_account", Rate{2, 1min}), clock, hash_key);
  Asker asker = somebody(PrincipalKind::anonymous);
  for (const auto* account : {"Ann@Example.com", "ann@example.com"}) {
    asker.account = account;
    EXPECT_EQ(count(admission, Work::log_in, asker, 1).passed, 1U);
  }
  asker.account = "ANN@example.COM";
  EXPECT_EQ(count(admission, Work::log_in, asker, 1).passed, 0U);
}

TEST(Admission, where_no_account_is_named_the_address_alone_is_counted) {
  ManualClock clock;
  Asker nobody = somebody(PrincipalKind::anonymous);
  nobody.account.clear();
  Admission admission(only("log_in_per_account", Rate{2, 1min}), clock, hash_key);
  EXPECT_EQ(count(admission, Work::log_in, nobody, 10).passed, 10U);
  Admission by_address(only("log_in_per_address", Rate{2, 1min}), clock, hash_key);
  EXPECT_EQ(count(by_address, Work::log_in, nobody, 10).passed, 2U);
}

TEST(Admission, forged_headers_gain_nothing) {
  ManualClock clock;
  const Proxies proxies{.trusted = {*net::parse_network_range("10.0.0.0/8")},
                        .header = ForwardedHeader::x_forwarded_for};
  Admission admission(only("request_per_address", Rate{10, 1min}), clock, hash_key, nullptr, proxies);
  const auto passes = [&](const char* peer, const std::string& header) {
    const std::array<std::string_view, 1> lines{header};
    return admission.admit_address(client_of(make_address(peer), lines, admission.proxies())).has_value();
  };
  int direct = 0, proxied = 0;
  for (int i = 0; i < 200; ++i) {
    // Straight to us, and through a proxy that adds whom it saw.
    if (passes("192.0.2.1", fmt::format("198.51.100.{}", i))) ++direct;
    if (passes("10.0.0.1", fmt::format("198.51.100.{}, 192.0.2.9", i))) ++proxied;
  }
  EXPECT_EQ(direct, 10);
  EXPECT_EQ(proxied, 10);
}

TEST(Admission, a_thousand_minted_visitors_gain_nothing) {
  ManualClock clock;
  Admission admission(Limits(), clock, hash_key);
  const Asker page = somebody(PrincipalKind::public_key);
  EXPECT_EQ(count(admission, Work::mint_visitor, page, 1'000).passed, 60U) << "from one address";

  // Say they were minted over time. All from one address, then each from its own.
  for (const bool spread : {false, true}) {
    clock.advance(10min);
    std::uint32_t passed = 0;
    for (int n = 0; n < 1'000; ++n) {
      Asker visitor = somebody(PrincipalKind::visitor);
      visitor.who.tenant = page.who.tenant;
      visitor.who.project = page.who.project;
      visitor.who.vouched_by = KeyId(page.who.id);
      if (spread) visitor.address = make_address(fmt::format("198.51.{}.{}", n / 250, n % 250));
      passed += count(admission, Work::chat, visitor, 15).passed;
    }
    EXPECT_EQ(passed, spread ? 1'000U : 100U) << "of 15,000";
  }
}

TEST(Admission, nodes_that_share_counts_are_one) {
  ManualClock clock;
  kv::MemoryStore shared(clock);
  Admission one(only("chat_per_secret_key", Rate{10, 1min}), clock, hash_key, &shared);
  Admission two(only("chat_per_secret_key", Rate{10, 1min}), clock, hash_key, &shared);
  const Asker server = somebody(PrincipalKind::secret_key);
  EXPECT_EQ(count(one, Work::chat, server, 6).passed, 6U);
  const Counted rest = count(two, Work::chat, server);
  EXPECT_EQ(rest.passed, 4U);
  ASSERT_TRUE(rest.refused);
  EXPECT_EQ(rest.refused->limit.view(), "chat_per_secret_key");
  EXPECT_EQ(rest.refused->retry_after, 6s);
  // What the shared counts refused did not use up the node's own.
  clock.advance(6s);
  EXPECT_EQ(count(two, Work::chat, server).passed, 1U);
}

TEST(Admission, without_the_shared_counts_each_node_goes_on_with_its_own) {
  ManualClock clock;
  kv::RedisAddress nowhere;
  nowhere.socket = "/nonexistent/parley.sock";
  kv::RedisStore shared({.address = nowhere});
  Admission admission(only("chat_per_secret_key", Rate{10, 1min}), clock, hash_key, &shared);
  EXPECT_EQ(count(admission, Work::chat, somebody(PrincipalKind::secret_key)).passed, 10U);
}

TEST(Admission, counts_in_redis_are_exact_over_two_nodes) {
  const char* url = std::getenv("PARLEY_TEST_REDIS");
  if (!url) GTEST_SKIP() << "PARLEY_TEST_REDIS names no server";
  ManualClock clock;
  const kv::RedisOptions options{.address = kv::parse_redis_url(url).value(),
                                 .prefix = fmt::format("admission{}", ::getpid()),
                                 .reply_timeout = 5s};
  kv::RedisStore store_one(options), store_two(options);
  const auto limits = only("chat_per_secret_key", Rate{15, std::chrono::hours(1)});
  Admission one(limits, clock, hash_key, &store_one), two(limits, clock, hash_key, &store_two);
  const Asker server = somebody(PrincipalKind::secret_key);
  std::uint32_t passed = 0;
  for (int i = 0; i < 15; ++i)
    passed += count(one, Work::chat, server, 1).passed + count(two, Work::chat, server, 1).passed;
  EXPECT_EQ(passed, 15U);
}

TEST(KeyedHash, is_siphash_2_4) {
  // The reference's own vector: key 00…0f, message 00…0e.
  std::string message;
  for (char c = 0; c < 15; ++c) message += c;
  EXPECT_EQ(keyed_hash({0x0706050403020100, 0x0f0e0d0c0b0a0908}, message), 0xa129ca6149be45e5ULL);
}

}  // namespace
}  // namespace parley::admission
