#include "parley/db/sqlite/schema.h"

#include <array>

namespace parley::db::sqlite {

Result<std::vector<AppliedMigration>> load_applied(Connection& connection) {
  bool exists = false;
  const Statements::OnRow found = [&](const Row&) { return exists = true; };
  PARLEY_TRY(connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'parley_migrations'", {},
                                &found));
  std::vector<AppliedMigration> applied;
  if (!exists) return applied;
  const Statements::OnRow read = [&](const Row& row) {
    applied.push_back({static_cast<int>(row.integer(0)), std::string(row.text(1)), std::string(row.text(2))});
    return true;
  };
  PARLEY_TRY(connection.execute("SELECT number, name, oldest FROM parley_migrations ORDER BY number", {}, &read));
  return applied;
}

Result<void> migrate(Connection& connection, std::span<const Migration> known, std::string_view program_version) {
  const auto missing = PARLEY_TRY(plan_migrations(known, PARLEY_TRY(load_applied(connection)), program_version));
  if (missing.empty()) return {};
  auto run = [&]() -> Result<void> {
    PARLEY_TRY(connection.execute("BEGIN IMMEDIATE"));
    PARLEY_TRY(
        connection.run_script("CREATE TABLE IF NOT EXISTS parley_migrations (number INTEGER PRIMARY KEY,"
                              " name TEXT NOT NULL, oldest TEXT NOT NULL) STRICT"));
    for (const auto* migration : missing) {
      auto applied = connection.run_script(migration->sqlite);
      if (!applied) return fail(std::move(applied).error().with_detail("migration " + migration->name));
      const std::array<Value, 3> values{Value(std::int64_t{migration->number}),
                                        Value(std::string_view(migration->name)),
                                        Value(std::string_view(migration->oldest))};
      PARLEY_TRY(
          connection.execute("INSERT INTO parley_migrations (number, name, oldest) VALUES ($1, $2, $3)", values));
    }
    PARLEY_TRY(connection.execute("COMMIT"));
    return {};
  };
  auto result = run();
  if (!result) connection.roll_back();
  return result;
}

Result<void> require_migrated(Connection& connection, std::span<const Migration> known,
                              std::string_view program_version) {
  const auto missing = PARLEY_TRY(plan_migrations(known, PARLEY_TRY(load_applied(connection)), program_version));
  if (!missing.empty()) return fail(Code::unavailable, "the database needs `parley migrate up`", missing[0]->name);
  return {};
}

}  // namespace parley::db::sqlite
