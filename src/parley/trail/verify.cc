#include "parley/trail/verify.h"

#include <algorithm>
#include <utility>

#include "parley/trail/rows.h"
#include "parley/trail/seal_store.h"
#include "parley/trail/trail.h"

namespace parley::trail {

using namespace db::literals;

std::string_view name(Damage damage) {
  switch (damage) {
    case Damage::none: return "none";
    case Damage::changed: return "changed";
    case Damage::removed: return "removed";
    case Damage::reordered: return "reordered";
    case Damage::cut_tail: return "cut_tail";
    case Damage::changed_seal: return "changed_seal";
    case Damage::removed_seal: return "removed_seal";
    case Damage::absent: return "absent";
  }
  std::unreachable();
}

std::string_view name(HeadVerdict verdict) {
  switch (verdict) {
    case HeadVerdict::not_asked: return "not_asked";
    case HeadVerdict::found: return "found";
    case HeadVerdict::lost_epoch: return "lost_with_a_restore";
    case HeadVerdict::missing: return "missing";
  }
  std::unreachable();
}

Damage Report::damage() const {
  for (const auto& chain : chains)
    if (chain.damage != Damage::none) return chain.damage;
  if (seals.damage != Damage::none) return seals.damage;
  if (head == HeadVerdict::missing || exported_seals == HeadVerdict::missing) return Damage::cut_tail;
  return other;
}

Verifier::Verifier(Expected expected, const std::vector<StoredSeal>& seals) : expected_(std::move(expected)) {
  read_seals(seals);
  if (!expected_.exported_seals.empty()) exported_seals_ = HeadVerdict::found;
  for (const auto& stored : expected_.exported_seals) {
    const auto seal = read_seal(stored);
    if (!seal) {
      // It says nothing of this trail, so it cannot have been kept.
      exported_seals_ = HeadVerdict::missing;
      continue;
    }
    for (const auto& head : seal->heads)
      promises_.emplace(std::pair(head.node, head.seq),
                        Promise{.epoch = head.epoch, .hash = head.hash, .exported = true});
  }
}

std::optional<Seal> Verifier::read_seal(const StoredSeal& stored) const {
  auto seal = parse_seal(stored.body);
  if (!seal || seal->number != stored.number || !is_signed_by(stored, seal->key)) return std::nullopt;
  if (expected_.tenant && seal->tenant != *expected_.tenant) return std::nullopt;
  if (!expected_.keys.empty() && std::ranges::find(expected_.keys, seal->key) == expected_.keys.end())
    return std::nullopt;
  return *std::move(seal);
}

void Verifier::read_seals(const std::vector<StoredSeal>& seals) {
  crypto::Digest previous;
  const auto broken = [&](Damage damage) {
    seals_.damage = damage;
    seals_.broken_number = seals_.count + 1;
  };
  for (const auto& stored : seals) {
    if (stored.number != seals_.count + 1) return broken(Damage::removed_seal);
    const auto seal = read_seal(stored);
    if (!seal || seal->previous != previous || seal->at < seals_.last_at) return broken(Damage::changed_seal);
    previous = digest_of(stored);
    if (expected_.mark && expected_.mark->number == stored.number && expected_.mark->digest != previous)
      return broken(Damage::changed_seal);
    ++seals_.count;
    seals_.last_at = seal->at;
    sealed_ = seal->heads;
    for (const auto& head : seal->heads)
      promises_.emplace(std::pair(head.node, head.seq), Promise{.epoch = head.epoch, .hash = head.hash});
  }
  if (expected_.mark && expected_.mark->number > seals_.count) broken(Damage::removed_seal);
}

void Verifier::feed(const StoredRecord& record, Types types) {
  if (chains_.empty() || chains_.back().report.node != record.node) {
    chains_.push_back({.report = {.node = record.node}});
  }
  look_at(chains_.back(), record, types);
  hashes_.insert(record.hash);
}

void Verifier::look_at(Chain& chain, const StoredRecord& record, Types types) {
  ChainReport& report = chain.report;
  ++report.records;
  if (report.damage != Damage::none) return;  // what follows a break proves nothing

  const std::int64_t expected_seq = report.records;
  const auto hash = link(report.head, record);
  const bool follows = record.prev == report.head.view();
  const bool holds = record.hash == hash.view() && types == Types::as_written;
  const bool next_epoch = record.kind == name(Kind::epoch) && record.epoch == chain.epoch + 1;
  if (record.seq == expected_seq && follows && holds && (record.epoch == chain.epoch || next_epoch)) {
    report.head = hash;
    report.epochs += next_epoch ? 1 : 0;
    if (next_epoch) chain.epochs_from.push_back(record.seq);
    chain.epoch = record.epoch;
    const auto promised = promises_.equal_range({record.node, record.seq});
    for (auto promise = promised.first; promise != promised.second; ++promise)
      promise->second.kept = promise->second.hash == hash && promise->second.epoch == record.epoch;
    if (!expected_.head) return;
    if (hash == *expected_.head) head_ = HeadVerdict::found;
    if (next_epoch && record.reference == expected_.head->hex() && head_ != HeadVerdict::found)
      head_ = HeadVerdict::lost_epoch;
    return;
  }

  report.broken_at = expected_seq;
  chain.broken_prev = record.prev;
  if (record.seq != expected_seq) report.damage = Damage::removed;
  else if (follows || holds || types == Types::changed) report.damage = Damage::changed;
  // It belongs behind another record. Whether that one is elsewhere (moved) or nowhere (missing) is known at the end.
  else chain.points_elsewhere = true, report.damage = Damage::removed;
}

/// Every head that a seal names must have been met.
void Verifier::require_promises(Report& report) {
  report.exported_seals = exported_seals_;
  for (const auto& [where, promise] : promises_) {
    if (promise.kept) continue;
    const auto& [node, seq] = where;
    const auto chain = std::ranges::find(chains_, node, [](const Chain& c) { return c.report.node; });
    if (promise.exported) {
      // An epoch begun later, at or before that place, took the place of what was sealed.
      const bool given_up = chain != chains_.end() && promise.epoch <= std::ssize(chain->epochs_from) &&
                            chain->epochs_from[static_cast<std::size_t>(promise.epoch - 1)] <= seq;
      if (!given_up) report.exported_seals = HeadVerdict::missing;
      else if (report.exported_seals == HeadVerdict::found) report.exported_seals = HeadVerdict::lost_epoch;
      continue;
    }
    // The file's own seals go back with it at a restore, so what they name must be there.
    if (chain == chains_.end()) {
      if (std::ranges::find(report.chains, node, &ChainReport::node) == report.chains.end())
        report.chains.push_back({.node = node, .damage = Damage::cut_tail, .broken_at = 1});
      continue;
    }
    ChainReport& result = chain->report;
    if (result.damage != Damage::none) continue;
    result.damage = result.records < seq ? Damage::cut_tail : Damage::changed;
    result.broken_at = std::min(result.records + 1, seq);
  }
}

Report Verifier::finish(const std::vector<Head>& heads) {
  Report report;
  for (auto& chain : chains_) {
    ChainReport& result = chain.report;
    if (chain.points_elsewhere && hashes_.contains(chain.broken_prev)) result.damage = Damage::reordered;
    const auto head = std::ranges::find(heads, result.node, &Head::node);
    if (result.damage == Damage::none) {
      const bool ends_there =
          head != heads.end() && head->seq == result.records && head->hash == result.head && head->epoch == chain.epoch;
      if (!ends_there) {
        // A head further on knows of records that are gone; any other head is itself not what was written.
        result.damage = head != heads.end() && head->seq > result.records ? Damage::cut_tail : Damage::changed;
        result.broken_at = result.records + (result.damage == Damage::cut_tail ? 1 : 0);
      }
    }
    report.records += result.records;
  }
  require_promises(report);
  seals_.records_after = report.records;
  for (const auto& head : sealed_) seals_.records_after -= head.seq;
  seals_.records_after = std::max<std::int64_t>(seals_.records_after, 0);  // where records are missing
  report.seals = seals_;
  for (auto& chain : chains_) report.chains.push_back(std::move(chain.report));
  for (const auto& head : heads) {
    const bool known = std::ranges::find(report.chains, head.node, &ChainReport::node) != report.chains.end();
    if (!known)
      report.chains.push_back(
          {.node = head.node, .damage = head.seq == 0 ? Damage::changed : Damage::cut_tail, .broken_at = 1});
  }
  if (expected_.head) report.head = head_ == HeadVerdict::not_asked ? HeadVerdict::missing : head_;
  if (report.records == 0 && expected_.records == Expected::Records::must_be_some) report.other = Damage::absent;
  return report;
}

namespace {

Types types_from(const db::Row& row, int column) {
  return row.integer(column) == 1 ? Types::as_written : Types::changed;
}

/// PostgreSQL's columns hold what they were declared for; SQLite's hold anything, so there each row says whether its
/// values are of the types they were written with.
Result<void> feed_all(db::TenantReader& reader, Verifier& verifier) {
  const auto feed = [&](const db::Row& row) { verifier.feed(record_from(row), types_from(row, 17)); };
  if (reader.engine() == db::Engine::postgres) {
    return reader.each(
        "SELECT node, seq, epoch, at, kind, actor_kind, actor_id, action, object_kind, object_id, decision, rule, "
        "request_id, quantity, reference, prev, hash, 1 FROM trail ORDER BY node, seq"_sql,
        feed);
  }
  return reader.each(
      "SELECT node, seq, epoch, at, kind, actor_kind, actor_id, action, object_kind, object_id, decision, rule, "
      "request_id, quantity, reference, prev, hash, typeof(node) = 'text' AND typeof(seq) = 'integer' AND "
      "typeof(epoch) = 'integer' AND typeof(at) = 'integer' AND typeof(kind) = 'text' AND typeof(actor_kind) = 'text' "
      "AND typeof(actor_id) = 'text' AND typeof(action) = 'text' AND typeof(object_kind) = 'text' AND "
      "typeof(object_id) = 'text' AND typeof(decision) = 'text' AND typeof(rule) = 'text' AND "
      "typeof(request_id) = 'text' AND typeof(quantity) = 'integer' AND typeof(reference) = 'text' AND "
      "typeof(prev) = 'blob' AND typeof(hash) = 'blob' FROM trail ORDER BY node, seq"_sql,
      feed);
}

/// The same for the two small tables: how many of their rows hold something of another type.
Result<std::pair<bool, bool>> other_types(db::TenantReader& reader) {
  if (reader.engine() == db::Engine::postgres) return std::pair(false, false);
  const auto count = [](const db::Row& row) { return row.integer(0); };
  const auto heads = PARLEY_TRY(
      reader.find("SELECT count(*) FROM trail_heads WHERE NOT (typeof(node) = 'text' AND typeof(seq) = 'integer' AND "
                  "typeof(epoch) = 'integer' AND typeof(hash) = 'blob')"_sql,
                  count));
  const auto seals = PARLEY_TRY(
      reader.find("SELECT count(*) FROM trail_seals WHERE NOT (typeof(number) = 'integer' AND typeof(body) = 'text' "
                  "AND typeof(signature) = 'blob')"_sql,
                  count));
  return std::pair(heads.value_or(0) > 0, seals.value_or(0) > 0);
}

}  // namespace

Result<Report> verify(db::TenantReader& reader, Expected expected) {
  const auto seals = PARLEY_TRY(list_seals(reader));
  Verifier verifier(std::move(expected), seals);
  PARLEY_TRY(feed_all(reader, verifier));
  const auto heads = PARLEY_TRY(list_heads(reader));
  auto report = verifier.finish(heads);
  const auto [heads_differ, seals_differ] = PARLEY_TRY(other_types(reader));
  if (seals_differ && report.seals.damage == Damage::none) report.seals.damage = Damage::changed_seal;
  if (heads_differ && report.other == Damage::none) report.other = Damage::changed;
  return report;
}

}  // namespace parley::trail
