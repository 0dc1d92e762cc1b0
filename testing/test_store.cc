#include "testing/test_store.h"

#include <cstdlib>
#include <random>

namespace parley::db {

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "parley_db_XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

TenantId random_tenant_id() {
  std::random_device source;
  std::array<std::uint8_t, 16> bytes;
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(source());
  return TenantId(Uuid(bytes));
}

Migration migration_of(std::string_view file_name, std::string_view text) {
  auto migration = parse_migration(file_name, text);
  if (!migration) {
    fmt::print(stderr, "{}\n", describe_for_operator(migration.error()));
    std::abort();
  }
  return *std::move(migration);
}

MigrationSet test_migrations() {
  MigrationSet set{.program_version = "0.1.0"};
  set.control.push_back(migration_of("0001_slugs.sql", R"(-- oldest: 0.1.0
-- @all
CREATE TABLE slugs (slug TEXT PRIMARY KEY, tenant TEXT NOT NULL);
CREATE TABLE counters (id TEXT PRIMARY KEY, value BIGINT NOT NULL);
)"));
  set.tenant.push_back(migration_of("0001_notes.sql", R"(-- oldest: 0.1.0
-- @all
CREATE TABLE projects (
  {tenant_column}
  id TEXT NOT NULL,
  slug TEXT NOT NULL,
  PRIMARY KEY ({tenant}id),
  UNIQUE ({tenant}slug)
);
CREATE TABLE notes (
  {tenant_column}
  id TEXT NOT NULL,
  project_id TEXT NOT NULL,
  words TEXT NOT NULL,
  PRIMARY KEY ({tenant}id),
  FOREIGN KEY ({tenant}project_id) REFERENCES projects ({tenant}id)
);
CREATE TABLE kinds (
  {tenant_column}
  id TEXT NOT NULL,
  number BIGINT,
  fraction DOUBLE PRECISION,
  words TEXT,
  bytes {blob},
  at BIGINT,
  empty_words TEXT,
  absent TEXT,
  PRIMARY KEY ({tenant}id)
);
)"));
  return set;
}

Result<std::unique_ptr<TestStore>> TestStore::open(Engine engine, MigrationSet migrations) {
  std::unique_ptr<TestStore> test_store(new TestStore(engine));
  if (engine == Engine::postgres && std::getenv("PARLEY_TEST_POSTGRES") == nullptr) {
    return fail(Code::unsupported, "PARLEY_TEST_POSTGRES names no server; `scripts/lib/postgres start` makes one");
  }
  PARLEY_TRY(test_store->reopen(migrations));
  return test_store;
}

Result<void> TestStore::reopen(const MigrationSet& migrations, Migrate migrate) {
  close();
  if (engine_ == Engine::sqlite) {
    store_ = PARLEY_TRY(open_sqlite({.folder = folder(), .migrate = migrate}, migrations));
  } else {
    return fail(Code::unsupported, "not yet");
  }
  return {};
}

}  // namespace parley::db
