#include "parley/trail/seal_store.h"

#include <algorithm>

#include "parley/trail/rows.h"
#include "parley/trail/trail.h"

namespace parley::trail {

using namespace db::literals;

namespace {

StoredSeal seal_from(const db::Row& row) {
  return {.number = row.integer(0), .body = std::string(row.text(1)), .signature = std::string(row.blob(2))};
}

std::unexpected<Error> broken(const Head& head) {
  return fail(Code::data_corrupt, "the trail is not sealed: what was written since the last seal does not follow it",
              fmt::format("chain {}", head.node));
}

/// Whether the chain leads, record by record, from where it was sealed to its head.
Result<void> require_follows(db::TenantReader& reader, const Head& from, const Head& to) {
  if (from.seq > to.seq) return broken(to);
  Head at = from;
  bool holds = true;
  PARLEY_TRY(reader.each(
      "SELECT node, seq, epoch, at, kind, actor_kind, actor_id, action, object_kind, object_id, decision, rule, "
      "request_id, quantity, reference, prev, hash FROM trail WHERE node = $1 AND seq >= $2 AND seq <= $3 "
      "ORDER BY seq"_sql,
      [&](const db::Row& row) {
        const auto record = record_from(row);
        if (record.seq == from.seq && from.seq > 0) {
          holds = record.hash == from.hash.view() && record.epoch == from.epoch;
        } else {
          const auto hash = link(at.hash, record);
          holds = record.seq == at.seq + 1 && record.prev == at.hash.view() && record.hash == hash.view();
          at = {.node = at.node, .seq = record.seq, .epoch = record.epoch, .hash = hash};
        }
        return holds;
      },
      to.node, std::max<std::int64_t>(from.seq, 1), to.seq));
  if (!holds || at.seq != to.seq || at.hash != to.hash || at.epoch != to.epoch) return broken(to);
  return {};
}

}  // namespace

Result<std::vector<StoredSeal>> list_seals(db::TenantReader& reader) {
  return reader.all("SELECT number, body, signature FROM trail_seals ORDER BY number"_sql, seal_from);
}

Result<std::optional<StoredSeal>> find_last_seal(db::TenantReader& reader) {
  return reader.find("SELECT number, body, signature FROM trail_seals ORDER BY number DESC LIMIT 1"_sql, seal_from);
}

Result<std::optional<Seal>> draft_seal(db::TenantReader& reader, TenantId tenant, const crypto::PublicKey& key,
                                       Timestamp now) {
  Seal next{.tenant = tenant, .at = now, .previous = {}, .key = key, .heads = PARLEY_TRY(list_heads(reader))};
  std::vector<Head> sealed;
  if (const auto last = PARLEY_TRY(find_last_seal(reader))) {
    auto read = PARLEY_TRY(parse_seal(last->body));
    next.number = last->number + 1;
    next.previous = digest_of(*last);
    sealed = std::move(read.heads);
  }
  const bool moved = !std::ranges::equal(next.heads, sealed, [](const Head& a, const Head& b) {
    return a.node == b.node && a.seq == b.seq && a.epoch == b.epoch && a.hash == b.hash;
  });
  if (!moved) return std::nullopt;
  for (const auto& before : sealed)
    if (std::ranges::find(next.heads, before.node, &Head::node) == next.heads.end()) return broken(before);
  for (const auto& head : next.heads) {
    // A chain is named by a node's id; anything else was not written here, and could not be a word of the seal.
    if (!NodeId::parse(head.node)) return broken(head);
    const auto before = std::ranges::find(sealed, head.node, &Head::node);
    PARLEY_TRY(require_follows(reader, before == sealed.end() ? Head{.node = head.node, .hash = {}} : *before, head));
  }
  return next;
}

Result<void> put_seal(db::TenantWriter& writer, const StoredSeal& seal) {
  const auto last = PARLEY_TRY(find_last_seal(writer));
  const auto seen = PARLEY_TRY(parse_seal(seal.body));
  if ((last ? last->number : 0) + 1 != seal.number || (last && digest_of(*last) != seen.previous))
    return fail(Code::conflict, "another node has sealed this trail meanwhile");
  PARLEY_TRY(writer.run("INSERT INTO trail_seals (number, body, signature) VALUES ($1, $2, $3)"_sql, seal.number,
                        seal.body, db::Blob{seal.signature}));
  return {};
}

}  // namespace parley::trail
