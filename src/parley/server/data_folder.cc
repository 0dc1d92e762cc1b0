#include "parley/server/data_folder.h"

#include <sys/resource.h>

#include <ctime>
#include <fstream>

#include <fmt/format.h>

#include "parley/identity/master_key.h"
#include "parley/identity/settings.h"
#include "parley/log/log.h"
#include "parley/server/backup.h"

namespace parley::server {
namespace {

namespace fs = std::filesystem;

constexpr Literal master_key_setting = "master_key";

std::string read_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

Result<void> write_line(const fs::path& file, std::string_view line) {
  std::ofstream out(file, std::ios::trunc);
  out << line << '\n';
  if (!out.flush()) return fail(Code::storage_full, "the data folder cannot be written", file.string());
  return {};
}

/// Open tenants and indexes are bounded by what may be opened; the usual soft limit of 1,024 is for programs that use
/// select(), which this one does not.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

/// A new installation begins in a folder with nothing of anybody else's in it.
Result<void> require_empty(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error)) return {};
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const auto name = entry.path().filename();
    if (name != "parley.toml" && name != "master.key" && name != "lock")
      return fail(Code::conflict, "this folder holds other things than Parley's data", entry.path().string());
  }
  if (error) return fail(Code::unavailable, "the data folder cannot be read", folder.string() + ": " + error.message());
  return {};
}

}  // namespace

std::string to_hex(const crypto::SealKeyId& id) {
  std::string text;
  for (const auto byte : id.bytes) text += fmt::format("{:02x}", byte);
  return text;
}

Result<DataFolder> DataFolder::open(fs::path path, Absent absent) {
  std::error_code error;
  const auto node_file = path / "node_id";
  const bool has_data = fs::exists(node_file, error) || fs::exists(path / "control.db", error);
  if (!has_data && absent == Absent::refuse)
    return fail(Code::not_found,
                "there is no Parley data in this folder; `parley serve` or `parley tenant create` makes it",
                path.string());
  if (!has_data) PARLEY_TRY(require_empty(path));
  auto lock = PARLEY_TRY(DataLock::take(path, patience));
  // Others on the machine have no business in it: keys, chats and indexes are here.
  fs::permissions(path, fs::perms::owner_all, error);
  if (error) return fail(Code::unavailable, "the data folder cannot be made private", path.string());
  auto config = PARLEY_TRY(load_config(path / "parley.toml"));
  raise_descriptor_limit();

  DataFolder folder(std::move(path), std::move(lock), std::move(config));
  folder.keyring_ = std::make_unique<crypto::Keyring>(PARLEY_TRY(
      identity::load_master_key(folder.path_, has_data ? identity::IfMissing::refuse : identity::IfMissing::create)));
  // After the key: a folder whose key could not be written is not one that had a key and lost it.
  const auto node = Uuid::parse(read_line(node_file));
  folder.node_ = node.value_or(crypto::random_uuid());
  if (!node) PARLEY_TRY(write_line(node_file, folder.node_.to_string()));
  return folder;
}

Result<std::unique_ptr<db::Store>> DataFolder::open_unchecked(db::Migrate migrate) const {
  if (config_.database_url) return db::open_postgres({.connection = *config_.database_url, .migrate = migrate});
  return db::open_sqlite({.folder = path_, .migrate = migrate});
}

Result<void> DataFolder::copy_before_upgrade() const {
  const auto mark = path_ / "version";
  const std::string before = read_line(mark);
  if (before == PARLEY_VERSION) return {};
  if (!before.empty()) {
    const auto copy = path_ / "backups" / fmt::format("before-{}-{}", PARLEY_VERSION, std::time(nullptr));
    const auto store = PARLEY_TRY(open_unchecked(db::Migrate::on_request));
    PARLEY_TRY(back_up(*store, *this, copy));
    log::write(log::Level::info, "backup_before_upgrade", {log::Field::operator_text("folder", copy.string())});
  }
  return write_line(mark, PARLEY_VERSION);
}

Result<std::unique_ptr<db::Store>> DataFolder::open_store(db::Migrate migrate) const {
  // PostgreSQL is backed up by its own tools, before an upgrade too.
  if (migrate == db::Migrate::at_opening && !config_.database_url) PARLEY_TRY(copy_before_upgrade());
  auto store = PARLEY_TRY(open_unchecked(migrate));
  if (migrate == db::Migrate::on_request) return store;
  const std::string mine = to_hex(keyring_->master_id());
  const auto theirs = PARLEY_TRY(store->control().write_blocking([&](db::ControlWriter& writer) -> Result<std::string> {
    if (auto found = PARLEY_TRY(identity::find_setting(writer, master_key_setting))) return *std::move(found);
    PARLEY_TRY(identity::put_setting(writer, master_key_setting, mine));
    return mine;
  }));
  if (theirs != mine)
    return fail(Code::invalid_argument, "this is not the master key that the data is sealed under",
                fmt::format("it is {}, the data needs {}", mine, theirs));
  return store;
}

}  // namespace parley::server
