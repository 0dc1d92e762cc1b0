// What PostgreSQL itself must refuse, tried past the store on a connection of the application's role.
#include <cstdlib>
#include <deque>

#include <gtest/gtest.h>

#include "parley/db/postgres/connection.h"
#include "parley/db/postgres/schema.h"
#include "testing/test_store.h"

namespace parley::db::postgres {
namespace {

class PostgresStore : public testing::Test {
 protected:
  void SetUp() override {
    if (!TestStore::available(Engine::postgres)) GTEST_SKIP() << TestStore::why_not;
    auto opened = TestStore::open(Engine::postgres);
    ASSERT_TRUE(opened) << describe_for_operator(opened.error());
    test_store_ = *std::move(opened);
    for (const auto id : {acme_id_, zeta_id_}) {
      ASSERT_TRUE(test_store_->store().create_tenant(id));
      const auto written = test_store_->store().tenant(id).write_blocking([](TenantWriter& w) -> Result<void> {
        PARLEY_TRY(w.run("INSERT INTO projects (id, slug) VALUES ('p', 'docs')"_sql));
        PARLEY_TRY(w.run("INSERT INTO notes (id, project_id, words) VALUES ('n', 'p', 'x')"_sql));
        return {};
      });
      ASSERT_TRUE(written) << describe_for_operator(written.error());
    }
    auto connected = Connection::open(Secret(std::getenv("PARLEY_TEST_POSTGRES")));
    ASSERT_TRUE(connected) << describe_for_operator(connected.error());
    raw_ = *std::move(connected);
  }

  std::int64_t number(const std::string& query) {
    std::int64_t value = -1;
    const Statements::OnRow read = [&](const Row& row) {
      value = row.integer(0);
      return false;
    };
    kept_.push_back(query);
    const auto ran = raw_->execute(kept_.back(), {}, &read);
    EXPECT_TRUE(ran) << describe_for_operator(ran.error());
    return value;
  }
  bool refused(const std::string& statement) {
    const auto ran = raw_->run_script(statement);
    raw_->roll_back();
    return !ran;
  }

  std::unique_ptr<TestStore> test_store_;
  std::unique_ptr<Connection> raw_;
  std::deque<std::string> kept_;
  const TenantId acme_id_ = random_tenant_id();
  const TenantId zeta_id_ = random_tenant_id();
};

TEST_F(PostgresStore, without_a_tenant_every_tenant_table_is_empty_and_takes_nothing) {
  const auto nothing_there = [&] {
    for (const auto* table : {"projects", "notes", "kinds"}) {
      EXPECT_EQ(number(fmt::format("SELECT COUNT(*) FROM tenant.{}", table)), 0);
      EXPECT_EQ(
          number(fmt::format("WITH gone AS (DELETE FROM tenant.{} RETURNING 1) SELECT COUNT(*) FROM gone", table)), 0);
    }
    EXPECT_TRUE(refused("INSERT INTO tenant.projects (id, slug) VALUES ('q', 'q')"));
    EXPECT_TRUE(refused("INSERT INTO tenant.projects (tenant_id, id, slug) VALUES ('', 'q', 'q')"));
    EXPECT_TRUE(
        refused("INSERT INTO tenant.projects (tenant_id, id, slug) VALUES ('" + acme_id_.to_string() + "', 'q', 'q')"));
  };
  nothing_there();
  // After a transaction that set one, the setting reads as the empty string: that must be nobody as well.
  ASSERT_TRUE(raw_->run_script("BEGIN; SET LOCAL parley.tenant = '" + acme_id_.to_string() + "'"));
  EXPECT_EQ(number("SELECT COUNT(*) FROM tenant.notes WHERE id = 'n'"), 1);
  ASSERT_TRUE(raw_->run_script("COMMIT"));
  nothing_there();
  ASSERT_TRUE(raw_->run_script("SET parley.tenant = ''"));
  nothing_there();
}

TEST_F(PostgresStore, with_a_tenant_another_can_be_neither_named_nor_moved_to) {
  const auto acme = "BEGIN; SET LOCAL parley.tenant = '" + acme_id_.to_string() + "'; ";
  EXPECT_TRUE(refused(acme + "INSERT INTO tenant.projects (tenant_id, id, slug) VALUES ('" + zeta_id_.to_string() +
                      "', 'q', 'q')"));
  EXPECT_TRUE(refused(acme + "UPDATE tenant.projects SET tenant_id = '" + zeta_id_.to_string() + "'"));
  ASSERT_TRUE(raw_->run_script(acme));
  EXPECT_EQ(number("SELECT COUNT(*) FROM tenant.projects WHERE tenant_id = '" + zeta_id_.to_string() + "'"), 0);
  EXPECT_EQ(number("SELECT COUNT(*) FROM tenant.projects"), 1);
  raw_->roll_back();
}

TEST_F(PostgresStore, a_migration_that_leaves_a_hole_is_refused_whole) {
  for (const auto* hole : {
           "CREATE TABLE open (id TEXT PRIMARY KEY);",
           "CREATE TABLE open (tenant_id TEXT NOT NULL, id TEXT, PRIMARY KEY (tenant_id, id));",
           "CREATE TABLE open ({tenant_column} id TEXT PRIMARY KEY);",
           "CREATE TABLE open ({tenant_column} id TEXT, PRIMARY KEY (id, tenant_id));",
           "CREATE TABLE open ({tenant_column} id TEXT, slug TEXT UNIQUE, PRIMARY KEY ({tenant}id));",
           "CREATE TABLE open ({tenant_column} id TEXT, PRIMARY KEY ({tenant}id)); CREATE UNIQUE INDEX i ON open (id);",
           "CREATE TABLE open ({tenant_column} id TEXT, p TEXT, PRIMARY KEY ({tenant}id));"
           "ALTER TABLE projects ADD COLUMN loose TEXT; CREATE UNIQUE INDEX i ON projects ({tenant}loose);"
           "ALTER TABLE open ADD FOREIGN KEY (p, tenant_id) REFERENCES projects (id, tenant_id);",
           "CREATE TABLE open ({tenant_column} id TEXT, PRIMARY KEY ({tenant}id));"
           "CREATE POLICY everyone ON open USING (true);",
           "CREATE VIEW open AS SELECT id FROM notes;",
           "CREATE MATERIALIZED VIEW open AS SELECT id FROM notes;",
           "CREATE TABLE open ({tenant_column} id TEXT, PRIMARY KEY ({tenant}id)) PARTITION BY LIST (tenant_id);",
       }) {
    auto set = test_migrations();
    set.tenant.push_back(migration_of("0002_hole.sql", std::string("-- oldest: 0.1.0\n-- @all\n") + hole));
    const auto outcome = test_store_->reopen(set);
    ASSERT_FALSE(outcome) << hole;
    EXPECT_EQ(outcome.error().code(), Code::internal) << describe_for_operator(outcome.error());
    EXPECT_EQ(number("SELECT COUNT(*) FROM pg_class WHERE relname = 'open'"), 0) << hole;
  }
  EXPECT_TRUE(test_store_->reopen(test_migrations()));
}

TEST_F(PostgresStore, walls_that_somebody_took_down_keep_the_program_from_starting) {
  ASSERT_TRUE(raw_->run_script("ALTER TABLE tenant.notes NO FORCE ROW LEVEL SECURITY"));
  const auto outcome = test_store_->reopen(test_migrations(), Migrate::on_request);
  EXPECT_EQ(outcome.error().code(), Code::internal);
  EXPECT_NE(outcome.error().operator_detail().find("notes is without forced"), std::string::npos);
}

TEST_F(PostgresStore, a_role_that_row_level_security_does_not_bind_is_refused) {
  std::string superuser = std::getenv("PARLEY_TEST_POSTGRES");
  const auto at = superuser.find("user=parley_app");
  if (at == superuser.npos) GTEST_SKIP() << "only on a cluster of scripts/lib/postgres, whose superuser is known";
  superuser.replace(at, 15, "user=postgres");
  const auto opened = open_postgres({.connection = Secret(superuser), .connections = 2}, test_migrations());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::permission_denied) << describe_for_operator(opened.error());
}

TEST_F(PostgresStore, connections_that_the_server_closed_are_replaced) {
  auto session = test_store_->store().tenant(acme_id_);
  ASSERT_EQ(number("SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity"
                   " WHERE usename = current_user AND pid <> pg_backend_pid() AND datname = current_database()") > 0,
            true);
  EXPECT_TRUE(
      session.read_blocking([](TenantReader& r) { return r.each("SELECT 1 FROM notes"_sql, [](const Row&) {}); }));
  number(
      "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity"
      " WHERE usename = current_user AND pid <> pg_backend_pid() AND datname = current_database() AND 1 = 1");
  const auto written =
      session.write_blocking([](TenantWriter& w) { return w.run("UPDATE notes SET words = 'y'"_sql); });
  ASSERT_TRUE(written) << describe_for_operator(written.error());
  EXPECT_EQ(*written, 1);
}

}  // namespace
}  // namespace parley::db::postgres
