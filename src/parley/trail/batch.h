#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "parley/base/time.h"
#include "parley/db/store.h"
#include "parley/net/async.h"
#include "parley/trail/trail.h"

namespace parley::trail {

/// Reads of one tenant that may wait in memory; the next one writes them all out at once instead of waiting.
inline constexpr std::size_t batch_entries_max = 1'000;
/// How long a tenant must be quiet before its batch is closed, which costs a write; the next read costs another.
inline constexpr std::chrono::microseconds batch_idle_close = std::chrono::seconds(60);

/// Records of reads, written at most a second late and many at a time, so that reading does not cost a sync each.
///
/// What a crash loses is known: before the first read of a tenant is held back, a marker "batch open" is made durable
/// in the control database, and it goes only after everything was written. A marker found at start means that reads up
/// to the crash may be missing, and becomes a gap record in that tenant's chain. Safe from any thread.
class TrailBatch {
 public:
  /// All references must outlive this object.
  TrailBatch(db::Store& store, const Trail& trail, const Clock& clock) : store_(store), trail_(trail), clock_(clock) {}

  /// Call once at start, before serving: turns markers of this node's last life into gap records. Gives their number.
  Async<std::int64_t> record_gaps();

  /// Holds a record back for the next flush. Waits only for the tenant's marker, when its batch is not open yet, and
  /// for a flush when `batch_entries_max` are held. After an error nothing is held, and the read must not be answered.
  Async<> note(TenantId tenant, Entry entry);

  /// Writes everything held back. Call it every second. What could not be written is kept for the next time.
  Async<> flush();

  /// Flushes and closes all batches; at shutdown, once nothing calls `note` any more.
  Async<> close();

 private:
  struct Held {
    Entry entry;
    Timestamp at;
  };
  struct Batch {
    std::vector<Held> held;
    bool marked = false;
    Timestamp opened_at;  ///< in the marker's row as well; no two batches have the same
    Timestamp last_noted;
    int in_use = 0;  ///< calls that await something about this batch: it must not be closed under them
  };
  // A batch kept open for the length of a call.
  class Use;

  Async<> mark(TenantId tenant, Timestamp opened_at);
  Async<> write_out(TenantId tenant);
  Async<> close_idle(Timestamp idle_before);

  db::Store& store_;
  const Trail& trail_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<TenantId, Batch> batches_;
  Timestamp last_opened_;
};

/// Refusals to callers nobody knows: too many and too cheap to make for a record each, so they are counted by the
/// minute and rule in the control database. Safe from any thread.
class RefusalCounters {
 public:
  RefusalCounters(db::ControlSession control, NodeId node, const Clock& clock)
      : control_(std::move(control)), node_(node), clock_(clock) {}

  void count(Literal rule);
  /// Adds the counts to the table. Call it every minute or so and at shutdown; a crash loses what was not written.
  Async<> flush();

 private:
  db::ControlSession control_;
  NodeId node_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::pair<std::int64_t, std::string_view>, std::int64_t> counts_;  // literals, so the views last
};

}  // namespace parley::trail
