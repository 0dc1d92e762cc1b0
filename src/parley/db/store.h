#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/secret.h"
#include "parley/base/uuid.h"
#include "parley/db/session.h"

namespace parley::db {

/// All state of one installation: the control database and one database per tenant. The two drivers differ in where a
/// tenant's tables are (its own file; rows under forced row-level security), not in what callers see.
class Store {
 public:
  virtual ~Store() = default;

  virtual Engine engine() const = 0;
  virtual ControlSession control() = 0;

  /// A handle to one tenant's tables. Cheap, opens nothing: the file is opened and migrated when first used. It is
  /// for a caller that has authenticated into that tenant; nothing else in the program makes a TenantSession.
  virtual TenantSession tenant(TenantId id) = 0;

  /// Makes the tenant's database. Idempotent, so that an interrupted creation can be finished at the next start.
  virtual Result<void> create_tenant(TenantId id) = 0;
  /// Removes every row or file of the tenant. Idempotent likewise.
  virtual Result<void> remove_tenant(TenantId id) = 0;
};

struct SqliteOptions {
  std::filesystem::path folder;         ///< holds control.db and tenants/<id>/tenant.db
  std::size_t open_tenants_max = 512;   ///< 3 descriptors and 160 to 450 KB each; further bounded by RLIMIT_NOFILE
  std::chrono::seconds idle_close{60};  ///< a tenant unused for this long is closed
  std::size_t threads = 2;              ///< workers that run transactions
  std::string vfs;                      ///< name of a registered SQLite VFS; empty for the system's
};

/// Opens (and where needed creates and migrates) the control database. `conflict` if another process holds the folder's
/// lock is the caller's concern, not this one's.
Result<std::unique_ptr<Store>> open_sqlite(SqliteOptions options);

struct PostgresOptions {
  Secret connection;  ///< libpq connection string of the application's role (no superuser, no BYPASSRLS)
  std::size_t connections = 8;
};
Result<std::unique_ptr<Store>> open_postgres(PostgresOptions options);

/// One migration as compiled into the program.
struct MigrationStatus {
  std::string database;  ///< "control" or "tenant"
  int number;
  std::string name;
  bool applied;        ///< to the control database; for tenants: to every one
  std::string oldest;  ///< oldest program version that still runs on a database that has it
};

}  // namespace parley::db
