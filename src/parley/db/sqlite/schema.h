#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "parley/db/migration.h"
#include "parley/db/sqlite/connection.h"

namespace parley::db::sqlite {

/// What the file says it has; nothing for a file without a version table.
Result<std::vector<AppliedMigration>> load_applied(Connection& connection);

/// Runs what is missing, all of it in one transaction. Errors as plan_migrations; a step that fails leaves the file as
/// it was.
Result<void> migrate(Connection& connection, std::span<const Migration> known, std::string_view program_version);

/// Errors as plan_migrations, and `unavailable` if something is missing: for a store that migrates only on request.
Result<void> require_migrated(Connection& connection, std::span<const Migration> known,
                              std::string_view program_version);

}  // namespace parley::db::sqlite
