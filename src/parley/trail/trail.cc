#include "parley/trail/trail.h"

#include "parley/trail/rows.h"

namespace parley::trail {

using namespace db::literals;

namespace {

Head head_from(const db::Row& row) {
  return {.node = std::string(row.text(0)),
          .seq = row.integer(1),
          .epoch = row.integer(2),
          .hash = crypto::Digest::from_bytes(row.blob(3)).value_or(crypto::Digest())};
}

// The end of a chain, locked until the transaction ends. The statement changes nothing, but on PostgreSQL it takes the
// row's lock and reads what the last holder left, where a plain SELECT could give two writers the same head; and it
// makes the row where there is none. On SQLite there is one writer per file anyway.
Result<Head> lock_head(db::TenantWriter& writer, std::string_view node) {
  const crypto::Digest none;
  auto head =
      PARLEY_TRY(writer.find("INSERT INTO trail_heads (node, seq, epoch, hash) VALUES ($1, 0, 1, $2) "
                             "ON CONFLICT ({tenant}node) DO UPDATE SET seq = trail_heads.seq "
                             "RETURNING node, seq, epoch, hash"_sql,
                             head_from, node, db::Blob{none.view()}));
  if (!head) return fail(Code::internal, "the trail has no head");
  return std::move(*head);
}

Result<Head> add(db::TenantWriter& writer, StoredRecord record, const Head& head) {
  record.seq = head.seq + 1;
  const auto hash = link(head.hash, record);
  PARLEY_TRY(writer.run(
      "INSERT INTO trail (node, seq, epoch, at, kind, actor_kind, actor_id, action, object_kind, object_id, decision, "
      "rule, request_id, quantity, reference, prev, hash) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"_sql,
      record.node, record.seq, record.epoch, record.at, record.kind, record.actor_kind, record.actor_id, record.action,
      record.object_kind, record.object_id, record.decision, record.rule, record.request_id, record.quantity,
      record.reference, db::Blob{head.hash.view()}, db::Blob{hash.view()}));
  PARLEY_TRY(writer.run("UPDATE trail_heads SET seq = $2, epoch = $3, hash = $4 WHERE node = $1"_sql, record.node,
                        record.seq, record.epoch, db::Blob{hash.view()}));
  return Head{.node = record.node, .seq = record.seq, .epoch = record.epoch, .hash = hash};
}

StoredRecord to_record(std::string node, const Entry& entry, Timestamp at, std::int64_t epoch) {
  return {.node = std::move(node),
          .epoch = epoch,
          .at = at.micros,
          .kind = std::string(name(entry.kind)),
          .actor_kind = std::string(entry.actor.kind()),
          .actor_id = entry.actor.id(),
          .action = std::string(entry.action.view()),
          .object_kind = std::string(entry.object.kind()),
          .object_id = entry.object.id(),
          .decision = std::string(name(entry.decision)),
          .rule = std::string(entry.rule.view()),
          .request_id = entry.request.uuid().is_nil() ? std::string() : entry.request.to_string(),
          .quantity = entry.quantity,
          .reference = entry.reference ? entry.reference->hex() : std::string()};
}

}  // namespace

Result<Head> Trail::append(db::TenantWriter& writer, const Entry& entry, Timestamp at) const {
  const auto head = PARLEY_TRY(lock_head(writer, node_.to_string()));
  return add(writer, to_record(node_.to_string(), entry, at, head.epoch), head);
}

Async<> Trail::append_now(db::TenantSession tenant, Entry entry) const {
  auto work = [this, &entry](db::TenantWriter& writer) { return append(writer, entry); };
  PARLEY_CO_TRY(co_await tenant.write(std::move(work)));
  co_return Result<void>();
}

Result<std::vector<Head>> Trail::open_epoch(db::TenantWriter& writer, std::optional<crypto::Digest> lost_head,
                                            const Actor& actor) const {
  auto heads = PARLEY_TRY(list_heads(writer));
  if (heads.empty()) heads.push_back({.node = node_.to_string()});
  const Entry entry{.kind = Kind::epoch,
                    .actor = actor,
                    .action = "restore",
                    .object = Object("trail"),
                    .rule = "restored_from_backup",
                    .request = {}};
  std::vector<Head> opened;
  for (const auto& listed : heads) {
    const auto head = PARLEY_TRY(lock_head(writer, listed.node));
    auto record = to_record(listed.node, entry, clock_->now(), head.epoch + 1);
    if (lost_head) record.reference = lost_head->hex();
    opened.push_back(PARLEY_TRY(add(writer, std::move(record), head)));
  }
  return opened;
}

Result<std::vector<Head>> list_heads(db::TenantReader& reader) {
  return reader.all("SELECT node, seq, epoch, hash FROM trail_heads ORDER BY node"_sql, head_from);
}

Result<std::vector<StoredRecord>> list_records(db::TenantReader& reader, std::int64_t count_max) {
  return reader.all(
      "SELECT node, seq, epoch, at, kind, actor_kind, actor_id, action, object_kind, object_id, decision, rule, "
      "request_id, quantity, reference, prev, hash FROM trail ORDER BY at DESC, node, seq DESC LIMIT $1"_sql,
      record_from, count_max);
}

}  // namespace parley::trail
