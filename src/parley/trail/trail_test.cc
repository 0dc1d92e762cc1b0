#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/crypto/random.h"
#include "parley/trail/trail.h"
#include "parley/trail/verify.h"
#include "testing/test_store.h"
#include "testing/wait.h"

namespace parley::trail {
namespace {

using namespace db::literals;

Entry entry(Literal action, Kind kind = Kind::write) {
  return {.kind = kind,
          .actor = Actor::api_key(KeyId(crypto::random_uuid())),
          .action = action,
          .object = Object("project", ProjectId(crypto::random_uuid())),
          .rule = "scope_held",
          .request = RequestId(crypto::random_uuid())};
}

// On each engine, with two tenants.
class TrailContract : public testing::TestWithParam<db::Engine> {
 protected:
  void SetUp() override {
    auto opened = db::TestStore::open(GetParam(), db::compiled_migrations());
    if (!opened) GTEST_SKIP() << describe_for_operator(opened.error());
    test_store_ = *std::move(opened);
    for (const auto id : {acme_id, zeta_id}) ASSERT_TRUE(test_store_->store().create_tenant(id));
  }
  db::TenantSession acme() { return test_store_->store().tenant(acme_id); }
  db::TenantSession zeta() { return test_store_->store().tenant(zeta_id); }

  Result<Head> append(db::TenantSession session, const Trail& chain, Literal action) {
    return session.write_blocking([&](db::TenantWriter& w) { return chain.append(w, entry(action)); });
  }
  static Report verified(db::TenantSession session, std::optional<crypto::Digest> head = {}) {
    auto report = session.read_blocking([&](db::TenantReader& r) { return verify(r, {.head = head}); });
    EXPECT_TRUE(report) << describe_for_operator(report.error());
    return report.value_or(Report());
  }
  std::vector<StoredRecord> records(db::TenantSession session) {
    return session.read_blocking([](db::TenantReader& r) { return list_records(r, 100); }).value();
  }

  std::unique_ptr<db::TestStore> test_store_;
  const TenantId acme_id = db::random_tenant_id();
  const TenantId zeta_id = db::random_tenant_id();
  ManualClock clock;
  const Trail trail{NodeId(crypto::random_uuid()), clock};
};

INSTANTIATE_TEST_SUITE_P(engines, TrailContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         [](const auto& p) { return p.param == db::Engine::sqlite ? "sqlite" : "postgres"; });

TEST_P(TrailContract, records_form_a_chain_that_verifies) {
  EXPECT_TRUE(verified(acme()).whole());
  Head last;
  for (const Literal action : {Literal("one"), Literal("two"), Literal("three")}) {
    auto head = append(acme(), trail, action);
    ASSERT_TRUE(head) << describe_for_operator(head.error());
    last = *head;
  }
  const auto report = verified(acme(), last.hash);
  EXPECT_TRUE(report.whole());
  EXPECT_EQ(report.records, 3);
  EXPECT_EQ(report.head, HeadVerdict::found);
  EXPECT_EQ(report.chains.at(0).head, last.hash);
  EXPECT_EQ(last.seq, 3);
}

TEST_P(TrailContract, what_is_stored_is_what_was_said) {
  const auto key = KeyId(crypto::random_uuid());
  const auto project = ProjectId(crypto::random_uuid());
  const auto request = RequestId(crypto::random_uuid());
  ASSERT_TRUE(acme().write_blocking([&](db::TenantWriter& w) {
    return trail.append(w, Entry{.kind = Kind::refusal,
                                 .actor = Actor::api_key(key),
                                 .action = "project_delete",
                                 .object = Object("project", project),
                                 .decision = Decision::refused,
                                 .rule = "scope_missing",
                                 .request = request,
                                 .quantity = 7});
  }));
  const auto stored = records(acme());
  ASSERT_EQ(stored.size(), 1U);
  const auto& record = stored[0];
  EXPECT_EQ(record.node, trail.node().to_string());
  EXPECT_EQ(record.at, clock.now().micros);
  EXPECT_EQ(record.kind, "refusal");
  EXPECT_EQ(record.actor_kind, "api_key");
  EXPECT_EQ(record.actor_id, key.to_string());
  EXPECT_EQ(record.object_id, project.to_string());
  EXPECT_EQ(record.decision, "refused");
  EXPECT_EQ(record.rule, "scope_missing");
  EXPECT_EQ(record.request_id, request.to_string());
  EXPECT_EQ(record.quantity, 7);
}

TEST_P(TrailContract, a_record_goes_with_its_write_or_not_at_all) {
  ASSERT_TRUE(append(acme(), trail, "kept"));
  const auto undone = acme().write_blocking([&](db::TenantWriter& w) -> Result<void> {
    PARLEY_TRY(trail.append(w, entry("undone")));
    return fail(Code::conflict, "changed my mind");
  });
  EXPECT_FALSE(undone);
  ASSERT_TRUE(append(acme(), trail, "after"));
  const auto report = verified(acme());
  EXPECT_TRUE(report.whole());
  EXPECT_EQ(report.records, 2);
}

TEST_P(TrailContract, nodes_have_chains_of_their_own) {
  const Trail other(NodeId(crypto::random_uuid()), clock);
  ASSERT_TRUE(append(acme(), trail, "a"));
  ASSERT_TRUE(append(acme(), other, "b"));
  ASSERT_TRUE(append(acme(), trail, "c"));
  const auto report = verified(acme());
  EXPECT_TRUE(report.whole());
  EXPECT_EQ(report.chains.size(), 2U);
  EXPECT_EQ(report.records, 3);
}

TEST_P(TrailContract, tenants_do_not_see_each_others_chains) {
  const auto head = append(acme(), trail, "a");
  EXPECT_EQ(verified(zeta()).records, 0);
  EXPECT_EQ(verified(zeta(), head->hash).head, HeadVerdict::missing);
  EXPECT_EQ(append(zeta(), trail, "b")->seq, 1);
}

TEST_P(TrailContract, many_writers_at_once_make_one_chain) {
  constexpr int writers = 4;
  constexpr int each = 25;
  std::vector<std::jthread> threads;
  for (int i = 0; i < writers; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < each; ++n) {
        const auto head = append(acme(), trail, "work");
        EXPECT_TRUE(head) << describe_for_operator(head.error());
      }
    });
  }
  threads.clear();
  const auto report = verified(acme());
  EXPECT_TRUE(report.whole());
  EXPECT_EQ(report.records, writers * each);
}

TEST_P(TrailContract, tampering_with_rows_is_found) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(append(acme(), trail, "work"));
  const auto change = [&](const db::Sql& sql) {
    ASSERT_TRUE(acme().write_blocking([&](db::TenantWriter& w) { return w.run(sql); }));
  };
  change("UPDATE trail SET rule = 'another' WHERE seq = 2"_sql);
  EXPECT_EQ(verified(acme()).damage(), Damage::changed);
  EXPECT_EQ(verified(acme()).chains.at(0).broken_at, 2);
  change("UPDATE trail SET rule = 'scope_held' WHERE seq = 2"_sql);
  EXPECT_TRUE(verified(acme()).whole());

  change("UPDATE trail SET seq = CASE WHEN seq = 2 THEN 30 ELSE 20 END WHERE seq IN (2, 3)"_sql);
  change("UPDATE trail SET seq = seq / 10 WHERE seq IN (20, 30)"_sql);
  EXPECT_EQ(verified(acme()).damage(), Damage::reordered);
  change("UPDATE trail SET seq = CASE WHEN seq = 2 THEN 30 ELSE 20 END WHERE seq IN (2, 3)"_sql);
  change("UPDATE trail SET seq = seq / 10 WHERE seq IN (20, 30)"_sql);
  EXPECT_TRUE(verified(acme()).whole());

  change("DELETE FROM trail WHERE seq = 4"_sql);
  EXPECT_EQ(verified(acme()).damage(), Damage::cut_tail);
  change("DELETE FROM trail WHERE seq = 2"_sql);
  EXPECT_EQ(verified(acme()).damage(), Damage::removed);
}

TEST_P(TrailContract, a_restore_goes_on_in_a_new_epoch_that_names_the_lost_head) {
  ASSERT_TRUE(append(acme(), trail, "kept"));
  const auto lost = crypto::sha256("a head from after the backup");
  const auto opened =
      acme().write_blocking([&](db::TenantWriter& w) { return trail.open_epoch(w, lost, Actor::local_user(1000)); });
  ASSERT_TRUE(opened) << describe_for_operator(opened.error());
  ASSERT_EQ(opened->size(), 1U);
  EXPECT_EQ(opened->at(0).epoch, 2);
  ASSERT_TRUE(append(acme(), trail, "after"));
  const auto report = verified(acme(), lost);
  EXPECT_TRUE(report.whole());
  EXPECT_EQ(report.head, HeadVerdict::lost_epoch);
  EXPECT_EQ(report.chains.at(0).epochs, 2);
}

}  // namespace
}  // namespace parley::trail
