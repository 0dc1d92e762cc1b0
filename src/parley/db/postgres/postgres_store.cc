#include "parley/db/postgres/core.h"

namespace parley::db {
namespace {

class PostgresStore final : public Store {
 public:
  explicit PostgresStore(std::shared_ptr<postgres::Core> core) : core_(std::move(core)) {}
  ~PostgresStore() override { core_->stop(); }
  PostgresStore(const PostgresStore&) = delete;
  PostgresStore& operator=(const PostgresStore&) = delete;

  Engine engine() const override { return Engine::postgres; }
  ControlSession control() override {
    return ControlSession(std::make_shared<JobChannel<ControlScope, postgres::Core>>(core_, std::nullopt));
  }
  TenantSession tenant(TenantId id) override {
    return TenantSession(std::make_shared<JobChannel<TenantScope, postgres::Core>>(core_, id));
  }
  Result<void> create_tenant(TenantId id) override { return core_->create_tenant(id); }
  Result<void> remove_tenant(TenantId id) override { return core_->remove_tenant(id); }
  Result<std::vector<TenantId>> tenants() override { return core_->tenants(); }
  Result<std::vector<MigrationStatus>> migration_status() override { return core_->migration_status(); }
  Result<void> migrate_all() override { return core_->migrate_all(); }
  Result<void> backup_to(const std::filesystem::path&) override {
    return fail(Code::unsupported, "a PostgreSQL database is copied with pg_dump or pg_basebackup");
  }

 private:
  std::shared_ptr<postgres::Core> core_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_postgres(PostgresOptions options, const MigrationSet& migrations) {
  auto core = std::make_shared<postgres::Core>(std::move(options), migrations);
  auto store = std::make_unique<PostgresStore>(core);
  PARLEY_TRY(core->start());
  return store;
}

}  // namespace parley::db
