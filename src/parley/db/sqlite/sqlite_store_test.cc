#include "parley/db/sqlite/sqlite_store.h"

#include <atomic>
#include <fstream>
#include <latch>
#include <map>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "testing/powercut_vfs.h"
#include "testing/test_store.h"

namespace parley::db::sqlite {
namespace {

namespace fs = std::filesystem;
using ::parley::testing::PowercutVfs;

struct SetClock final : Clock {
  std::atomic<std::int64_t> micros = 1'000'000'000;
  Timestamp now() const override { return {micros}; }
};

std::unique_ptr<SqliteStore> open(SqliteOptions options, const MigrationSet& migrations = test_migrations()) {
  auto store = SqliteStore::open(std::move(options), migrations);
  EXPECT_TRUE(store) << describe_for_operator(store.error());
  return store ? *std::move(store) : nullptr;
}

Result<void> add(const TenantSession& session, std::string id, std::size_t bytes = 0) {
  const std::string filling(bytes, 'x');
  return session.write_blocking([&](TenantWriter& w) -> Result<void> {
    PARLEY_TRY(w.run("INSERT INTO kinds (id, words) VALUES ($1, $2)"_sql, id, filling));
    return {};
  });
}

std::int64_t count(const TenantSession& session) {
  const auto found = session.read_blocking([](TenantReader& r) {
    return r.find("SELECT COUNT(*) FROM kinds"_sql, [](const Row& row) { return row.integer(0); });
  });
  EXPECT_TRUE(found) << describe_for_operator(found.error());
  return found ? found->value_or(-1) : -1;
}

TEST(SqliteStore, keeps_no_more_tenants_open_than_told) {
  const TemporaryFolder folder;
  const auto store = open({.folder = folder.path(), .open_tenants_max = 16});
  std::vector<TenantId> ids;
  for (int i = 0; i < 60; ++i) {
    ids.push_back(random_tenant_id());
    ASSERT_TRUE(store->create_tenant(ids.back()));
  }
  std::vector<int> written(ids.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(static_cast<unsigned>(t));
        for (int i = 0; i < 80; ++i) {
          // Each thread its own fifteen, so that the expected number is known.
          const auto which = t + 4 * (random() % 15);
          EXPECT_TRUE(add(store->tenant(ids[which]), fmt::format("{}-{}", t, i)));
          EXPECT_EQ(count(store->tenant(ids[which])), ++written[which]);
          EXPECT_LE(store->open_tenants(), 16U);
        }
      });
    }
  }
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(count(store->tenant(ids[i])), written[i]);
}

TEST(SqliteStore, closes_tenants_that_nobody_used_for_a_while) {
  const TemporaryFolder folder;
  SetClock clock;
  const auto store = open({.folder = folder.path(), .idle_close = std::chrono::seconds(60), .clock = &clock});
  const auto early = random_tenant_id();
  const auto late = random_tenant_id();
  for (const auto id : {early, late}) ASSERT_TRUE(store->create_tenant(id));
  ASSERT_TRUE(add(store->tenant(early), "1"));
  clock.micros += 59'000'000;
  ASSERT_TRUE(add(store->tenant(late), "1"));
  store->close_idle();
  EXPECT_EQ(store->open_tenants(), 2U);
  clock.micros += 1'000'000;
  // A write returns before its worker has quite ended, and until then the tenant is not idle.
  while (store->open_tenants() != 1) store->close_idle();
  EXPECT_EQ(count(store->tenant(early)), 1);
}

TEST(SqliteStore, tells_of_a_full_disk_and_loses_nothing) {
  const TemporaryFolder folder;
  PowercutVfs vfs("full");
  const auto store = open({.folder = folder.path(), .vfs = vfs.name()});
  const auto tenant = random_tenant_id();
  ASSERT_TRUE(store->create_tenant(tenant));
  const auto session = store->tenant(tenant);
  ASSERT_TRUE(add(session, "before", 30'000));
  vfs.set_full(true);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] {
        const auto refused = add(session, fmt::format("during-{}", i), 30'000);
        EXPECT_FALSE(refused);
        if (!refused) EXPECT_EQ(refused.error().code(), Code::storage_full) << describe_for_operator(refused.error());
      });
    }
  }
  EXPECT_EQ(count(session), 1);
  vfs.set_full(false);
  EXPECT_TRUE(add(session, "after", 30'000));
  EXPECT_EQ(count(session), 2);
}

TEST(SqliteStore, a_damaged_file_is_one_tenants_trouble) {
  const TemporaryFolder folder;
  const auto damaged = random_tenant_id();
  const auto whole = random_tenant_id();
  {
    const auto store = open({.folder = folder.path()});
    for (const auto id : {damaged, whole}) {
      ASSERT_TRUE(store->create_tenant(id));
      ASSERT_TRUE(add(store->tenant(id), "1", 50'000));
    }
  }
  const auto file = folder.path() / "tenants" / damaged.to_string() / "tenant.db";
  const std::string noise(fs::file_size(file) - 200, '\x5a');
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(100) << noise;
  const auto store = open({.folder = folder.path()});
  EXPECT_EQ(add(store->tenant(damaged), "2").error().code(), Code::data_corrupt);
  EXPECT_TRUE(add(store->tenant(whole), "2"));
}

TEST(SqliteStore, finishes_what_a_crash_left_half_made_or_half_removed) {
  const TemporaryFolder folder;
  const auto made = random_tenant_id();
  const auto removed = folder.path() / "tenants" / (".removing-" + random_tenant_id().to_string());
  const auto half = folder.path() / "tenants" / made.to_string();
  fs::create_directories(half);
  fs::create_directories(removed);
  std::ofstream(half / "tenant.db.new") << "half a file";
  std::ofstream(removed / "tenant.db") << "gone";
  const auto store = open({.folder = folder.path()});
  EXPECT_FALSE(fs::exists(removed));
  EXPECT_TRUE(store->tenants().value().empty());
  EXPECT_EQ(add(store->tenant(made), "1").error().code(), Code::not_found);
  EXPECT_TRUE(store->create_tenant(made));
  EXPECT_TRUE(add(store->tenant(made), "1"));
  EXPECT_FALSE(fs::exists(half / "tenant.db.new"));
}

TEST(SqliteStore, one_sync_commits_all_that_waited) {
  asio::io_context io;  // outlives the store, whose workers post to it
  const TemporaryFolder folder;
  PowercutVfs vfs("group");
  const auto store = open({.folder = folder.path(), .vfs = vfs.name()});
  const auto tenant = random_tenant_id();
  ASSERT_TRUE(store->create_tenant(tenant));
  const auto session = store->tenant(tenant);
  constexpr int waiting = 20;
  std::latch queued(waiting);
  std::latch first_runs(1);
  std::jthread first([&] {
    EXPECT_TRUE(session.write_blocking([&](TenantWriter& w) {
      first_runs.count_down();
      queued.wait();
      return w.run("INSERT INTO kinds (id) VALUES ('first')"_sql);
    }));
  });
  first_runs.wait();
  // While the writer is held, reading goes on.
  EXPECT_EQ(count(session), 0);
  int done = 0;
  std::uint64_t before = 0;
  for (int i = 0; i < waiting; ++i) {
    asio::co_spawn(io,
                   session.write([i](TenantWriter& w) { return w.run("INSERT INTO kinds (id) VALUES ($1)"_sql, i); }),
                   [&](std::exception_ptr, const Result<std::int64_t>& result) {
                     EXPECT_TRUE(result);
                     ++done;
                   });
  }
  // Each coroutine runs up to its await: then it is queued.
  for (int i = 0; i < waiting; ++i) io.run_one();
  before = vfs.syncs();
  queued.count_down(waiting);
  io.run();
  EXPECT_EQ(done, waiting);
  first.join();
  EXPECT_EQ(count(session), waiting + 1);
  EXPECT_LE(vfs.syncs() - before, 6U);  // the first alone, then all the others; a new log has two more
}

// What a program does that touches both databases: the intent, the effect, the finish.
void run_intents(SqliteStore& store, const std::vector<TenantId>& ids, const std::atomic<bool>& stop, unsigned seed) {
  std::mt19937 random(seed);
  for (int i = 0; !stop; ++i) {
    const auto id = ids[random() % ids.size()];
    const auto name = fmt::format("{}-{}", seed, i);
    ASSERT_TRUE(store.control().write_blocking(
        [&](ControlWriter& w) { return w.run("INSERT INTO counters (id, value) VALUES ($1, 0)"_sql, name); }));
    ASSERT_TRUE(add(store.tenant(id), name));
    ASSERT_TRUE(store.control().write_blocking(
        [&](ControlWriter& w) { return w.run("UPDATE counters SET value = 1 WHERE id = $1"_sql, name); }));
  }
}

TEST(SqliteStore, a_backup_of_a_busy_store_agrees_with_itself) {
  const TemporaryFolder folder;
  const TemporaryFolder copies;
  const auto store = open({.folder = folder.path()});
  std::vector<TenantId> ids;
  for (int i = 0; i < 8; ++i) {
    ids.push_back(random_tenant_id());
    ASSERT_TRUE(store->create_tenant(ids.back()));
  }
  std::atomic<bool> stop = false;
  std::vector<std::jthread> threads;
  for (unsigned t = 0; t < 4; ++t) threads.emplace_back([&, t] { run_intents(*store, ids, stop, t); });
  for (int round = 0; round < 3; ++round) {
    const auto copy = copies.path() / std::to_string(round);
    const auto backed_up = store->backup_to(copy);
    EXPECT_TRUE(backed_up) << describe_for_operator(backed_up.error());
    EXPECT_EQ(store->backup_to(copy).error().code(), Code::invalid_argument);
  }
  stop = true;
  threads.clear();
  for (int round = 0; round < 3; ++round) {
    const auto restored = open({.folder = copies.path() / std::to_string(round)});
    std::map<std::string, std::int64_t> intents;
    ASSERT_TRUE(restored->control().read_blocking([&](ControlReader& r) {
      return r.each("SELECT id, value FROM counters"_sql,
                    [&](const Row& row) { intents[std::string(row.text(0))] = row.integer(1); });
    }));
    std::set<std::string> effects;
    for (const auto id : ids) {
      ASSERT_TRUE(restored->tenant(id).read_blocking([&](TenantReader& r) {
        return r.each("SELECT id FROM kinds"_sql, [&](const Row& row) { effects.insert(std::string(row.text(0))); });
      }));
    }
    for (const auto& effect : effects) EXPECT_TRUE(intents.contains(effect)) << effect << " has no intent";
    for (const auto& [name, finished] : intents) {
      if (finished == 1) EXPECT_TRUE(effects.contains(name)) << name << " is finished without effect";
    }
    EXPECT_TRUE(add(restored->tenant(ids[0]), "after the restore"));
  }
}

TEST(SqliteStore, a_failed_migration_leaves_the_file_as_it_was) {
  const TemporaryFolder folder;
  const auto tenant = random_tenant_id();
  {
    const auto store = open({.folder = folder.path()});
    ASSERT_TRUE(store->create_tenant(tenant));
    ASSERT_TRUE(add(store->tenant(tenant), "1"));
  }
  auto wrong = test_migrations();
  wrong.tenant.push_back(migration_of("0002_wrong.sql", R"(-- oldest: 0.1.0
-- @all
CREATE TABLE half (id TEXT PRIMARY KEY);
CREATE TABLE half (id TEXT PRIMARY KEY);
)"));
  {
    const auto store = open({.folder = folder.path()}, wrong);
    const auto outcome = add(store->tenant(tenant), "2");
    EXPECT_EQ(outcome.error().code(), Code::internal);
    EXPECT_NE(outcome.error().operator_detail().find("0002_wrong"), std::string::npos);
  }
  const auto store = open({.folder = folder.path()});
  EXPECT_TRUE(add(store->tenant(tenant), "2"));
  EXPECT_FALSE(store->tenant(tenant).read_blocking(
      [](TenantReader& r) { return r.each("SELECT 1 FROM half"_sql, [](const Row&) {}); }));
}

}  // namespace
}  // namespace parley::db::sqlite
