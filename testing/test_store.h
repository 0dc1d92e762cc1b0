#pragma once

#include <filesystem>
#include <memory>

#include "parley/db/store.h"

namespace parley::db {

/// A folder that goes with the value.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

TenantId random_tenant_id();

/// One migration from text; aborts if it does not parse.
Migration migration_of(std::string_view file_name, std::string_view text);

/// Tables to try a store on. control: slugs, counters. tenant: projects, notes (which belong to projects), kinds.
MigrationSet test_migrations();

/// A store with those tables on an engine: SQLite in a folder of its own, PostgreSQL in the database that
/// PARLEY_TEST_POSTGRES names, whose schemas it clears first. That database is one test's at a time, whatever else
/// runs: the next waits; so a test must not hold two.
class TestStore {
 public:
  /// Whether an engine can be tried here: `if (!TestStore::available(engine)) GTEST_SKIP() << TestStore::why_not;`
  static bool available(Engine engine);
  static constexpr const char* why_not =
      "PARLEY_TEST_POSTGRES names no server: export PARLEY_TEST_POSTGRES=\"$(scripts/lib/postgres start)\"";

  /// Empty, with these migrations: a repository's own suite passes compiled_migrations().
  static Result<std::unique_ptr<TestStore>> open(Engine engine, MigrationSet migrations = test_migrations());

  Store& store() { return *store_; }
  const std::filesystem::path& folder() const { return folder_.path(); }
  void close() { store_.reset(); }
  Result<void> reopen(const MigrationSet& migrations, Migrate migrate = Migrate::at_opening);

 private:
  explicit TestStore(Engine engine);

  /// A lock on a file, held while the value lives.
  struct Turn {
    int fd = -1;
    ~Turn();
  };

  Engine engine_;
  Turn turn_;
  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
};

}  // namespace parley::db
