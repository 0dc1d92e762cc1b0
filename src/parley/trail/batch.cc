#include "parley/trail/batch.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace parley::trail {

using namespace db::literals;

Async<std::int64_t> TrailBatch::record_gaps() {
  struct Marker {
    TenantId tenant;
    Timestamp opened_at;
  };
  const auto node = trail_.node().to_string();
  auto list = [&node](db::ControlReader& reader) {
    return reader.all(
        "SELECT tenant_id, opened_at FROM trail_open_batches WHERE node = $1 ORDER BY tenant_id"_sql,
        [](const db::Row& row) { return Marker{.tenant = row.id<TenantId>(0), .opened_at = row.time(1)}; }, node);
  };
  const auto markers = PARLEY_CO_TRY(co_await store_.control().read(std::move(list)));
  std::int64_t recorded = 0;
  for (const auto& marker : markers) {
    auto append = [&](db::TenantWriter& writer) {
      return trail_.append(writer, Entry{.kind = Kind::gap,
                                         .actor = Actor::program(),
                                         .action = "start",
                                         .object = Object("trail"),
                                         .rule = "reads_may_be_missing",
                                         .request = {},
                                         .quantity = marker.opened_at.micros});
    };
    const auto appended = co_await store_.tenant(marker.tenant).write(std::move(append));
    // A tenant that was removed has no trail to have a gap in.
    if (!appended && appended.error().code() != Code::not_found) co_return fail(appended.error());
    if (appended) ++recorded;
    auto forget = [&](db::ControlWriter& writer) {
      return writer.run("DELETE FROM trail_open_batches WHERE node = $1 AND tenant_id = $2"_sql, node, marker.tenant);
    };
    // Should the program end before this, the next start records the gap once more, which is true as well.
    PARLEY_CO_TRY(co_await store_.control().write(std::move(forget)));
  }
  co_return recorded;
}

class TrailBatch::Use {
 public:
  Use(TrailBatch& owner, TenantId tenant) : owner_(owner) {
    const std::scoped_lock lock(owner_.mutex_);
    const auto [entry, is_new] = owner_.batches_.try_emplace(tenant);
    batch_ = &entry->second;  // stays put: references into an unordered_map outlive its growth
    if (is_new) {
      owner_.last_opened_ = std::max(owner_.clock_.now(), owner_.last_opened_ + std::chrono::microseconds(1));
      batch_->opened_at = batch_->last_noted = owner_.last_opened_;
    }
    ++batch_->in_use;
  }
  ~Use() {
    const std::scoped_lock lock(owner_.mutex_);
    --batch_->in_use;
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  Batch& batch() { return *batch_; }

 private:
  TrailBatch& owner_;
  Batch* batch_;
};

// A batch that was closed a moment ago may have its marker's deletion still under way. It deletes the row of its own
// opening time only, and this overwrites that time, so whichever comes first the new marker stays.
Async<> TrailBatch::mark(TenantId tenant, Timestamp opened_at) {
  const auto node = trail_.node().to_string();
  auto work = [&node, tenant, opened_at](db::ControlWriter& writer) {
    return writer.run(
        "INSERT INTO trail_open_batches (node, tenant_id, opened_at) VALUES ($1, $2, $3) "
        "ON CONFLICT (node, tenant_id) DO UPDATE SET opened_at = excluded.opened_at"_sql,
        node, tenant, opened_at);
  };
  PARLEY_CO_TRY(co_await store_.control().write(std::move(work)));
  co_return Result<void>();
}

Async<> TrailBatch::note(TenantId tenant, Entry entry) {
  const auto now = clock_.now();
  Use use(*this, tenant);
  bool marked = false;
  {
    const std::scoped_lock lock(mutex_);
    marked = use.batch().marked;
  }
  if (!marked) PARLEY_CO_TRY(co_await mark(tenant, use.batch().opened_at));
  for (;;) {
    {
      const std::scoped_lock lock(mutex_);
      Batch& batch = use.batch();
      batch.marked = true;
      batch.last_noted = std::max(batch.last_noted, now);
      if (batch.held.size() < batch_entries_max) {
        batch.held.push_back({.entry = std::move(entry), .at = now});
        co_return Result<void>();
      }
    }
    PARLEY_CO_TRY(co_await write_out(tenant));
  }
}

Async<> TrailBatch::write_out(TenantId tenant) {
  Use use(*this, tenant);
  std::vector<Held> held;
  {
    const std::scoped_lock lock(mutex_);
    held.swap(use.batch().held);
  }
  if (held.empty()) co_return Result<void>();
  auto work = [this, &held](db::TenantWriter& writer) -> Result<void> {
    for (const auto& one : held) PARLEY_TRY(trail_.append(writer, one.entry, one.at));
    return {};
  };
  auto outcome = co_await store_.tenant(tenant).write(std::move(work));
  // Not found: the tenant has been removed, and its trail with it.
  if (outcome || outcome.error().code() == Code::not_found) co_return Result<void>();
  const std::scoped_lock lock(mutex_);
  auto& now_held = use.batch().held;
  now_held.insert(now_held.begin(), std::make_move_iterator(held.begin()), std::make_move_iterator(held.end()));
  co_return std::move(outcome);
}

Async<> TrailBatch::flush() {
  std::vector<TenantId> tenants;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [tenant, batch] : batches_)
      if (!batch.held.empty()) tenants.push_back(tenant);
  }
  Result<void> outcome;
  for (const auto tenant : tenants) {
    auto written = co_await write_out(tenant);
    if (!written) outcome = std::move(written);
  }
  auto closed = co_await close_idle(clock_.now() - batch_idle_close);
  if (!outcome) co_return std::move(outcome);
  co_return std::move(closed);
}

Async<> TrailBatch::close() {
  PARLEY_CO_TRY(co_await flush());
  co_return co_await close_idle(Timestamp{std::numeric_limits<std::int64_t>::max()});
}

Async<> TrailBatch::close_idle(Timestamp idle_before) {
  struct Closed {
    TenantId tenant;
    Timestamp opened_at;
  };
  std::vector<Closed> closed;
  {
    const std::scoped_lock lock(mutex_);
    std::erase_if(batches_, [&](const auto& entry) {
      const Batch& batch = entry.second;
      const bool idle = batch.held.empty() && batch.in_use == 0 && batch.last_noted < idle_before;
      if (idle && batch.marked) closed.push_back({.tenant = entry.first, .opened_at = batch.opened_at});
      return idle;
    });
  }
  if (closed.empty()) co_return Result<void>();
  const auto node = trail_.node().to_string();
  auto work = [&](db::ControlWriter& writer) -> Result<void> {
    for (const auto& [tenant, opened_at] : closed) {
      PARLEY_TRY(writer.run("DELETE FROM trail_open_batches WHERE node = $1 AND tenant_id = $2 AND opened_at = $3"_sql,
                            node, tenant, opened_at));
    }
    return {};
  };
  // If this fails the markers stay, and a gap is recorded at the next start where there was none: the safe side.
  co_return co_await store_.control().write(std::move(work));
}

void RefusalCounters::count(Literal rule) {
  const auto minute = clock_.now().micros / 60'000'000;
  const std::scoped_lock lock(mutex_);
  ++counts_[{minute, rule.view()}];
}

Async<> RefusalCounters::flush() {
  std::map<std::pair<std::int64_t, std::string_view>, std::int64_t> counts;
  {
    const std::scoped_lock lock(mutex_);
    counts.swap(counts_);
  }
  if (counts.empty()) co_return Result<void>();
  auto work = [&counts, node = node_.to_string()](db::ControlWriter& writer) -> Result<void> {
    for (const auto& [what, count] : counts) {
      PARLEY_TRY(
          writer.run("INSERT INTO anonymous_refusals (minute, node, rule, count) VALUES ($1, $2, $3, $4) "
                     "ON CONFLICT (minute, node, rule) DO UPDATE SET count = "
                     "anonymous_refusals.count + excluded.count"_sql,
                     what.first * 60'000'000, node, what.second, count));
    }
    return {};
  };
  auto outcome = co_await control_.write(std::move(work));
  if (!outcome) {
    const std::scoped_lock lock(mutex_);
    for (const auto& [what, count] : counts) counts_[what] += count;
  }
  co_return std::move(outcome);
}

}  // namespace parley::trail
