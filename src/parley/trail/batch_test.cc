#include <gtest/gtest.h>

#include "parley/crypto/random.h"
#include "parley/trail/batch.h"
#include "parley/trail/verify.h"
#include "testing/test_store.h"
#include "testing/wait.h"

namespace parley::trail {
namespace {

using namespace db::literals;

Entry read_of(Literal action) {
  return {.kind = Kind::read,
          .actor = Actor::program(),
          .action = action,
          .object = Object("project"),
          .rule = "scope_held",
          .request = {}};
}

class BatchContract : public testing::TestWithParam<db::Engine> {
 protected:
  void SetUp() override {
    auto opened = db::TestStore::open(GetParam(), db::compiled_migrations());
    if (!opened) GTEST_SKIP() << describe_for_operator(opened.error());
    test_store_ = *std::move(opened);
    ASSERT_TRUE(store().create_tenant(acme));
  }
  db::Store& store() { return test_store_->store(); }
  std::vector<StoredRecord> records() {
    return store().tenant(acme).read_blocking([](db::TenantReader& r) { return list_records(r, 5'000); }).value();
  }
  std::int64_t markers() {
    return store()
        .control()
        .read_blocking([](db::ControlReader& r) {
          return r.find("SELECT count(*) FROM trail_open_batches"_sql,
                        [](const db::Row& row) { return row.integer(0); });
        })
        .value()
        .value_or(-1);
  }
  bool whole() {
    return store().tenant(acme).read_blocking([](db::TenantReader& r) { return verify(r); }).value().whole();
  }

  std::unique_ptr<db::TestStore> test_store_;
  const TenantId acme = db::random_tenant_id();
  ManualClock clock;
  const Trail trail{NodeId(crypto::random_uuid()), clock};
};

INSTANTIATE_TEST_SUITE_P(engines, BatchContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         [](const auto& p) { return p.param == db::Engine::sqlite ? "sqlite" : "postgres"; });

TEST_P(BatchContract, reads_are_written_together_with_the_time_they_happened_at) {
  TrailBatch batch(store(), trail, clock);
  ASSERT_TRUE(wait(batch.note(acme, read_of("one"))));
  clock.advance(std::chrono::milliseconds(300));
  ASSERT_TRUE(wait(batch.note(acme, read_of("two"))));
  EXPECT_TRUE(records().empty());
  ASSERT_TRUE(wait(batch.flush()));
  const auto written = records();
  ASSERT_EQ(written.size(), 2U);
  EXPECT_EQ(written[0].action, "two");
  EXPECT_EQ(written[0].at - written[1].at, 300'000);
  EXPECT_TRUE(whole());
}

TEST_P(BatchContract, a_crash_with_reads_held_back_leaves_a_gap_record) {
  const auto opened_at = clock.now();
  {
    TrailBatch batch(store(), trail, clock);
    ASSERT_TRUE(wait(batch.note(acme, read_of("lost"))));
    EXPECT_EQ(markers(), 1);
  }
  clock.advance(std::chrono::hours(1));
  TrailBatch batch(store(), trail, clock);
  EXPECT_EQ(wait(batch.record_gaps()).value(), 1);
  const auto written = records();
  ASSERT_EQ(written.size(), 1U);
  EXPECT_EQ(written[0].kind, "gap");
  EXPECT_EQ(written[0].quantity, opened_at.micros);
  EXPECT_EQ(markers(), 0);
  EXPECT_EQ(wait(batch.record_gaps()).value(), 0);
  EXPECT_TRUE(whole());
}

TEST_P(BatchContract, closing_leaves_no_gap) {
  {
    TrailBatch batch(store(), trail, clock);
    ASSERT_TRUE(wait(batch.note(acme, read_of("one"))));
    ASSERT_TRUE(wait(batch.close()));
  }
  EXPECT_EQ(markers(), 0);
  EXPECT_EQ(records().size(), 1U);
}

TEST_P(BatchContract, a_quiet_tenant_is_closed_and_opened_again) {
  TrailBatch batch(store(), trail, clock);
  ASSERT_TRUE(wait(batch.note(acme, read_of("one"))));
  ASSERT_TRUE(wait(batch.flush()));
  EXPECT_EQ(markers(), 1);
  clock.advance(batch_idle_close + std::chrono::seconds(1));
  ASSERT_TRUE(wait(batch.flush()));
  EXPECT_EQ(markers(), 0);
  ASSERT_TRUE(wait(batch.note(acme, read_of("two"))));
  EXPECT_EQ(markers(), 1);
}

TEST_P(BatchContract, a_full_batch_writes_itself_out) {
  TrailBatch batch(store(), trail, clock);
  for (std::size_t i = 0; i <= batch_entries_max; ++i) ASSERT_TRUE(wait(batch.note(acme, read_of("one"))));
  EXPECT_EQ(records().size(), batch_entries_max);
  ASSERT_TRUE(wait(batch.close()));
  EXPECT_EQ(records().size(), batch_entries_max + 1);
}

TEST_P(BatchContract, reads_of_a_removed_tenant_are_dropped) {
  TrailBatch batch(store(), trail, clock);
  ASSERT_TRUE(wait(batch.note(acme, read_of("one"))));
  ASSERT_TRUE(store().remove_tenant(acme));
  EXPECT_TRUE(wait(batch.close()));
  EXPECT_EQ(markers(), 0);
}

TEST_P(BatchContract, anonymous_refusals_add_up_by_minute_and_rule) {
  RefusalCounters counters(store().control(), trail.node(), clock);
  for (int i = 0; i < 3; ++i) counters.count("credentials_missing");
  counters.count("origin_unknown");
  ASSERT_TRUE(wait(counters.flush()));
  counters.count("credentials_missing");
  ASSERT_TRUE(wait(counters.flush()));
  clock.advance(std::chrono::minutes(1));
  counters.count("credentials_missing");
  ASSERT_TRUE(wait(counters.flush()));
  const auto rows = store().control().read_blocking([](db::ControlReader& r) {
    return r.all("SELECT rule, count FROM anonymous_refusals ORDER BY minute, rule"_sql,
                 [](const db::Row& row) { return std::string(row.text(0)) + " " + std::to_string(row.integer(1)); });
  });
  EXPECT_EQ(rows.value(),
            (std::vector<std::string>{"credentials_missing 4", "origin_unknown 1", "credentials_missing 1"}));
}

}  // namespace
}  // namespace parley::trail
