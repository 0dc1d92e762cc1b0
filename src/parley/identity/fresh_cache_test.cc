#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "parley/crypto/random.h"
#include "parley/identity/fresh_cache.h"
#include "parley/identity/key_record.h"

namespace parley::identity {
namespace {

using namespace std::chrono_literals;
using KeyCache = FreshCache<crypto::Digest, KeyRecord>;
using State = KeyCache::Found::State;

crypto::Digest digest_of(int n) { return crypto::sha256(std::to_string(n)); }

std::shared_ptr<const KeyRecord> key(TenantId tenant = {}) {
  KeyRecord record;
  record.tenant = tenant;
  return std::make_shared<const KeyRecord>(std::move(record));
}

constexpr Timestamp now{1'000'000'000};

void put(KeyCache& cache, int n, std::shared_ptr<const KeyRecord> what) {
  cache.put(digest_of(n), std::move(what), cache.find(digest_of(n), now).generation, now);
}

TEST(FreshCache, remembers_what_is_there_and_what_is_not) {
  KeyCache cache;
  EXPECT_EQ(cache.find(digest_of(1), now).state, State::unknown);
  put(cache, 1, key());
  put(cache, 2, nullptr);
  EXPECT_EQ(cache.find(digest_of(1), now).state, State::present);
  EXPECT_EQ(cache.find(digest_of(2), now).state, State::absent);
}

TEST(FreshCache, forgets_after_its_age) {
  KeyCache cache({.age_max = 5s});
  put(cache, 1, key());
  EXPECT_EQ(cache.find(digest_of(1), now + 4s).state, State::present);
  EXPECT_EQ(cache.find(digest_of(1), now + 5s).state, State::unknown);
  put(cache, 1, key());
  EXPECT_EQ(cache.find(digest_of(1), now - 1s).state, State::unknown) << "a clock set back must not prolong anything";
}

TEST(FreshCache, an_answer_older_than_a_revocation_is_not_kept) {
  KeyCache cache;
  const auto before = cache.find(digest_of(1), now);
  cache.forget(digest_of(1));  // revoked while the row was being read
  cache.put(digest_of(1), key(), before.generation, now);
  EXPECT_EQ(cache.find(digest_of(1), now).state, State::unknown);
}

TEST(FreshCache, forgets_one_key_or_all_that_match) {
  const auto acme = crypto::random_id<TenantId>();
  const auto zeta = crypto::random_id<TenantId>();
  KeyCache cache;
  for (int i = 0; i < 50; ++i) put(cache, i, key(i % 2 == 0 ? acme : zeta));
  cache.forget(digest_of(1));
  EXPECT_EQ(cache.find(digest_of(1), now).state, State::unknown);
  cache.forget_if([&](const auto&, const KeyRecord* record) { return record && record->tenant == acme; });
  for (int i = 0; i < 50; i += 2) EXPECT_EQ(cache.find(digest_of(i), now).state, State::unknown);
  EXPECT_EQ(cache.size(), 24U);
}

TEST(FreshCache, is_bounded_and_a_flood_of_invented_keys_pushes_out_no_real_one) {
  KeyCache cache({.present_max = 160, .absent_max = 160});
  put(cache, 0, key());
  for (int i = 1; i < 5000; ++i) put(cache, i, nullptr);
  EXPECT_LE(cache.size(), 161U);
  EXPECT_EQ(cache.find(digest_of(0), now).state, State::present);
  for (int i = 5000; i < 10000; ++i) put(cache, i, key());
  EXPECT_LE(cache.size(), 320U);
}

TEST(FreshCache, a_key_that_comes_to_exist_replaces_its_absence) {
  KeyCache cache;
  put(cache, 1, nullptr);
  put(cache, 1, key());
  EXPECT_EQ(cache.find(digest_of(1), now).state, State::present);
  EXPECT_EQ(cache.size(), 1U);
}

}  // namespace
}  // namespace parley::identity
