#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "parley/db/store.h"

namespace parley::server {

/// A store that says which tenants' tables are being used. Everything in an installation works on one, so that what
/// must happen to each tenant that was written to (sealing its trail) is forgotten for none.
class WatchedStore final : public db::Store {
 public:
  using Used = std::function<void(TenantId)>;

  /// `used` is called from any thread, for every session that is asked for; it must be quick. `store` must outlive
  /// this.
  WatchedStore(db::Store& store, Used used) : store_(store), used_(std::move(used)) {}

  db::Engine engine() const override { return store_.engine(); }
  db::ControlSession control() override { return store_.control(); }
  db::TenantSession tenant(TenantId id) override {
    used_(id);
    return store_.tenant(id);
  }
  Result<void> create_tenant(TenantId id) override { return store_.create_tenant(id); }
  Result<void> remove_tenant(TenantId id) override { return store_.remove_tenant(id); }
  Result<std::vector<TenantId>> tenants() override { return store_.tenants(); }
  Result<std::vector<db::MigrationStatus>> migration_status() override { return store_.migration_status(); }
  Result<void> migrate_all() override { return store_.migrate_all(); }
  Result<void> backup_to(const std::filesystem::path& folder) override { return store_.backup_to(folder); }

 private:
  db::Store& store_;
  Used used_;
};

}  // namespace parley::server
