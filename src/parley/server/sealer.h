#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <vector>

#include "parley/base/time.h"
#include "parley/crypto/sign.h"
#include "parley/db/store.h"
#include "parley/trail/seal.h"
#include "parley/trail/verify.h"

namespace parley::server {

/// Seals tenants' trails: once for each day on which there were records. Which tenants have something to seal stands in
/// the control database (`due`), so that a sweep opens no other tenant's file.
///
/// `note_used` may be called from any thread; the others block, for a command's or housekeeping's own thread.
class Sealer {
 public:
  /// All references must outlive this object. `store` must not be one that tells this object of its use.
  Sealer(db::Store& store, crypto::SigningKey key, const Clock& clock)
      : store_(store), key_(std::move(key)), clock_(clock) {}

  /// The tenant's tables are being used, so there may be records. Cheap: called for every request.
  void note_used(TenantId tenant);

  /// Makes durable which tenants were used since the last call. Call it every second; a crash loses as much.
  Result<void> put_due();

  struct Swept {
    std::int64_t sealed = 0;
    std::vector<Error> failed;  ///< these are tried again an hour later
  };
  /// Seals what is due now. Call it every minute.
  Result<Swept> sweep();
  /// At shutdown: seals, of a bounded number of tenants, what no seal covers, if the last one is of an earlier day.
  Result<Swept> finish();

  /// Seals one tenant's trail now; none if its last seal covers everything. `data_corrupt` if what was written since
  /// does not follow from that seal.
  Result<std::optional<trail::StoredSeal>> seal(TenantId tenant);

  /// Verifies a tenant's trail against everything this installation knows. With `exported`, against those seals too;
  /// theirs is then a key that counts.
  Result<trail::Report> verify(TenantId tenant, std::optional<crypto::Digest> head = {},
                               const trail::SealExport* exported = nullptr) const;

  Result<trail::SealExport> export_seals(TenantId tenant) const;

  /// Takes what the tenant's own tables say for the last seal: after a restore they and the control database may be of
  /// slightly different moments.
  Result<void> take_over(TenantId tenant);

 private:
  Result<Swept> seal_all(const std::vector<TenantId>& tenants, Timestamp due_at);
  bool was_sealed_today(TenantId tenant) const;

  db::Store& store_;
  crypto::SigningKey key_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unordered_set<TenantId> used_;  ///< not yet durable
  std::unordered_set<TenantId> due_;   ///< durable, and not sealed since
  std::int64_t day_ = 0;               ///< for which `due_` holds
};

}  // namespace parley::server
