// A backup taken while questions come in, restored into an empty folder, and compared with what was backed up.
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "bench/inside.h"
#include "bench/server_process.h"
#include "parley/chat/chat_store.h"
#include "parley/server/backup.h"

namespace parley::bench {
namespace {

using namespace db::literals;
namespace fs = std::filesystem;

/// Every row of every table as text, sealed contents included: what must be equal after a restore.
struct Rows {
  std::map<std::string, std::vector<std::string>> tables;
  std::size_t count() const {
    std::size_t sum = 0;
    for (const auto& [name, rows] : tables) sum += rows.size();
    return sum;
  }
};

template <class Reader>
Result<void> collect(Reader& reader, const db::Sql& sql, const std::string& table, Rows& rows) {
  auto& into = rows.tables[table];
  return reader.each(sql, [&](const db::Row& row) { into.emplace_back(row.text(0)); });
}

/// The trail of a restored folder goes on with a new epoch, so only its records up to the backup can be equal.
Rows rows_of(server::Installation& at) {
  Rows rows;
  must(at.store->control().read_blocking([&](db::ControlReader& reader) -> Result<void> {
    PARLEY_TRY(collect(reader,
                       "SELECT id || '|' || name || '|' || state || '|' || hex(sealed_key) || '|' || created_at "
                       "FROM tenants ORDER BY id"_sql,
                       "tenants", rows));
    PARLEY_TRY(collect(reader,
                       "SELECT slug || '|' || tenant_id || '|' || project_id || '|' || is_private || '|' || state "
                       "FROM projects_by_slug ORDER BY slug"_sql,
                       "projects_by_slug", rows));
    PARLEY_TRY(collect(reader,
                       "SELECT id || '|' || hex(digest) || '|' || tenant_id || '|' || coalesce(project_id, '') || "
                       "'|' || kind || '|' || name || '|' || scopes || '|' || origins || '|' || created_at || '|' "
                       "|| expires_at || '|' || coalesce(revoked_at, '') FROM api_keys ORDER BY id"_sql,
                       "api_keys", rows));
    PARLEY_TRY(collect(reader, "SELECT id || '|' || email || '|' || password_hash FROM accounts ORDER BY id"_sql,
                       "accounts", rows));
    return collect(reader, "SELECT name || '|' || value FROM settings ORDER BY name"_sql, "settings", rows);
  }),
       "read the control database");
  for (const auto& tenant : must(at.wait(at.tenants->list()), "list tenants")) {
    must(at.store->tenant(tenant.id).read_blocking([&](db::TenantReader& reader) -> Result<void> {
      PARLEY_TRY(collect(reader,
                         "SELECT id || '|' || slug || '|' || name || '|' || is_private || '|' || settings || '|' "
                         "|| created_at || '|' || updated_at FROM projects ORDER BY id"_sql,
                         "projects", rows));
      PARLEY_TRY(collect(reader,
                         "SELECT id || '|' || project_id || '|' || owner || '|' || hex(details) || '|' || "
                         "message_count || '|' || created_at || '|' || updated_at FROM chats ORDER BY id"_sql,
                         "chats", rows));
      PARLEY_TRY(collect(reader,
                         "SELECT id || '|' || chat_id || '|' || ordinal || '|' || sender || '|' || "
                         "coalesce(answered, '') || '|' || hex(content) || '|' || created_at FROM messages "
                         "ORDER BY id"_sql,
                         "messages", rows));
      PARLEY_TRY(collect(reader,
                         "SELECT id || '|' || project_id || '|' || kind || '|' || name || '|' || base_url FROM "
                         "sources ORDER BY id"_sql,
                         "sources", rows));
      PARLEY_TRY(collect(reader,
                         "SELECT id || '|' || project_id || '|' || source_id || '|' || path || '|' || url || '|' "
                         "|| title || '|' || description || '|' || keywords || '|' || boost || '|' || "
                         "hex(digest) || '|' || bytes || '|' || revision FROM documents ORDER BY id"_sql,
                         "documents", rows));
      PARLEY_TRY(collect(reader, "SELECT document_id || '|' || hex(body) FROM passages ORDER BY document_id"_sql,
                         "passages", rows));
      PARLEY_TRY(collect(reader, "SELECT project_id || '|' || revision FROM knowledge_state ORDER BY project_id"_sql,
                         "knowledge_state", rows));
      return collect(reader,
                     "SELECT node || '|' || seq || '|' || epoch || '|' || at || '|' || action || '|' || hex(hash) "
                     "FROM trail WHERE epoch = 1 ORDER BY node, seq"_sql,
                     "trail", rows);
    }),
         "read a tenant");
  }
  return rows;
}

std::size_t differences(const Rows& before, const Rows& after) {
  std::size_t count = 0;
  for (const auto& [table, rows] : before.tables) {
    const auto found = after.tables.find(table);
    const bool equal = found != after.tables.end() && found->second == rows;
    if (equal) continue;
    remark(fmt::format("table {} differs: {} rows before, {} after", table, rows.size(),
                       found == after.tables.end() ? 0 : found->second.size()));
    ++count;
  }
  return count;
}

/// Every message of every chat opens with its tenant's key; how many there are.
std::size_t open_messages(server::Installation& at) {
  std::size_t messages = 0;
  for (const auto& tenant : must(at.wait(at.tenants->list()), "list tenants")) {
    const auto key = must(at.wait(at.tenants->load_key(tenant.id)), "open a tenant's key");
    must(at.store->tenant(tenant.id).read_blocking([&](db::TenantReader& reader) -> Result<void> {
      const auto chats =
          PARLEY_TRY(reader.all("SELECT id FROM chats"_sql, [](const db::Row& row) { return row.id<ChatId>(0); }));
      for (const auto& chat : chats) messages += PARLEY_TRY(chat::load_messages(reader, key, chat)).size();
      return {};
    }),
         "open the messages");
  }
  return messages;
}

void restore(const fs::path& program, const fs::path& from_data, const fs::path& backup, const fs::path& to) {
  fs::create_directories(to);
  fs::permissions(to, fs::perms::owner_all);
  fs::copy_file(from_data / "master.key", to / "master.key");
  if (run_command(program, to, {"restore", backup.string()}).status != 0) give_up("the restore failed");
}

/// Changes one byte at a time anywhere in the backup; how many changes went unnoticed.
std::size_t flip_bytes(const fs::path& backup, long flips, std::mt19937_64& random) {
  std::vector<std::pair<fs::path, std::uintmax_t>> files;
  std::uintmax_t total = 0;
  for (const auto& entry : fs::recursive_directory_iterator(backup)) {
    if (!entry.is_regular_file()) continue;
    total += entry.file_size();
    files.emplace_back(entry.path(), total);
  }
  std::size_t unnoticed = 0;
  for (long i = 0; i < flips; ++i) {
    // Half of them by size, half by file: the small files are the manifest and its digest.
    const auto by_size = std::ranges::upper_bound(files, random() % total, {}, [](const auto& f) { return f.second; });
    const auto& file = i % 2 == 0 ? by_size->first : files[random() % files.size()].first;
    const auto at = random() % fs::file_size(file);
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    char byte = 0;
    stream.seekg(static_cast<std::streamoff>(at));
    stream.get(byte);
    const char changed = static_cast<char>(byte ^ static_cast<char>(1U << (random() % 8)));
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(changed).flush();
    if (server::verify_backup(backup)) {
      remark(fmt::format("not noticed: byte {} of {}", at, file.string()));
      ++unnoticed;
    }
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(byte).flush();
  }
  if (!server::verify_backup(backup)) give_up("the backup is not whole after the flips were undone");
  return unnoticed;
}

}  // namespace
}  // namespace parley::bench

int main(int argc, char** argv) {
  using namespace parley::bench;
  const auto program = option(argc, argv, "program").value_or("build/release/src/parley/parley");
  const long flips = option(argc, argv, "flips", 200);
  const auto seed = static_cast<std::uint64_t>(option(argc, argv, "seed", static_cast<long>(std::random_device{}())));
  const auto documents = tigerbeetle_documents();
  if (!documents) return 0;
  std::mt19937_64 random(seed);
  const Scratch scratch;
  const auto data = scratch / "data";
  raise_limits(data);
  const auto place = make_place(program, data, "backup", *documents);
  for (int i = 0; i < 20; ++i) run_command(program, data, {"tenant", "create", fmt::format("other{}", i)});

  const Questions questions;
  Ledger before, during;
  std::vector<double> alone, meanwhile;
  double backup_ms = 0;
  {
    ServerProcess server(program, data);
    std::vector<std::string> texts;
    const auto ask = [&](std::size_t) {
      texts.push_back(questions.at(texts.size()));
      return chat_request(place.slug, place.key, texts.back());
    };
    auto load = run_load({.port = server.port(), .connections = 16, .requests_max = 1'500, .rate = 300}, ask,
                         [&](std::size_t n, const Reply& reply) { before.add_reply(place.slug, texts[n], reply); });
    alone = load.times_ms;
    texts.clear();
    std::atomic<bool> done = false;
    std::jthread backing([&] {
      const auto begin = Time::now();
      if (run_command(program, data, {"backup", (scratch / "backup").string()}).status != 0)
        give_up("the backup failed");
      backup_ms = milliseconds_since(begin);
      done = true;
    });
    while (!done) {
      const auto base = texts.size();
      load = run_load({.port = server.port(), .connections = 16, .requests_max = 60, .rate = 300}, ask,
                      [&](std::size_t n, const Reply& reply) { during.add_reply(place.slug, texts[base + n], reply); });
      meanwhile.insert(meanwhile.end(), load.times_ms.begin(), load.times_ms.end());
    }
    backing.join();
    if (server.stop() != 0) give_up("the server did not end well");
  }
  // What was acknowledged before the backup began is in it, and everything in it is whole.
  restore(program, data, scratch / "backup", scratch / "restored");
  std::size_t broken = 0, messages = 0;
  {
    const auto at = open_installation(scratch / "restored");
    for (const auto& line : before.check(*at, Ledger::Which::all)) {
      remark(line);
      ++broken;
    }
    messages = open_messages(*at);
  }
  report("backup under load: what was acknowledged before is in the restored folder", broken == 0,
         fmt::format("{} messages acknowledged before, {} while it ran, {} restored and opened; backup took {:.0f} ms, "
                     "chats meanwhile p95 {:.1f} ms against {:.1f}",
                     before.messages(), during.messages(), messages, backup_ms, percentile(meanwhile, 0.95),
                     percentile(alone, 0.95)));

  // With nobody writing, every row must be equal.
  std::size_t different = 0, rows = 0;
  if (run_command(program, data, {"backup", (scratch / "quiet").string()}).status != 0) give_up("the backup failed");
  restore(program, data, scratch / "quiet", scratch / "again");
  {
    const auto original = rows_of(*open_installation(data));
    const auto restored = rows_of(*open_installation(scratch / "again"));
    different = differences(original, restored);
    rows = original.count();
    const auto verified =
        run_command(program, scratch / "again", {"restore", "--verify", (scratch / "quiet").string()});
    if (verified.status != 0) ++different;
  }
  report("backup and restore: every row and message equal", different == 0, fmt::format("{} rows compared", rows));

  const auto unnoticed = flip_bytes(scratch / "quiet", flips, random);
  report("a flipped byte in a backup is refused", unnoticed == 0,
         fmt::format("{} flips at random places, seed {}", flips, seed));
  return broken + different + unnoticed == 0 ? 0 : 1;
}
