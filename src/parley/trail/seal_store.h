#pragma once

#include <optional>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/db/transaction.h"
#include "parley/trail/seal.h"

namespace parley::trail {

// The seals of one tenant, in its own tables.

Result<std::vector<StoredSeal>> list_seals(db::TenantReader& reader);
Result<std::optional<StoredSeal>> find_last_seal(db::TenantReader& reader);

/// What the next seal is to say: where the chains end now. None if they end where the last seal says, or there are
/// none. `data_corrupt` if what was written since the last seal does not follow from it: a seal must not make damage
/// good. Reads the records since then.
Result<std::optional<Seal>> draft_seal(db::TenantReader& reader, TenantId tenant, const crypto::PublicKey& key,
                                       Timestamp now);

/// Adds the seal behind the one it was drafted after; `conflict` if another node has sealed meanwhile.
Result<void> put_seal(db::TenantWriter& writer, const StoredSeal& seal);

}  // namespace parley::trail
