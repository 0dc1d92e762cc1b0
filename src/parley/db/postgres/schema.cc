#include "parley/db/postgres/schema.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace parley::db::postgres {
namespace {

Result<std::vector<std::string>> load_names(Connection& connection, std::string_view sql) {
  std::vector<std::string> names;
  const Statements::OnRow read = [&](const Row& row) {
    names.emplace_back(row.text(0));
    return true;
  };
  PARLEY_TRY(connection.execute(sql, {}, &read));
  return names;
}

Result<std::vector<AppliedMigration>> load_applied(Connection& connection, std::string_view database) {
  std::vector<AppliedMigration> applied;
  if (PARLEY_TRY(load_names(connection, "SELECT 'yes' WHERE to_regclass('control.parley_migrations') IS NOT NULL"))
          .empty()) {
    return applied;
  }
  const Statements::OnRow read = [&](const Row& row) {
    applied.push_back({static_cast<int>(row.integer(0)), std::string(row.text(1)), std::string(row.text(2))});
    return true;
  };
  const std::array<Value, 1> values{Value(database)};
  PARLEY_TRY(connection.execute(
      "SELECT number, name, oldest FROM control.parley_migrations WHERE database = $1 ORDER BY number", values, &read));
  return applied;
}

Result<void> apply(Connection& connection, std::string_view database, std::span<const Migration> known,
                   std::string_view program_version) {
  const auto applied = PARLEY_TRY(load_applied(connection, database));
  PARLEY_TRY(connection.run_script(fmt::format("SET LOCAL search_path = {}", database)));
  for (const auto* migration : PARLEY_TRY(plan_migrations(known, applied, program_version))) {
    auto ran = connection.run_script(migration->postgres);
    if (!ran) return fail(std::move(ran).error().with_detail("migration " + migration->name));
    const std::array<Value, 4> values{Value(database), Value(std::int64_t{migration->number}),
                                      Value(std::string_view(migration->name)),
                                      Value(std::string_view(migration->oldest))};
    PARLEY_TRY(connection.execute(
        "INSERT INTO control.parley_migrations (database, number, name, oldest) VALUES ($1, $2, $3, $4)", values));
  }
  return {};
}

// Run after every migration, so that none can forget it. NULLIF: after a SET LOCAL the setting reads as the empty
// string, not null, and no tenant must be nobody's rather than the one called ''.
constexpr const char* build_walls = R"(
DO $$
DECLARE
  found record;
  mine constant text := 'tenant_id = NULLIF(current_setting(''parley.tenant'', true), '''')';
BEGIN
  FOR found IN SELECT relname FROM pg_class WHERE relnamespace = 'tenant'::regnamespace AND relkind = 'r' LOOP
    EXECUTE format('ALTER TABLE tenant.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', found.relname);
    EXECUTE format('DROP POLICY IF EXISTS parley_tenant ON tenant.%I', found.relname);
    EXECUTE format('CREATE POLICY parley_tenant ON tenant.%I USING (%s) WITH CHECK (%s)', found.relname, mine, mine);
  END LOOP;
END
$$)";

constexpr std::string_view holes = R"(
WITH relations AS (
  SELECT oid, relname, relkind, relrowsecurity, relforcerowsecurity
  FROM pg_class WHERE relnamespace = 'tenant'::regnamespace
), tables AS (SELECT * FROM relations WHERE relkind = 'r'),
tenant_columns AS (
  SELECT attrelid, attnum FROM pg_attribute
  WHERE attname = 'tenant_id' AND attnotnull AND NOT attisdropped AND atttypid = 'text'::regtype
)
SELECT relname || ' is neither a table nor an index nor a sequence' FROM relations WHERE relkind NOT IN ('r', 'i', 'S')
UNION ALL
SELECT relname || ' has no tenant_id TEXT NOT NULL' FROM tables
WHERE NOT EXISTS (SELECT 1 FROM tenant_columns c WHERE c.attrelid = tables.oid)
UNION ALL
SELECT relname || ' has no check that tenant_id is not empty' FROM tables
WHERE NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conrelid = tables.oid AND c.contype = 'c'
                  AND pg_get_constraintdef(c.oid) = 'CHECK ((tenant_id <> ''''::text))')
UNION ALL
SELECT relname || ' is without forced row-level security' FROM tables
WHERE NOT (relrowsecurity AND relforcerowsecurity)
UNION ALL
SELECT relname || ' has another policy than ours' FROM tables
WHERE (SELECT array_agg(p.polname::text) FROM pg_policy p WHERE p.polrelid = tables.oid)
      IS DISTINCT FROM ARRAY['parley_tenant']
UNION ALL
SELECT i.indexrelid::regclass || ' is a unique key that does not begin with tenant_id'
FROM pg_index i JOIN tables ON tables.oid = i.indrelid
WHERE (i.indisunique OR i.indisexclusion)
  AND NOT EXISTS (SELECT 1 FROM tenant_columns c WHERE c.attrelid = i.indrelid AND c.attnum = i.indkey[0])
UNION ALL
SELECT tables.relname || '.' || k.conname || ' is a foreign key that does not begin with tenant_id on both sides'
FROM pg_constraint k JOIN tables ON tables.oid = k.conrelid
WHERE k.contype = 'f' AND NOT (
  EXISTS (SELECT 1 FROM tenant_columns c WHERE c.attrelid = k.conrelid AND c.attnum = k.conkey[1])
  AND EXISTS (SELECT 1 FROM tenant_columns c JOIN tables t ON t.oid = c.attrelid
              WHERE c.attrelid = k.confrelid AND c.attnum = k.confkey[1]))
ORDER BY 1)";

}  // namespace

Result<void> require_ordinary_role(Connection& connection) {
  const auto roles = PARLEY_TRY(load_names(connection,
                                           "SELECT rolname::text FROM pg_roles WHERE (rolsuper OR rolbypassrls)"
                                           " AND (pg_has_role(current_user, oid, 'MEMBER')"
                                           " OR pg_has_role(session_user, oid, 'MEMBER'))"));
  if (roles.empty()) return {};
  return fail(Code::permission_denied, "the database role could read past row-level security",
              fmt::format("it is, or is a member of, {}: connect as a role that is NOSUPERUSER and NOBYPASSRLS",
                          fmt::join(roles, ", ")));
}

Result<void> require_walls(Connection& connection) {
  const auto found = PARLEY_TRY(load_names(connection, holes));
  if (found.empty()) return {};
  return fail(Code::internal, "the wall between tenants has a hole", fmt::format("{}", fmt::join(found, "; ")));
}

Result<void> migrate(Connection& connection, const MigrationSet& migrations) {
  auto run = [&]() -> Result<void> {
    // Building an index may take longer than any statement of a request, and so may waiting for the node that does it.
    PARLEY_TRY(
        connection.run_script(fmt::format("BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;"
                                          "SELECT pg_advisory_xact_lock({})",
                                          migration_lock)));
    for (const char* schema : {"control", "tenant"}) {
      // Not IF NOT EXISTS: that asks for the right to make one even where an administrator has made it.
      if (PARLEY_TRY(connection.run_script(fmt::format("SELECT 1 FROM pg_namespace WHERE nspname = '{}'", schema))) ==
          0) {
        PARLEY_TRY(connection.run_script(fmt::format("CREATE SCHEMA {}", schema)));
      }
    }
    PARLEY_TRY(connection.run_script(
        "CREATE TABLE IF NOT EXISTS control.parley_migrations (database TEXT NOT NULL, number BIGINT NOT NULL,"
        " name TEXT NOT NULL, oldest TEXT NOT NULL, PRIMARY KEY (database, number));"
        "CREATE TABLE IF NOT EXISTS control.parley_tenants (tenant_id TEXT PRIMARY KEY CHECK (tenant_id <> ''))"));
    PARLEY_TRY(apply(connection, "control", migrations.control, migrations.program_version));
    PARLEY_TRY(apply(connection, "tenant", migrations.tenant, migrations.program_version));
    PARLEY_TRY(connection.run_script(build_walls));
    PARLEY_TRY(require_walls(connection));
    PARLEY_TRY(connection.run_script("COMMIT"));
    return {};
  };
  auto result = run();
  connection.roll_back();
  return result;
}

Result<void> require_migrated(Connection& connection, const MigrationSet& migrations) {
  const auto check = [&](std::string_view database, std::span<const Migration> known) -> Result<void> {
    const auto applied = PARLEY_TRY(load_applied(connection, database));
    const auto missing = PARLEY_TRY(plan_migrations(known, applied, migrations.program_version));
    if (!missing.empty()) return fail(Code::unavailable, "the database needs `parley migrate up`", missing[0]->name);
    return {};
  };
  PARLEY_TRY(check("control", migrations.control));
  PARLEY_TRY(check("tenant", migrations.tenant));
  return require_walls(connection);
}

Result<std::vector<MigrationStatus>> migration_status(Connection& connection, const MigrationSet& migrations) {
  std::vector<MigrationStatus> rows;
  const auto add = [&](const char* database, std::span<const Migration> known) -> Result<void> {
    const auto applied = PARLEY_TRY(load_applied(connection, database));
    for (const auto& migration : known) {
      const bool done = std::ranges::find(applied, migration.number, &AppliedMigration::number) != applied.end();
      rows.push_back({database, migration.number, migration.name, done, migration.oldest});
    }
    for (const auto& step : applied) {
      if (std::ranges::find(known, step.number, &Migration::number) != known.end()) continue;
      rows.push_back({database, step.number, step.name, true, step.oldest});
    }
    return {};
  };
  PARLEY_TRY(add("control", migrations.control));
  PARLEY_TRY(add("tenant", migrations.tenant));
  return rows;
}

Result<void> delete_all_rows(Connection& connection) {
  auto tables = PARLEY_TRY(load_names(
      connection,
      "SELECT format('%I', relname) FROM pg_class WHERE relnamespace = 'tenant'::regnamespace AND relkind = 'r'"));
  // Whom a foreign key protects can go once those that refer to it are gone: try until nothing is left.
  while (!tables.empty()) {
    const auto before = tables.size();
    std::optional<Error> refused;
    for (auto table = tables.begin(); table != tables.end();) {
      auto deleted = connection.run_script(fmt::format("SAVEPOINT step; DELETE FROM tenant.{}", *table));
      if (deleted) {
        PARLEY_TRY(connection.run_script("RELEASE step"));
        table = tables.erase(table);
        continue;
      }
      if (deleted.error().code() != Code::conflict) return fail(std::move(deleted).error());
      PARLEY_TRY(connection.run_script("ROLLBACK TO step; RELEASE step"));
      refused = std::move(deleted).error();
      ++table;
    }
    if (tables.size() == before) return fail(*std::move(refused));
  }
  return {};
}

}  // namespace parley::db::postgres
