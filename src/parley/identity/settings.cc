#include "parley/identity/settings.h"

namespace parley::identity {

using namespace db::literals;

Result<std::optional<std::string>> find_setting(db::ControlReader& reader, Literal name) {
  return reader.find(
      "SELECT value FROM settings WHERE name = $1"_sql, [](const db::Row& row) { return std::string(row.text(0)); },
      name.view());
}

Result<void> put_setting(db::ControlWriter& writer, Literal name, std::string_view value) {
  PARLEY_TRY(
      writer.run("INSERT INTO settings (name, value) VALUES ($1, $2) "
                 "ON CONFLICT (name) DO UPDATE SET value = excluded.value"_sql,
                 name.view(), value));
  return {};
}

Result<Uuid> load_or_create_node_id(db::ControlWriter& writer, crypto::Random& random) {
  const auto stored = PARLEY_TRY(find_setting(writer, "node_id"));
  if (!stored) {
    const auto made = crypto::random_uuid(random);
    PARLEY_TRY(put_setting(writer, "node_id", made.to_string()));
    return made;
  }
  const auto id = Uuid::parse(*stored);
  if (!id) return fail(Code::data_corrupt, "the stored node id is not one");
  return *id;
}

Result<void> put_due(db::ControlWriter& writer, TenantId tenant, Literal kind, Timestamp at) {
  PARLEY_TRY(
      writer.run("INSERT INTO due (tenant_id, kind, at) VALUES ($1, $2, $3) "
                 "ON CONFLICT (tenant_id, kind) DO UPDATE SET at = "
                 "CASE WHEN excluded.at < due.at THEN excluded.at ELSE due.at END"_sql,
                 tenant, kind.view(), at));
  return {};
}

Result<std::vector<Due>> list_due(db::ControlReader& reader, Timestamp now, std::int64_t count_max) {
  return reader.all(
      "SELECT tenant_id, kind, at FROM due WHERE at <= $1 ORDER BY at LIMIT $2"_sql,
      [](const db::Row& row) {
        return Due{.tenant = row.id<TenantId>(0), .kind = std::string(row.text(1)), .at = row.time(2)};
      },
      now, count_max);
}

Result<void> remove_due(db::ControlWriter& writer, TenantId tenant, std::string_view kind, Timestamp at) {
  PARLEY_TRY(writer.run("DELETE FROM due WHERE tenant_id = $1 AND kind = $2 AND at <= $3"_sql, tenant, kind, at));
  return {};
}

}  // namespace parley::identity
