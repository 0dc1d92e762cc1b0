#pragma once

#include <optional>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/db/session.h"
#include "parley/net/async.h"
#include "parley/trail/record.h"

namespace parley::trail {

/// Writes a tenant's trail: who did what, as a chain of hashes that shows any later change.
///
/// One chain per tenant and writing node. Immutable, so safe from any thread.
class Trail {
 public:
  /// `clock` must outlive this object.
  Trail(NodeId node, const Clock& clock) : node_(node), clock_(&clock) {}

  /// Adds a record inside the transaction that makes the change, so that both are durable before the acknowledgement or
  /// neither is. Call it last in the transaction: from here to the commit other writers of this chain wait.
  Result<Head> append(db::TenantWriter& writer, const Entry& entry) const {
    return append(writer, entry, clock_->now());
  }
  /// The same for something that happened at a known earlier time.
  Result<Head> append(db::TenantWriter& writer, const Entry& entry, Timestamp at) const;

  /// A record in a transaction of its own, durable when this returns: for refusals, and for tool intentions before the
  /// tool runs.
  Async<> append_now(db::TenantSession tenant, Entry entry) const;

  /// After a restore: goes on with every chain in the file, each with a record that names the head that was in force
  /// before (if known, from an exported seal or `verify`'s output), so that records made after the backup and lost with
  /// the restore are known to have existed. Gives the new heads.
  Result<std::vector<Head>> open_epoch(db::TenantWriter& writer, std::optional<crypto::Digest> lost_head,
                                       const Actor& actor) const;

  NodeId node() const { return node_; }

 private:
  NodeId node_;
  const Clock* clock_;
};

/// The ends of all chains of a tenant.
Result<std::vector<Head>> list_heads(db::TenantReader& reader);

/// The latest records of all chains, newest first, for showing.
Result<std::vector<StoredRecord>> list_records(db::TenantReader& reader, std::int64_t count_max);

}  // namespace parley::trail
