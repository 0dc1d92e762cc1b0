#include "parley/crypto/keyring.h"

#include <algorithm>

namespace parley::crypto {
namespace {

SealContext tenant_key_context(TenantId tenant) { return SealContext("tenant data key").with(tenant); }

}  // namespace

Keyring::Keyring(SealKey master, std::vector<SealKey> retired)
    : master_(std::move(master)), retired_(std::move(retired)) {}

std::string Keyring::make_tenant_key(TenantId tenant, Random& random) const {
  const auto key = SealKey::make(random);
  return seal(master_, key.secret().reveal(), tenant_key_context(tenant), random);
}

Result<SealKey> Keyring::open_tenant_key(TenantId tenant, std::string_view sealed) const {
  const auto id = PARLEY_TRY(sealed_by(sealed));
  const auto former = std::ranges::find(retired_, id, &SealKey::id);
  const SealKey& key = former == retired_.end() ? master_ : *former;
  return SealKey::from_bytes(PARLEY_TRY(open(key, sealed, tenant_key_context(tenant))));
}

Result<std::string> Keyring::rewrap_tenant_key(TenantId tenant, std::string_view sealed, Random& random) const {
  const auto key = PARLEY_TRY(open_tenant_key(tenant, sealed));
  return seal(master_, key.secret().reveal(), tenant_key_context(tenant), random);
}

}  // namespace parley::crypto
