#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "parley/base/literal.h"
#include "parley/base/result.h"
#include "parley/base/uuid.h"
#include "parley/crypto/seal.h"

namespace parley::crypto {

/// The master key of one installation, and former ones that still open what they sealed. Each tenant has a data key of
/// its own, stored only as an envelope made here: whoever copies a database has no content, and forgetting a tenant's
/// envelope makes its bodies unreadable for good, in every backup too.
///
/// Rotating the master: construct with the new key as master and the old one as retired, `rewrap` every tenant's
/// envelope, then drop the old one. No tenant's content is touched. Where the master comes from is not decided here
/// (`identity/master_key.h` reads the environment or the key file). Immutable, so safe from any thread.
class Keyring {
 public:
  explicit Keyring(SealKey master, std::vector<SealKey> retired = {});

  /// A new data key for a tenant, wrapped for storing.
  std::string make_tenant_key(TenantId tenant, Random& random = system_random()) const;
  /// The data key in an envelope. Errors as for `open`; an envelope moved to another tenant does not open.
  Result<SealKey> open_tenant_key(TenantId tenant, std::string_view sealed) const;
  /// The same data key under the present master.
  Result<std::string> rewrap_tenant_key(TenantId tenant, std::string_view sealed, Random& random) const;

  /// Names the present master without giving it away: what a backup says it needs.
  const SealKeyId& master_id() const { return master_.id(); }

  /// A key for one purpose of the whole installation, e.g. `derive("visitor tokens")`. It changes with the master.
  SealKey derive(Literal purpose) const { return master_.derive(purpose); }

 private:
  SealKey master_;
  std::vector<SealKey> retired_;
};

}  // namespace parley::crypto
