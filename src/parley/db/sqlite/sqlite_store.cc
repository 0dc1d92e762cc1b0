#include "parley/db/sqlite/sqlite_store.h"

#include "parley/db/sqlite/core.h"

namespace parley::db::sqlite {

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(SqliteOptions options, const MigrationSet& migrations) {
  std::unique_ptr<SqliteStore> store(new SqliteStore(std::make_shared<Core>(std::move(options), migrations)));
  PARLEY_TRY(store->core_->start());
  return store;
}

SqliteStore::~SqliteStore() { core_->stop(); }

ControlSession SqliteStore::control() {
  return ControlSession(std::make_shared<JobChannel<ControlScope, Core>>(core_, std::nullopt));
}
TenantSession SqliteStore::tenant(TenantId id) {
  return TenantSession(std::make_shared<JobChannel<TenantScope, Core>>(core_, id));
}
Result<void> SqliteStore::create_tenant(TenantId id) { return core_->create_tenant(id); }
Result<void> SqliteStore::remove_tenant(TenantId id) { return core_->remove_tenant(id); }
Result<std::vector<TenantId>> SqliteStore::tenants() { return core_->tenants(); }
Result<std::vector<MigrationStatus>> SqliteStore::migration_status() { return core_->migration_status(); }
Result<void> SqliteStore::migrate_all() { return core_->migrate_all(); }
Result<void> SqliteStore::backup_to(const std::filesystem::path& folder) { return core_->backup_to(folder); }
void SqliteStore::close_idle() { core_->close_idle(); }
std::size_t SqliteStore::open_tenants() const { return core_->open_tenants(); }

}  // namespace parley::db::sqlite

namespace parley::db {

Result<std::unique_ptr<Store>> open_sqlite(SqliteOptions options, const MigrationSet& migrations) {
  return sqlite::SqliteStore::open(std::move(options), migrations);
}

}  // namespace parley::db
