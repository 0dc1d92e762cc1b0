#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/secret.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/db/migration.h"
#include "parley/db/session.h"

namespace parley::db {

/// One migration as this program knows it, or as a newer one left it.
struct MigrationStatus {
  std::string database;  ///< "control" or "tenant"
  int number;
  std::string name;
  bool applied;        ///< to the control database; for tenants: to every one
  std::string oldest;  ///< oldest program version that still runs on a database that has it
};

/// All state of one installation: the control database and one database per tenant. The two drivers differ in where a
/// tenant's tables are (its own file; rows under forced row-level security), not in what callers see.
///
/// Sessions may be used from any thread and may outlive the store; then they answer `unavailable`. The other functions
/// wait for disks: call them from a worker, not from an event loop, and not from inside a transaction. Destroying the
/// store waits until everything submitted has been answered: the event loops whose coroutines wait must outlive it.
class Store {
 public:
  virtual ~Store() = default;

  virtual Engine engine() const = 0;
  virtual ControlSession control() = 0;

  /// A handle to one tenant's tables. Cheap, opens nothing: the file is opened and migrated when first used. It is
  /// for a caller that has authenticated into that tenant; nothing else in the program makes a TenantSession. Using it
  /// gives `not_found` for a tenant that was never created or has been removed.
  virtual TenantSession tenant(TenantId id) = 0;

  /// Makes the tenant's database. Idempotent, so that an interrupted creation can be finished at the next start.
  virtual Result<void> create_tenant(TenantId id) = 0;
  /// Removes every row or the whole folder of the tenant. Idempotent likewise.
  virtual Result<void> remove_tenant(TenantId id) = 0;
  /// Every tenant that has been created and not removed, in no order.
  virtual Result<std::vector<TenantId>> tenants() = 0;

  /// What is applied, without applying anything. Opens every tenant's file.
  virtual Result<std::vector<MigrationStatus>> migration_status() = 0;
  /// Brings the control database and every tenant's up to date. Safe to run again after an interruption.
  virtual Result<void> migrate_all() = 0;

  /// Writes a copy of everything into `folder`, which must be empty or absent, while the store stays in use. What an
  /// intent in the control database ties together is together in the copy, or the intent is still open in it and its
  /// replay finishes it. The copy is synced; a store opened on it is the restored one. `unsupported` on PostgreSQL,
  /// whose own tools copy it (`pg_dump`, `pg_basebackup`).
  virtual Result<void> backup_to(const std::filesystem::path& folder) = 0;
};

/// When migrations run: as databases are opened, or only by `migrate_all` (for commands that report).
enum class Migrate { at_opening, on_request };

struct SqliteOptions {
  std::filesystem::path folder;         ///< holds control.db and tenants/<id>/tenant.db
  std::size_t open_tenants_max = 512;   ///< up to 5 descriptors and about 200 KB each; bounded by RLIMIT_NOFILE too
  std::chrono::seconds idle_close{60};  ///< a tenant unused for this long is closed
  std::size_t threads = 2;              ///< workers that run writes, and as many that run reads
  std::string vfs;                      ///< name of a registered SQLite VFS; empty for the system's
  const Clock* clock = nullptr;         ///< what idle time is measured with; the system's if null. Outlives the store
  Migrate migrate = Migrate::at_opening;
};

/// Opens (and where needed creates and migrates) the control database. That no other process uses the folder is the
/// caller's concern: it holds the folder's lock. `unsupported` if a newer program changed the database, `data_corrupt`
/// if control.db is not one.
Result<std::unique_ptr<Store>> open_sqlite(SqliteOptions options,
                                           const MigrationSet& migrations = compiled_migrations());

struct PostgresOptions {
  Secret connection;            ///< libpq connection string of the application's role (no superuser, no BYPASSRLS)
  std::size_t connections = 8;  ///< each with a thread of its own
  Migrate migrate = Migrate::at_opening;
};

/// `permission_denied` if the role could read past row-level security (superuser, BYPASSRLS, or a member of such a
/// role); `unavailable` if the server cannot be reached.
Result<std::unique_ptr<Store>> open_postgres(PostgresOptions options,
                                             const MigrationSet& migrations = compiled_migrations());

}  // namespace parley::db
