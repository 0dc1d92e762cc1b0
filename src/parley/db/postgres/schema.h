#pragma once

#include <cstdint>
#include <vector>

#include "parley/db/postgres/connection.h"
#include "parley/db/store.h"

namespace parley::db::postgres {

/// Locks that belong to a transaction, by number. Writers of a tenant take one made of its id.
inline constexpr std::int64_t migration_lock = 0x7061'726c'6579'0001;
inline constexpr std::int64_t control_lock = 0x7061'726c'6579'0002;

/// `permission_denied` if the role can read past row-level security, by itself or through a role it is a member of.
Result<void> require_ordinary_role(Connection& connection);

/// Makes the schemas `control` and `tenant` and runs what is missing in both, all in one transaction, one node at a
/// time. Forces row-level security on every tenant table, then refuses (`internal`, nothing changed) what would let a
/// row be seen or met across tenants: see require_walls.
Result<void> migrate(Connection& connection, const MigrationSet& migrations);

/// Errors as plan_migrations; `unavailable` if something is missing.
Result<void> require_migrated(Connection& connection, const MigrationSet& migrations);

/// Looks in the catalog: every table of schema `tenant` has a tenant_id that cannot be null, row-level security
/// enabled, forced and with our policy alone, and every primary, unique, exclusion and foreign key begins with
/// tenant_id; and there is nothing in the schema but tables, their indexes and sequences. `internal` names what is not
/// so.
Result<void> require_walls(Connection& connection);

Result<std::vector<MigrationStatus>> migration_status(Connection& connection, const MigrationSet& migrations);

/// Deletes all rows of the tenant that the open transaction is set to.
Result<void> delete_all_rows(Connection& connection);

}  // namespace parley::db::postgres
