#include "testing/test_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <random>

namespace parley::db {
namespace {

/// A store whose one migration drops everything, itself included: the way to an empty database without a client of its
/// own.
Result<void> clear_postgres() {
  MigrationSet nothing{.program_version = "9999.0.0"};
  // Another number each time: a migration runs once.
  nothing.control.push_back({.number = static_cast<int>(std::random_device()() % 1'000'000'000) + 10'000,
                             .name = "9998_clear",
                             .oldest = "0.0.0",
                             .postgres =
                                 "DROP SCHEMA tenant CASCADE; CREATE SCHEMA tenant;"
                                 "DO $$ DECLARE t record; BEGIN FOR t IN SELECT relname FROM pg_class WHERE"
                                 " relnamespace = 'control'::regnamespace AND relkind = 'r' LOOP"
                                 " IF t.relname = 'parley_migrations' THEN DELETE FROM control.parley_migrations;"
                                 " ELSIF t.relname = 'parley_tenants' THEN DELETE FROM control.parley_tenants;"
                                 " ELSE EXECUTE format('DROP TABLE control.%I CASCADE', t.relname); END IF;"
                                 " END LOOP; END $$"});
  PARLEY_TRY(open_postgres({.connection = Secret(std::getenv("PARLEY_TEST_POSTGRES")), .connections = 2}, nothing));
  return {};
}

}  // namespace

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

TestStore::Turn::~Turn() {
  if (fd >= 0) ::close(fd);
}

TestStore::TestStore(Engine engine) : engine_(engine) {
  if (engine != Engine::postgres) return;
  const auto name =
      fmt::format("parley_test_postgres_{:x}.lock", std::hash<std::string_view>()(std::getenv("PARLEY_TEST_POSTGRES")));
  const auto path = std::filesystem::temp_directory_path() / name;
  turn_.fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (turn_.fd < 0 || ::flock(turn_.fd, LOCK_EX) != 0) std::abort();
}

bool TestStore::available(Engine engine) {
  return engine == Engine::sqlite || std::getenv("PARLEY_TEST_POSTGRES") != nullptr;
}

Result<std::unique_ptr<TestStore>> TestStore::open(Engine engine, MigrationSet migrations) {
  if (!available(engine)) return fail(Code::unsupported, "that engine cannot be tried here", why_not);
  std::unique_ptr<TestStore> test_store(new TestStore(engine));
  if (engine == Engine::postgres) PARLEY_TRY(clear_postgres());
  PARLEY_TRY(test_store->reopen(migrations));
  return test_store;
}

Result<void> TestStore::reopen(const MigrationSet& migrations, Migrate migrate) {
  close();
  if (engine_ == Engine::sqlite) {
    store_ = PARLEY_TRY(open_sqlite({.folder = folder(), .migrate = migrate}, migrations));
  } else {
    store_ = PARLEY_TRY(open_postgres(
        {.connection = Secret(std::getenv("PARLEY_TEST_POSTGRES")), .connections = 6, .migrate = migrate}, migrations));
  }
  return {};
}

}  // namespace parley::db
