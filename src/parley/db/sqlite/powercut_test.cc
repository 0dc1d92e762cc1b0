// Whatever a write was told is durable is there after the power went, wherever it went.
#include <atomic>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "parley/db/sqlite/sqlite_store.h"
#include "testing/powercut_vfs.h"
#include "testing/test_store.h"

namespace parley::db::sqlite {
namespace {

using ::parley::testing::PowercutVfs;

constexpr int writers = 4;

struct Told {
  std::mutex mutex;
  std::set<std::string> durable;
};

std::set<std::string> note_ids(const TenantSession& session) {
  const auto ids = session.read_blocking([](TenantReader& r) {
    return r.all("SELECT id FROM kinds"_sql, [](const Row& row) { return std::string(row.text(0)); });
  });
  EXPECT_TRUE(ids) << describe_for_operator(ids.error());
  return ids ? std::set(ids->begin(), ids->end()) : std::set<std::string>();
}

std::string integrity(const TenantSession& session) {
  const auto found = session.read_blocking([](TenantReader& r) {
    return r.find("PRAGMA integrity_check"_sql, [](const Row& row) { return std::string(row.text(0)); });
  });
  return found ? found->value_or("nothing") : describe_for_operator(found.error());
}

void write_until_cut(SqliteStore& store, TenantId tenant, PowercutVfs& vfs, Told& told, int round, int writer) {
  std::mt19937 random(static_cast<unsigned>(round * writers + writer));
  const auto session = store.tenant(tenant);
  for (int i = 0; !vfs.is_cut(); ++i) {
    const auto id = fmt::format("{}-{}-{}", round, writer, i);
    const std::string bytes(random() % 20'000, static_cast<char>(random()));
    const auto written = session.write_blocking([&](TenantWriter& w) -> Result<void> {
      PARLEY_TRY(w.run("INSERT INTO kinds (id, bytes) VALUES ($1, $2)"_sql, id, Blob{bytes}));
      // Rows go as well, so that pages are freed, reused and overwritten.
      PARLEY_TRY(
          w.run("UPDATE kinds SET bytes = NULL WHERE id = $1"_sql, fmt::format("{}-{}-{}", round, writer, i - 3)));
      return {};
    });
    if (written) {
      const std::lock_guard lock(told.mutex);
      told.durable.insert(id);
    }
    // Closing copies the log into the file and deletes it.
    if (writer == 0 && random() % 16 == 0) store.close_idle();
  }
}

void run_rounds(PowercutVfs::Unsynced unsynced, int rounds) {
  const TemporaryFolder folder;
  PowercutVfs vfs("powercut");
  const auto tenant = random_tenant_id();
  {
    const auto store = SqliteStore::open({.folder = folder.path()}, test_migrations());
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->create_tenant(tenant));
  }
  std::mt19937_64 random(7);
  Told told;
  for (int round = 0; round < rounds; ++round) {
    {
      auto store = SqliteStore::open(
          {.folder = folder.path(), .idle_close = std::chrono::seconds(0), .vfs = vfs.name()}, test_migrations());
      ASSERT_TRUE(store) << describe_for_operator(store.error());
      const auto there = note_ids((*store)->tenant(tenant));
      for (const auto& id : told.durable) ASSERT_TRUE(there.contains(id)) << id << " was lost before round " << round;
      ASSERT_EQ(integrity((*store)->tenant(tenant)), "ok") << "round " << round;
      vfs.cut_after(random() % (round % 4 == 0 ? 4000 : 200));
      std::vector<std::jthread> threads;
      for (int writer = 0; writer < writers; ++writer) {
        threads.emplace_back([&, writer] { write_until_cut(**store, tenant, vfs, told, round, writer); });
      }
    }
    vfs.restore(unsynced, random());
  }
  EXPECT_GT(told.durable.size(), static_cast<std::size_t>(rounds));
}

TEST(PowerCut, loses_no_acknowledged_write_when_all_that_was_not_synced_is_gone) {
  run_rounds(PowercutVfs::Unsynced::lost, 40);
}

TEST(PowerCut, loses_no_acknowledged_write_when_a_torn_part_of_the_rest_is_left) {
  run_rounds(PowercutVfs::Unsynced::random_part, 40);
}

// The rounds above would show nothing if the model kept what it should lose.
TEST(PowerCut, does_lose_what_was_never_synced) {
  const TemporaryFolder folder;
  PowercutVfs vfs("powercut");
  const auto tenant = random_tenant_id();
  {
    auto store = SqliteStore::open({.folder = folder.path(), .vfs = vfs.name()}, test_migrations());
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->create_tenant(tenant));
    const auto session = (*store)->tenant(tenant);
    ASSERT_TRUE(
        session.write_blocking([](TenantWriter& w) { return w.run("INSERT INTO kinds (id) VALUES ('kept')"_sql); }));
    const auto lost = session.write_blocking([&](TenantWriter& w) -> Result<void> {
      PARLEY_TRY(w.run("INSERT INTO kinds (id) VALUES ('lost')"_sql));
      vfs.cut();
      return {};
    });
    EXPECT_EQ(lost.error().code(), Code::unavailable);
  }
  vfs.restore(PowercutVfs::Unsynced::lost, 1);
  auto store = SqliteStore::open({.folder = folder.path(), .vfs = vfs.name()}, test_migrations());
  ASSERT_TRUE(store);
  EXPECT_EQ(note_ids((*store)->tenant(tenant)), std::set<std::string>{"kept"});
}

}  // namespace
}  // namespace parley::db::sqlite
