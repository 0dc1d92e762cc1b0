#include "parley/server/sealer.h"

#include <algorithm>

#include "parley/identity/control_by_tenant.h"
#include "parley/identity/settings.h"
#include "parley/trail/seal_store.h"

namespace parley::server {
namespace {

namespace by_tenant = identity::by_tenant;

constexpr Literal due_kind = "trail_seal";
constexpr std::chrono::microseconds day = std::chrono::hours(24);
constexpr std::chrono::microseconds retry_after = std::chrono::hours(1);
// One takes some milliseconds and a sync. A sweep comes every minute; what a stop leaves, the next start finds due.
constexpr std::int64_t sweep_tenants_max = 1'000;
constexpr std::size_t stop_tenants_max = 200;

std::int64_t day_of(Timestamp at) { return at.micros / day.count(); }
Timestamp next_day(Timestamp at) { return {(day_of(at) + 1) * day.count()}; }

}  // namespace

void Sealer::note_used(TenantId tenant) {
  const std::scoped_lock lock(mutex_);
  if (!due_.contains(tenant)) used_.insert(tenant);
}

Result<void> Sealer::put_due() {
  const auto now = clock_.now();
  std::vector<TenantId> tenants;
  {
    const std::scoped_lock lock(mutex_);
    // Another node may have sealed, and removed the entry that this one counts on; a day later at the latest it is put
    // again.
    if (std::exchange(day_, day_of(now)) != day_of(now)) due_.clear();
    tenants.assign(used_.begin(), used_.end());
  }
  if (tenants.empty()) return {};
  PARLEY_TRY(store_.control().write_blocking([&](db::ControlWriter& writer) -> Result<void> {
    for (const auto tenant : tenants) PARLEY_TRY(identity::put_due(writer, tenant, due_kind, next_day(now)));
    return {};
  }));
  const std::scoped_lock lock(mutex_);
  for (const auto tenant : tenants) {
    used_.erase(tenant);
    due_.insert(tenant);
  }
  return {};
}

Result<std::optional<trail::StoredSeal>> Sealer::seal(TenantId tenant) {
  const auto session = store_.tenant(tenant);
  const auto draft = PARLEY_TRY(session.read_blocking(
      [&](db::TenantReader& reader) { return trail::draft_seal(reader, tenant, key_.public_key(), clock_.now()); }));
  if (!draft) return std::nullopt;
  auto made = trail::sign(*draft, key_);
  PARLEY_TRY(session.write_blocking([&](db::TenantWriter& writer) { return trail::put_seal(writer, made); }));
  // After the tenant's own: what is known here must be there.
  const by_tenant::LastSeal mark{.number = made.number, .digest = trail::digest_of(made), .at = draft->at};
  PARLEY_TRY(store_.control().write_blocking(
      [&](db::ControlWriter& writer) { return by_tenant::put_last_seal(tenant, mark, writer); }));
  return made;
}

Result<Sealer::Swept> Sealer::seal_all(const std::vector<TenantId>& tenants, Timestamp due_at) {
  Swept swept;
  for (const auto tenant : tenants) {
    {
      // First: whoever uses it from now on may write what this seal does not cover.
      const std::scoped_lock lock(mutex_);
      due_.erase(tenant);
    }
    auto made = seal(tenant);
    // Not found: the tenant has been removed. Conflict: another node was quicker.
    const bool failed = !made && made.error().code() != Code::not_found && made.error().code() != Code::conflict;
    if (made && *made) ++swept.sealed;
    PARLEY_TRY(store_.control().write_blocking([&](db::ControlWriter& writer) -> Result<void> {
      PARLEY_TRY(identity::remove_due(writer, tenant, due_kind.view(), due_at));
      if (failed) PARLEY_TRY(identity::put_due(writer, tenant, due_kind, clock_.now() + retry_after));
      return {};
    }));
    if (failed) swept.failed.push_back(std::move(made).error().with_detail(tenant.to_string()));
  }
  return swept;
}

Result<Sealer::Swept> Sealer::sweep() {
  const auto now = clock_.now();
  const auto due = PARLEY_TRY(store_.control().read_blocking(
      [&](db::ControlReader& reader) { return identity::list_due(reader, now, sweep_tenants_max); }));
  std::vector<TenantId> tenants;
  for (const auto& one : due)
    if (one.kind == due_kind.view()) tenants.push_back(one.tenant);
  return seal_all(tenants, now);
}

bool Sealer::was_sealed_today(TenantId tenant) const {
  const auto last =
      store_.tenant(tenant).read_blocking([](db::TenantReader& reader) { return trail::find_last_seal(reader); });
  if (!last || !*last) return false;
  const auto seal = trail::parse_seal((*last)->body);
  return seal && day_of(seal->at) == day_of(clock_.now());
}

Result<Sealer::Swept> Sealer::finish() {
  PARLEY_TRY(put_due());
  // Until the end of tomorrow: everything that is waiting for the end of today.
  const auto until = next_day(clock_.now() + day);
  const auto due = PARLEY_TRY(store_.control().read_blocking(
      [&](db::ControlReader& reader) { return identity::list_due(reader, until, sweep_tenants_max); }));
  std::vector<TenantId> tenants;
  for (const auto& one : due) {
    if (tenants.size() == stop_tenants_max) break;
    if (one.kind == due_kind.view() && !was_sealed_today(one.tenant)) tenants.push_back(one.tenant);
  }
  return seal_all(tenants, until);
}

Result<trail::Report> Sealer::verify(TenantId tenant, std::optional<crypto::Digest> head,
                                     const trail::SealExport* exported) const {
  // Before the tenant's own tables are read: a seal made meanwhile is then one more there, which is no contradiction.
  const auto last = PARLEY_TRY(store_.control().read_blocking(
      [&](db::ControlReader& reader) { return by_tenant::find_last_seal(tenant, reader); }));
  trail::Expected expected{.head = head,
                           .tenant = tenant,
                           .keys = {key_.public_key()},
                           .mark = {},
                           .records = trail::Expected::Records::must_be_some};
  if (last) expected.mark = trail::SealMark{.number = last->number, .digest = last->digest};
  if (exported) {
    // From elsewhere, so beyond the reach of whoever changed this machine: the key in it counts as ours.
    if (exported->key != key_.public_key()) expected.keys.push_back(exported->key);
    expected.exported_seals = exported->seals;
  }
  return store_.tenant(tenant).read_blocking([&](db::TenantReader& reader) { return trail::verify(reader, expected); });
}

Result<trail::SealExport> Sealer::export_seals(TenantId tenant) const {
  auto seals = PARLEY_TRY(
      store_.tenant(tenant).read_blocking([](db::TenantReader& reader) { return trail::list_seals(reader); }));
  return trail::SealExport{.tenant = tenant, .key = key_.public_key(), .seals = std::move(seals)};
}

Result<void> Sealer::take_over(TenantId tenant) {
  const auto last = PARLEY_TRY(
      store_.tenant(tenant).read_blocking([](db::TenantReader& reader) { return trail::find_last_seal(reader); }));
  return store_.control().write_blocking([&](db::ControlWriter& writer) -> Result<void> {
    if (!last) return by_tenant::forget_last_seal(tenant, writer);
    const auto seal = PARLEY_TRY(trail::parse_seal(last->body));
    return by_tenant::put_last_seal(tenant, {.number = last->number, .digest = trail::digest_of(*last), .at = seal.at},
                                    writer);
  });
}

}  // namespace parley::server
