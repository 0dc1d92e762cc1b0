#pragma once

#include <cstddef>
#include <memory>

#include "parley/db/store.h"

namespace parley::db::sqlite {

class Core;

/// The store over files. Beyond Store it shows what its own tests and the metrics look at.
class SqliteStore final : public Store {
 public:
  static Result<std::unique_ptr<SqliteStore>> open(SqliteOptions options, const MigrationSet& migrations);
  ~SqliteStore() override;

  Engine engine() const override { return Engine::sqlite; }
  ControlSession control() override;
  TenantSession tenant(TenantId id) override;
  Result<void> create_tenant(TenantId id) override;
  Result<void> remove_tenant(TenantId id) override;
  Result<std::vector<TenantId>> tenants() override;
  Result<std::vector<MigrationStatus>> migration_status() override;
  Result<void> migrate_all() override;
  Result<void> backup_to(const std::filesystem::path& folder) override;

  /// Closes tenants that have not been used for `idle_close`. Runs by itself every few seconds.
  void close_idle();
  std::size_t open_tenants() const;

 private:
  explicit SqliteStore(std::shared_ptr<Core> core) : core_(std::move(core)) {}

  std::shared_ptr<Core> core_;
};

}  // namespace parley::db::sqlite
