#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>

#include "parley/crypto/seal.h"
#include "parley/db/store.h"
#include "parley/evidence/proofs.h"
#include "parley/identity/tenant_store.h"
#include "parley/net/async.h"

namespace parley::identity {

/// Opens a tenant's tables, and its data key, to whoever shows a permission there. Use cases hold this and not the
/// store, so that code which has authorized nothing has nothing to run a query on. Safe from any thread.
class TenantDoor {
 public:
  TenantDoor(db::Store& store, TenantStore& tenants) : store_(store), tenants_(tenants) {}

  template <Action A>
  db::TenantSession open(const Authorized<A>& permit) {
    return store_.tenant(permit.tenant());
  }

  template <Action A>
  Async<std::shared_ptr<const crypto::SealKey>> key(const Authorized<A>& permit) {
    return load_key(permit.tenant());
  }

  /// Drops a tenant's key from memory; called when the tenant is being removed.
  void forget(TenantId tenant);

 private:
  Async<std::shared_ptr<const crypto::SealKey>> load_key(TenantId tenant);

  // As many as there are open tenants at most; each is a line of memory.
  static constexpr std::size_t keys_max = 4'096;

  db::Store& store_;
  TenantStore& tenants_;
  std::mutex mutex_;
  std::unordered_map<TenantId, std::shared_ptr<const crypto::SealKey>> keys_;
};

}  // namespace parley::identity
