#include "parley/trail/verify.h"

#include <algorithm>
#include <utility>

#include "parley/trail/rows.h"
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
  }
  std::unreachable();
}

Damage Report::damage() const {
  for (const auto& chain : chains)
    if (chain.damage != Damage::none) return chain.damage;
  return head == HeadVerdict::missing ? Damage::cut_tail : Damage::none;
}

void Verifier::feed(const StoredRecord& record) {
  if (chains_.empty() || chains_.back().report.node != record.node) {
    chains_.push_back({.report = {.node = record.node}});
  }
  look_at(chains_.back(), record);
  hashes_.insert(record.hash);
}

void Verifier::look_at(Chain& chain, const StoredRecord& record) {
  ChainReport& report = chain.report;
  ++report.records;
  if (report.damage != Damage::none) return;  // what follows a break proves nothing

  const std::int64_t expected_seq = report.records;
  const auto hash = link(report.head, record);
  const bool follows = record.prev == report.head.view();
  const bool holds = record.hash == hash.view();
  const bool next_epoch = record.kind == name(Kind::epoch) && record.epoch == chain.epoch + 1;
  if (record.seq == expected_seq && follows && holds && (record.epoch == chain.epoch || next_epoch)) {
    report.head = hash;
    report.epochs += next_epoch ? 1 : 0;
    chain.epoch = record.epoch;
    if (expected_head_ && hash == *expected_head_) head_ = HeadVerdict::found;
    if (expected_head_ && next_epoch && record.reference == expected_head_->hex() && head_ != HeadVerdict::found)
      head_ = HeadVerdict::lost_epoch;
    return;
  }

  report.broken_at = expected_seq;
  chain.broken_prev = record.prev;
  if (record.seq != expected_seq) report.damage = Damage::removed;
  else if (follows || holds) report.damage = Damage::changed;
  // It belongs behind another record. Whether that one is elsewhere (moved) or nowhere (missing) is known at the end.
  else chain.points_elsewhere = true, report.damage = Damage::removed;
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
  for (auto& chain : chains_) report.chains.push_back(std::move(chain.report));
  for (const auto& head : heads) {
    const bool known = std::ranges::find(report.chains, head.node, &ChainReport::node) != report.chains.end();
    if (!known)
      report.chains.push_back(
          {.node = head.node, .damage = head.seq == 0 ? Damage::changed : Damage::cut_tail, .broken_at = 1});
  }
  if (expected_head_) report.head = head_ == HeadVerdict::not_asked ? HeadVerdict::missing : head_;
  return report;
}

Result<Report> verify(db::TenantReader& reader, std::optional<crypto::Digest> expected_head) {
  Verifier verifier(expected_head);
  PARLEY_TRY(reader.each(
      "SELECT node, seq, epoch, at, kind, actor_kind, actor_id, action, object_kind, object_id, decision, rule, "
      "request_id, quantity, reference, prev, hash FROM trail ORDER BY node, seq"_sql,
      [&](const db::Row& row) { verifier.feed(record_from(row)); }));
  const auto heads = PARLEY_TRY(list_heads(reader));
  return verifier.finish(heads);
}

}  // namespace parley::trail
