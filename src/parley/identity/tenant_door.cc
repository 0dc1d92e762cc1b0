#include "parley/identity/tenant_door.h"

namespace parley::identity {

Async<std::shared_ptr<const crypto::SealKey>> TenantDoor::load_key(TenantId tenant) {
  {
    const std::scoped_lock lock(mutex_);
    const auto it = keys_.find(tenant);
    if (it != keys_.end()) co_return it->second;
  }
  auto key = std::make_shared<const crypto::SealKey>(PARLEY_CO_TRY(co_await tenants_.load_key(tenant)));
  const std::scoped_lock lock(mutex_);
  // Full: start over. Which keys go does not matter, since each comes back with one look-up.
  if (keys_.size() >= keys_max) keys_.clear();
  keys_.insert_or_assign(tenant, key);
  co_return key;
}

void TenantDoor::forget(TenantId tenant) {
  const std::scoped_lock lock(mutex_);
  keys_.erase(tenant);
}

}  // namespace parley::identity
