#include "parley/server/sealer.h"

#include <gtest/gtest.h>

#include "parley/crypto/random.h"
#include "parley/identity/settings.h"
#include "parley/server/watched_store.h"
#include "parley/trail/trail.h"
#include "testing/test_store.h"
#include "testing/wait.h"

namespace parley::server {
namespace {

using namespace db::literals;

class SealerContract : public testing::TestWithParam<db::Engine> {
 protected:
  void SetUp() override {
    auto opened = db::TestStore::open(GetParam(), db::compiled_migrations());
    if (!opened) GTEST_SKIP() << describe_for_operator(opened.error());
    test_store_ = *std::move(opened);
    for (const auto id : {acme, zeta}) ASSERT_TRUE(test_store_->store().create_tenant(id));
    sealer_.emplace(test_store_->store(), key_, clock);
    store_.emplace(test_store_->store(), [this](TenantId tenant) { sealer_->note_used(tenant); });
  }
  void append(TenantId tenant) {
    const auto done = store_->tenant(tenant).write_blocking([&](db::TenantWriter& w) {
      return trail_.append(w, {.kind = trail::Kind::write,
                               .actor = trail::Actor::program(),
                               .action = "work",
                               .object = trail::Object("project"),
                               .rule = "test",
                               .request = {}});
    });
    ASSERT_TRUE(done) << describe_for_operator(done.error());
  }
  std::size_t due() {
    return test_store_->store()
        .control()
        .read_blocking(
            [&](db::ControlReader& r) { return identity::list_due(r, clock.now() + std::chrono::days(9), 99); })
        .value()
        .size();
  }
  std::int64_t seals_of(TenantId tenant) { return sealer_->verify(tenant).value().seals.count; }
  std::int64_t swept() {
    const auto outcome = sealer_->sweep();
    EXPECT_TRUE(outcome) << describe_for_operator(outcome.error());
    EXPECT_TRUE(outcome->failed.empty());
    return outcome->sealed;
  }

  std::unique_ptr<db::TestStore> test_store_;
  const TenantId acme = db::random_tenant_id();
  const TenantId zeta = db::random_tenant_id();
  ManualClock clock;
  const trail::Trail trail_{trail::NodeId(crypto::random_uuid()), clock};
  const crypto::SigningKey key_ = crypto::SigningKey::make();
  std::optional<Sealer> sealer_;
  std::optional<WatchedStore> store_;
};

INSTANTIATE_TEST_SUITE_P(engines, SealerContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         [](const auto& p) { return p.param == db::Engine::sqlite ? "sqlite" : "postgres"; });

TEST_P(SealerContract, whoever_was_used_is_sealed_when_the_day_is_over_and_nobody_else) {
  append(acme);
  ASSERT_TRUE(sealer_->put_due());
  EXPECT_EQ(due(), 1U);
  EXPECT_EQ(swept(), 0);  // today is not over
  clock.advance(std::chrono::days(1));
  EXPECT_EQ(swept(), 1);
  EXPECT_EQ(due(), 0U);
  EXPECT_EQ(seals_of(acme), 1);
  EXPECT_TRUE(sealer_->verify(acme)->whole());
  // Sealing is no use: nothing is due again by itself.
  ASSERT_TRUE(sealer_->put_due());
  EXPECT_EQ(due(), 0U);
}

TEST_P(SealerContract, what_is_written_after_a_seal_is_due_the_day_after) {
  append(acme);
  ASSERT_TRUE(sealer_->put_due());
  clock.advance(std::chrono::days(1));
  EXPECT_EQ(swept(), 1);
  append(acme);
  append(zeta);
  ASSERT_TRUE(sealer_->put_due());
  clock.advance(std::chrono::days(1));
  EXPECT_EQ(swept(), 2);
  EXPECT_EQ(seals_of(acme), 2);
  EXPECT_EQ(seals_of(zeta), 1);
}

TEST_P(SealerContract, a_tenant_that_was_only_read_gets_no_seal) {
  (void)store_->tenant(acme);
  ASSERT_TRUE(sealer_->put_due());
  clock.advance(std::chrono::days(1));
  EXPECT_EQ(swept(), 0);
  EXPECT_EQ(due(), 0U);
}

TEST_P(SealerContract, what_was_due_when_the_program_ended_is_sealed_by_the_next) {
  append(acme);
  ASSERT_TRUE(sealer_->put_due());
  sealer_.emplace(test_store_->store(), key_, clock);
  clock.advance(std::chrono::days(1));
  EXPECT_EQ(swept(), 1);
}

TEST_P(SealerContract, stopping_seals_once_a_day) {
  append(acme);
  EXPECT_EQ(sealer_->finish()->sealed, 1);
  append(acme);
  EXPECT_EQ(sealer_->finish()->sealed, 0);
  EXPECT_EQ(due(), 1U);
  clock.advance(std::chrono::days(1));
  append(acme);
  EXPECT_EQ(sealer_->finish()->sealed, 1);
  EXPECT_EQ(due(), 0U);
}

TEST_P(SealerContract, a_trail_that_was_changed_is_not_sealed_and_tried_again_later) {
  append(acme);
  append(zeta);
  ASSERT_TRUE(sealer_->seal(acme));
  append(acme);
  ASSERT_TRUE(test_store_->store().tenant(acme).write_blocking(
      [](db::TenantWriter& w) { return w.run("UPDATE trail SET rule = 'another' WHERE seq = 2"_sql); }));
  ASSERT_TRUE(sealer_->put_due());
  clock.advance(std::chrono::days(1));
  const auto outcome = sealer_->sweep();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->sealed, 1);  // the other
  ASSERT_EQ(outcome->failed.size(), 1U);
  EXPECT_EQ(outcome->failed[0].code(), Code::data_corrupt);
  EXPECT_EQ(due(), 1U);
  EXPECT_EQ(swept(), 0);  // not at once
}

TEST_P(SealerContract, a_trail_removed_with_its_heads_and_seals_is_missed) {
  append(acme);
  ASSERT_TRUE(sealer_->seal(acme));
  for (const auto& sql : {"DELETE FROM trail"_sql, "DELETE FROM trail_heads"_sql, "DELETE FROM trail_seals"_sql})
    ASSERT_TRUE(test_store_->store().tenant(acme).write_blocking([&](db::TenantWriter& w) { return w.run(sql); }));
  EXPECT_EQ(sealer_->verify(acme)->damage(), trail::Damage::removed_seal);
  // A new beginning does not hide it.
  append(acme);
  EXPECT_EQ(sealer_->verify(acme)->damage(), trail::Damage::removed_seal);
}

TEST_P(SealerContract, what_was_exported_verifies_against_the_trail) {
  append(acme);
  ASSERT_TRUE(sealer_->seal(acme));
  const auto text = trail::to_json(sealer_->export_seals(acme).value());
  const auto seals = trail::parse_seal_export(text);
  ASSERT_TRUE(seals) << describe_for_operator(seals.error());
  EXPECT_EQ(sealer_->verify(acme, {}, &*seals)->exported_seals, trail::HeadVerdict::found);
  append(zeta);
  EXPECT_EQ(sealer_->verify(zeta, {}, &*seals)->exported_seals, trail::HeadVerdict::missing);
}

}  // namespace
}  // namespace parley::server
