// What PostgreSQL itself must refuse, tried past the store on a connection of the application's role.
#include <cstdlib>
#include <deque>
#include <map>

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

/// The program's own tables, each with a row of one tenant's; asked by raw SQL on the application's role.
class PostgresWalls : public testing::Test {
 protected:
  void SetUp() override {
    if (!TestStore::available(Engine::postgres)) GTEST_SKIP() << TestStore::why_not;
    auto opened = TestStore::open(Engine::postgres, compiled_migrations());
    ASSERT_TRUE(opened) << describe_for_operator(opened.error());
    test_store_ = *std::move(opened);
    for (const auto id : {acme_, zeta_}) ASSERT_TRUE(test_store_->store().create_tenant(id));
    connect();
    tables_ = texts("SELECT relname::text FROM pg_class WHERE relnamespace = 'tenant'::regnamespace AND relkind = 'r'");
    ASSERT_GE(tables_.size(), 8U) << "where have the tables gone?";
    // So that a row can stand alone, whatever it would have to point at.
    for (const auto& drop : texts("SELECT format('ALTER TABLE tenant.%I DROP CONSTRAINT %I', t.relname, c.conname)"
                                  " FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid"
                                  " WHERE c.contype = 'f' AND t.relnamespace = 'tenant'::regnamespace"))
      ASSERT_TRUE(raw_->run_script(drop)) << drop;
    for (const auto& table : tables_) {
      const auto insert = as(acme_) + insert_into(table) + "; COMMIT";
      ASSERT_TRUE(raw_->run_script(insert)) << "no row can be made for " << table << ": " << insert;
    }
  }

  void connect() {
    auto connected = Connection::open(Secret(std::getenv("PARLEY_TEST_POSTGRES")));
    ASSERT_TRUE(connected) << describe_for_operator(connected.error());
    raw_ = *std::move(connected);
  }
  std::vector<std::string> texts(std::string query) {
    std::vector<std::string> found;
    const Statements::OnRow read = [&](const Row& row) {
      found.emplace_back(row.text(0));
      return true;
    };
    kept_.push_back(std::move(query));
    const auto ran = raw_->execute(kept_.back(), {}, &read);
    EXPECT_TRUE(ran) << kept_.back() << ": " << describe_for_operator(ran.error());
    return found;
  }
  std::string text(std::string query) {
    const auto found = texts(std::move(query));
    return found.size() == 1 ? found.front() : "not one row";
  }
  std::string count(const std::string& table) {
    return text(fmt::format("SELECT COUNT(*)::text FROM tenant.{}", table));
  }
  bool refused(const std::string& script) {
    const bool ran = raw_->run_script(script).has_value();
    raw_->roll_back();
    return !ran;
  }

  static std::string as(TenantId tenant) {
    return fmt::format("BEGIN; SET LOCAL parley.tenant = '{}'; ", tenant.to_string());
  }
  static std::string quoted(TenantId tenant) { return "'" + tenant.to_string() + "'"; }

  /// An INSERT with a value of its type for every column. `tenant` is what stands for tenant_id; empty: its default.
  std::string insert_into(const std::string& table, const std::string& tenant = {}) {
    const std::map<std::string, std::string, std::less<>> values{
        {"text", "'x'"}, {"bigint", "1"}, {"bytea", "'x'::bytea"}, {"double precision", "0.5"}};
    std::string names, row;
    for (const auto& column : texts(fmt::format(
             "SELECT quote_ident(attname) || ' ' || format_type(atttypid, NULL) FROM pg_attribute WHERE attnum > 0"
             " AND attrelid = 'tenant.{}'::regclass AND NOT attisdropped AND attname <> 'tenant_id'",
             table))) {
      const auto blank = column.find(' ');
      const auto value = values.find(column.substr(blank + 1));
      EXPECT_NE(value, values.end()) << "which value has " << table << "." << column << "?";
      names += column.substr(0, blank) + ", ";
      row += (value == values.end() ? "NULL" : value->second) + ", ";
    }
    if (!tenant.empty()) {
      names += "tenant_id, ";
      row += tenant + ", ";
    }
    names.resize(names.size() - 2);
    row.resize(row.size() - 2);
    return fmt::format("INSERT INTO tenant.{} ({}) VALUES ({})", table, names, row);
  }

  /// How somebody without a tenant gets at a table, one line for each way. Empty if it is closed.
  std::vector<std::string> ways_into(const std::string& table) {
    std::vector<std::string> ways;
    const auto acme = quoted(acme_);
    for (const std::string& from :
         {fmt::format("SELECT 1 FROM tenant.{}", table),
          fmt::format("SELECT 1 FROM tenant.{} WHERE tenant_id = {}", table, acme),
          fmt::format("SELECT 1 FROM tenant.{} WHERE tenant_id = '' OR tenant_id IS NULL", table),
          fmt::format("UPDATE tenant.{} SET tenant_id = tenant_id RETURNING 1", table),
          fmt::format("UPDATE tenant.{} SET tenant_id = tenant_id WHERE tenant_id = {} RETURNING 1", table, acme),
          fmt::format("DELETE FROM tenant.{} WHERE tenant_id = {} RETURNING 1", table, acme),
          fmt::format("DELETE FROM tenant.{} RETURNING 1", table)}) {
      const auto rows = text(fmt::format("WITH t AS ({}) SELECT COUNT(*)::text FROM t", from));
      if (rows != "0") ways.push_back(from + ": " + rows);
    }
    for (const std::string tenant : {"", "''", "NULL", "' '", "DEFAULT", acme.c_str()})
      if (!refused(insert_into(table, tenant))) ways.push_back(fmt::format("insert into {} as {}", table, tenant));
    return ways;
  }

  std::unique_ptr<TestStore> test_store_;
  std::unique_ptr<Connection> raw_;
  std::deque<std::string> kept_;  ///< statements are known by the address of their text
  std::vector<std::string> tables_;
  const TenantId acme_ = random_tenant_id();
  const TenantId zeta_ = random_tenant_id();
};

TEST_F(PostgresWalls, without_a_tenant_every_table_of_the_program_is_empty_and_takes_nothing) {
  const auto all_closed = [&](const char* when) {
    for (const auto& table : tables_) EXPECT_EQ(ways_into(table), std::vector<std::string>()) << when;
  };
  const auto setting = [&] { return text("SELECT coalesce(current_setting('parley.tenant', true), 'null')"); };
  connect();
  EXPECT_EQ(setting(), "null");
  all_closed("on a connection that never had a tenant");
  ASSERT_TRUE(raw_->run_script(as(acme_) + "COMMIT"));
  EXPECT_EQ(setting(), "");
  all_closed("after a SET LOCAL, which leaves the empty text");
  ASSERT_TRUE(raw_->run_script("SET parley.tenant = ''"));
  all_closed("set to the empty text");
  ASSERT_TRUE(raw_->run_script("RESET parley.tenant"));
  all_closed("reset");
  // The control: all of it is there for whom it belongs to.
  ASSERT_TRUE(raw_->run_script(as(acme_)));
  for (const auto& table : tables_) EXPECT_EQ(count(table), "1") << table;
  raw_->roll_back();
}

TEST_F(PostgresWalls, a_tenant_neither_sees_nor_touches_anothers_row_in_any_table) {
  const auto acme = quoted(acme_);
  for (const auto& table : tables_) {
    SCOPED_TRACE(table);
    ASSERT_TRUE(raw_->run_script(as(zeta_)));
    EXPECT_EQ(count(table), "0");
    for (const std::string& statement :
         {fmt::format("SELECT 1 FROM tenant.{} WHERE tenant_id = {}", table, acme),
          fmt::format("DELETE FROM tenant.{} RETURNING 1", table),
          fmt::format("DELETE FROM tenant.{} WHERE tenant_id = {} RETURNING 1", table, acme),
          fmt::format("UPDATE tenant.{} SET tenant_id = {} RETURNING 1", table, quoted(zeta_))})
      EXPECT_EQ(text(fmt::format("WITH t AS ({}) SELECT COUNT(*)::text FROM t", statement)), "0") << statement;
    raw_->roll_back();
    EXPECT_TRUE(refused(as(zeta_) + insert_into(table, acme)));
    // A row of the same key is no conflict: that would tell that the other is there. And it cannot be moved over.
    const auto own = as(zeta_) + insert_into(table);
    EXPECT_FALSE(refused(own));
    EXPECT_TRUE(refused(own + fmt::format("; UPDATE tenant.{} SET tenant_id = {}", table, acme)));
    EXPECT_TRUE(refused(own + fmt::format("; UPDATE tenant.{} SET tenant_id = ''", table)));
    // A name that is like a tenant's is another one.
    const auto id = acme_.to_string();
    for (const std::string& odd : {std::string("%"), id.substr(0, 8), " " + id, id + " "}) {
      ASSERT_TRUE(raw_->run_script(fmt::format("BEGIN; SET LOCAL parley.tenant = '{}'", odd)));
      EXPECT_EQ(count(table), "0") << odd;
      raw_->roll_back();
    }
    ASSERT_TRUE(raw_->run_script(as(acme_)));
    EXPECT_EQ(count(table), "1") << "what was to be left alone is gone";
    raw_->roll_back();
  }
}

TEST_F(PostgresWalls, stand_around_every_table_of_the_catalogue_and_bind_the_role) {
  const std::vector<std::string> none;
  EXPECT_EQ(texts("SELECT relname::text FROM pg_class WHERE relnamespace = 'tenant'::regnamespace AND relkind = 'r'"
                  " AND NOT (relrowsecurity AND relforcerowsecurity)"),
            none);
  EXPECT_EQ(texts("SELECT t.relname::text FROM pg_class t WHERE t.relnamespace = 'tenant'::regnamespace"
                  " AND t.relkind = 'r' AND (SELECT COUNT(*) FROM pg_policy p WHERE p.polrelid = t.oid) <> 1"),
            none);
  EXPECT_EQ(texts("SELECT pg_get_expr(polqual, polrelid) FROM pg_policy"
                  " UNION SELECT pg_get_expr(polwithcheck, polrelid) FROM pg_policy")
                .size(),
            1U)
      << "policies that differ";
  EXPECT_EQ(text("SELECT (NOT (rolsuper OR rolbypassrls OR rolcreaterole))::text FROM pg_roles"
                 " WHERE rolname = current_user"),
            "true");
  EXPECT_EQ(texts("SELECT roleid::regrole::text FROM pg_auth_members WHERE member = current_user::regrole"), none);
  // What would run as somebody else, or hold rows outside of the walls.
  EXPECT_EQ(texts("SELECT proname::text FROM pg_proc WHERE pronamespace IN ('tenant'::regnamespace,"
                  " 'control'::regnamespace)"),
            none);
  EXPECT_EQ(texts("SELECT relname::text FROM pg_class WHERE relowner = current_user::regrole AND"
                  " (relkind IN ('v', 'm', 'f', 'p') OR relkind = 'r' AND relnamespace NOT IN"
                  " ('tenant'::regnamespace, 'control'::regnamespace))"),
            none);
}

// The control of the tests above: what a forgotten policy looks like to them.
TEST_F(PostgresWalls, a_table_that_somebody_made_without_a_policy_is_found_open) {
  ASSERT_TRUE(
      raw_->run_script(fmt::format("CREATE TABLE tenant.loose (tenant_id TEXT NOT NULL DEFAULT {}, id TEXT NOT NULL);"
                                   "INSERT INTO tenant.loose (id) VALUES ('x')",
                                   quoted(acme_))));
  EXPECT_GE(ways_into("loose").size(), 7U);
  ASSERT_TRUE(raw_->run_script("ALTER TABLE tenant.loose ENABLE ROW LEVEL SECURITY"));
  EXPECT_GE(ways_into("loose").size(), 3U) << "enabled, which does not bind its owner";
  const auto outcome = test_store_->reopen(compiled_migrations(), Migrate::on_request);
  ASSERT_FALSE(outcome);
  EXPECT_NE(outcome.error().operator_detail().find("loose"), std::string::npos);
}

}  // namespace
}  // namespace parley::db::postgres
