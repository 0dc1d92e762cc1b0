#include "parley/db/migration.h"

#include <gtest/gtest.h>

namespace parley::db {
namespace {

constexpr std::string_view projects = R"(-- oldest: 0.2.0
-- Words about {anything} stay behind.
-- @all
CREATE TABLE projects (
  {tenant_column}
  id TEXT NOT NULL,
  body {blob},
  PRIMARY KEY ({tenant}id)
);
-- @sqlite
CREATE INDEX a ON projects (body);
-- @postgres
CREATE INDEX b ON projects (tenant_id, body);
)";

TEST(Migration, has_a_text_for_each_engine) {
  const auto migration = parse_migration("0012_projects.sql", projects);
  ASSERT_TRUE(migration) << describe_for_operator(migration.error());
  EXPECT_EQ(migration->number, 12);
  EXPECT_EQ(migration->name, "0012_projects");
  EXPECT_EQ(migration->oldest, "0.2.0");
  EXPECT_EQ(migration->sqlite,
            "CREATE TABLE projects (\n  \n  id TEXT NOT NULL,\n  body BLOB,\n  PRIMARY KEY (id)\n);\n"
            "CREATE INDEX a ON projects (body);\n");
  EXPECT_NE(migration->postgres.find("PRIMARY KEY (tenant_id, id)"), std::string::npos);
  EXPECT_NE(migration->postgres.find("tenant_id TEXT NOT NULL DEFAULT NULLIF("), std::string::npos);
  EXPECT_NE(migration->postgres.find("body BYTEA"), std::string::npos);
  EXPECT_EQ(migration->postgres.find("INDEX a"), std::string::npos);
  EXPECT_NE(migration->postgres.find("INDEX b"), std::string::npos);
}

TEST(Migration, that_is_not_written_by_the_rules_is_refused) {
  for (const auto& [name, text] : std::vector<std::pair<std::string_view, std::string_view>>{
           {"12_projects.sql", "-- oldest: 0.1.0\n-- @all\nSELECT 1;"},
           {"0000_projects.sql", "-- oldest: 0.1.0\n-- @all\nSELECT 1;"},
           {"0001_projects.txt", "-- oldest: 0.1.0\n-- @all\nSELECT 1;"},
           {"0001_projects.sql", "-- @all\nSELECT 1;"},
           {"0001_projects.sql", "-- oldest: soon\n-- @all\nSELECT 1;"},
           {"0001_projects.sql", "-- oldest: 0.1\n-- @all\nSELECT 1;"},
           {"0001_projects.sql", "-- oldest: 0.1.0\nSELECT 1;"},
           {"0001_projects.sql", "-- oldest: 0.1.0\n-- @mysql\nSELECT 1;"},
           {"0001_projects.sql", "-- oldest: 0.1.0\n-- @all\nCREATE TABLE t (a {bytes});"},
           {"", ""},
       }) {
    const auto migration = parse_migration(name, text);
    ASSERT_FALSE(migration) << name << '\n' << text;
    EXPECT_EQ(migration.error().code(), Code::invalid_argument);
  }
}

TEST(Migration, versions_compare_by_number) {
  EXPECT_TRUE(compare_versions("0.9.0", "0.10.0") < 0);
  EXPECT_TRUE(compare_versions("1.0.0", "0.99.99") > 0);
  EXPECT_TRUE(compare_versions("1.2.3", "1.2.3") == 0);
}

TEST(Migration, unknown_steps_are_fine_for_programs_they_were_made_for) {
  const std::vector<Migration> known{{.number = 1, .name = "0001_a"}, {.number = 2, .name = "0002_b"}};
  const std::vector<AppliedMigration> newer{{1, "0001_a", "0.1.0"}, {3, "0003_c", "0.2.0"}};
  const auto plan = plan_migrations(known, newer, "0.2.1");
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->size(), 1U);
  EXPECT_EQ((*plan)[0]->name, "0002_b");
  const auto too_old = plan_migrations(known, newer, "0.1.9");
  ASSERT_FALSE(too_old);
  EXPECT_EQ(too_old.error().code(), Code::unsupported);
  const std::vector<AppliedMigration> other{{1, "0001_z", "0.1.0"}};
  EXPECT_EQ(plan_migrations(known, other, "9.9.9").error().code(), Code::unsupported);
}

TEST(Migration, files_of_this_program_all_parse) { EXPECT_FALSE(compiled_migrations().program_version.empty()); }

}  // namespace
}  // namespace parley::db
