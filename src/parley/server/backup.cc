#include "parley/server/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "parley/crypto/hash.h"
#include "parley/identity/master_key.h"
#include "parley/net/clock.h"
#include "parley/net/descriptor.h"
#include "parley/server/data_folder.h"
#include "parley/server/sealer.h"
#include "parley/trail/trail.h"

namespace parley::server {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr std::string_view manifest_name = "manifest.json";
constexpr std::string_view manifest_digest_name = "manifest.sha256";
constexpr std::string_view config_name = "parley.toml";
constexpr std::string_view node_name = "node_id";
constexpr int manifest_format = 1;
// A million tenants of two files each would be 200 MB of manifest; anything larger is not one.
constexpr std::uintmax_t manifest_bytes_max = 512U << 20;

std::unexpected<Error> disk_error(Literal what, const fs::path& path) {
  const int error = errno;
  return fail(error == ENOSPC || error == EDQUOT ? Code::storage_full : Code::unavailable, what,
              path.string() + ": " + std::strerror(error));
}

Result<void> sync_path(const fs::path& path) {
  const net::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return disk_error("a file of the backup cannot be opened", path);
  if (::fsync(file.get()) != 0) return disk_error("a file of the backup cannot be synced", path);
  return {};
}

Result<void> write_file(const fs::path& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) return disk_error("a file of the backup cannot be written", path);
  return sync_path(path);
}

struct Measured {
  std::int64_t bytes = 0;
  std::string digest;
};

Result<Measured> measure(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Code::data_corrupt, "a file of the backup is missing", path.string());
  crypto::Sha256 hash;
  Measured measured;
  std::vector<char> buffer(1 << 20);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), file.gcount() > 0) {
    hash.update({buffer.data(), static_cast<std::size_t>(file.gcount())});
    measured.bytes += file.gcount();
  }
  if (file.bad()) return fail(Code::data_corrupt, "a file of the backup cannot be read", path.string());
  measured.digest = hash.finish().hex();
  return measured;
}

Result<std::vector<std::string>> files_below(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    // A link could lead anywhere; a backup of ours has none.
    if (entry->is_symlink(error)) return fail(Code::data_corrupt, "a backup holds no links", entry->path().string());
    if (entry->is_regular_file(error)) files.push_back(fs::relative(entry->path(), folder, error).generic_string());
  }
  if (error) return fail(Code::unavailable, "the backup's folder cannot be read", error.message());
  std::ranges::sort(files);
  return files;
}

/// Makes the folder for this user alone, or takes an empty one of theirs: in somebody else's they could read what is
/// written, or put something in its place.
Result<void> claim(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) == 0) return {};
  if (errno != EEXIST) return disk_error("the backup's folder cannot be made", folder);
  struct stat info{};
  if (::lstat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != ::geteuid())
    return fail(Code::permission_denied, "the backup's folder belongs to somebody else", folder.string());
  if (!fs::is_empty(folder, error) || error)
    return fail(Code::conflict, "the backup's folder must be empty", folder.string());
  if (::chmod(folder.c_str(), 0700) != 0) return disk_error("the backup's folder cannot be made private", folder);
  return {};
}

/// A path from a manifest may only lead below the backup's own folder.
bool is_plain_relative(std::string_view name) {
  const fs::path path(name);
  return !name.empty() && path.is_relative() &&
         std::ranges::none_of(path, [](const fs::path& part) { return part == ".." || part == "."; });
}

Result<json::object> load_manifest(const fs::path& folder) {
  const auto path = folder / manifest_name;
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error || size > manifest_bytes_max) return fail(Code::data_corrupt, "the backup has no manifest", path.string());
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  // The whole file, to the byte, like everything else in a backup.
  const std::string wanted = crypto::sha256(text).hex() + "\n";
  std::ifstream digest_file(folder / manifest_digest_name, std::ios::binary);
  std::string digest(wanted.size() + 1, '\0');
  digest_file.read(digest.data(), static_cast<std::streamsize>(digest.size()));
  digest.resize(static_cast<std::size_t>(digest_file.gcount()));
  if (digest != wanted) return fail(Code::data_corrupt, "the backup's manifest is not what was written", path.string());
  boost::system::error_code parse_error;
  auto value = json::parse(text, parse_error);
  if (parse_error || !value.is_object())
    return fail(Code::data_corrupt, "the backup's manifest cannot be read", path.string());
  return std::move(value.get_object());
}

struct ManifestFile {
  std::string name;
  std::int64_t bytes;
  std::string digest;
};

Result<std::vector<ManifestFile>> files_of(const json::object& manifest) {
  const auto* format = manifest.if_contains("format");
  const auto* files = manifest.if_contains("files");
  if (!format || *format != manifest_format || !files || !files->is_array())
    return fail(Code::unsupported, "the backup is of a format this version does not know");
  std::vector<ManifestFile> list;
  for (const auto& entry : files->get_array()) {
    const auto* object = entry.if_object();
    const auto* name = object ? object->if_contains("name") : nullptr;
    const auto* bytes = object ? object->if_contains("bytes") : nullptr;
    const auto* digest = object ? object->if_contains("sha256") : nullptr;
    if (!name || !name->is_string() || !bytes || !bytes->is_int64() || !digest || !digest->is_string() ||
        !is_plain_relative(name->get_string()))
      return fail(Code::data_corrupt, "the backup's manifest cannot be read");
    list.push_back({std::string(name->get_string()), bytes->get_int64(), std::string(digest->get_string())});
  }
  return list;
}

}  // namespace

Result<BackupReport> back_up(db::Store& store, const DataFolder& from, const fs::path& folder) {
  PARLEY_TRY(claim(folder));
  PARLEY_TRY(store.backup_to(folder));
  std::error_code error;
  PARLEY_TRY(write_file(folder / node_name, from.node().to_string() + "\n"));
  if (fs::exists(from.path() / config_name, error)) {
    std::ifstream config(from.path() / config_name, std::ios::binary);
    PARLEY_TRY(write_file(folder / config_name, std::string(std::istreambuf_iterator<char>(config), {})));
  }

  BackupReport report;
  json::array files;
  for (const auto& name : PARLEY_TRY(files_below(folder))) {
    const auto measured = PARLEY_TRY(measure(folder / name));
    files.push_back(json::object{{"name", name}, {"bytes", measured.bytes}, {"sha256", measured.digest}});
    ++report.files;
    report.bytes += measured.bytes;
  }
  const json::object manifest{{"format", manifest_format},
                              {"made_by", PARLEY_VERSION},
                              {"made_at", to_rfc3339(net::SystemClock().now())},
                              {"master_key", to_hex(from.keyring().master_id())},
                              {"files", std::move(files)}};
  const std::string text = json::serialize(manifest);
  PARLEY_TRY(write_file(folder / manifest_name, text));
  // Last: a backup that was cut short has none, and is refused.
  PARLEY_TRY(write_file(folder / manifest_digest_name, crypto::sha256(text).hex() + "\n"));
  PARLEY_TRY(sync_path(folder));
  return report;
}

Result<BackupReport> verify_backup(const fs::path& folder) {
  const auto manifest = PARLEY_TRY(load_manifest(folder));
  const auto files = PARLEY_TRY(files_of(manifest));
  BackupReport report;
  for (const auto& file : files) {
    const auto measured = PARLEY_TRY(measure(folder / file.name));
    if (measured.bytes != file.bytes || measured.digest != file.digest)
      return fail(Code::data_corrupt, "a file of the backup is not what was written", file.name);
    ++report.files;
    report.bytes += measured.bytes;
  }
  // A file nobody listed would be restored unchecked, or means that the manifest is not this backup's.
  if (PARLEY_TRY(files_below(folder)).size() != files.size() + 2)
    return fail(Code::data_corrupt, "the backup holds files that its manifest does not list", folder.string());
  return report;
}

namespace {

Result<void> copy_back(const fs::path& from, const fs::path& data) {
  const auto manifest = PARLEY_TRY(load_manifest(from));
  for (const auto& file : PARLEY_TRY(files_of(manifest))) {
    const auto target = data / file.name;
    std::error_code error;
    fs::create_directories(target.parent_path(), error);
    if (!error) fs::copy_file(from / file.name, target, error);
    if (error) return fail(Code::unavailable, "the backup cannot be copied", target.string() + ": " + error.message());
    PARLEY_TRY(sync_path(target));
    // What was checked is the backup; what will be used is the copy.
    if (PARLEY_TRY(measure(target)).digest != file.digest)
      return fail(Code::data_corrupt, "a file changed while it was copied", target.string());
  }
  return sync_path(data);
}

/// The key has to be there before anything is copied: without it the data would be restored and unreadable.
Result<void> require_master_key(const fs::path& from, const fs::path& data) {
  const auto manifest = PARLEY_TRY(load_manifest(from));
  const auto* wanted = manifest.if_contains("master_key");
  const auto key = PARLEY_TRY(identity::load_master_key(data, identity::IfMissing::refuse));
  if (!wanted || !wanted->is_string() || std::string_view(wanted->get_string()) != to_hex(key.id()))
    return fail(Code::invalid_argument, "the master key is not the one this backup was made under");
  return {};
}

/// Begins a new epoch of every chain, before anything else is written to one, and seals it: from here on the restored
/// trail cannot be exchanged for another unnoticed.
Result<std::int64_t> begin_epochs(const DataFolder& folder, std::uint32_t uid) {
  const auto store = PARLEY_TRY(folder.open_store(db::Migrate::at_opening));
  const net::SystemClock clock;
  const trail::Trail trail(trail::NodeId(folder.node()), clock);
  Sealer sealer(*store, PARLEY_TRY(trail::sealing_key(folder.keyring())), clock);
  const auto tenants = PARLEY_TRY(store->tenants());
  for (const TenantId& tenant : tenants) {
    PARLEY_TRY(store->tenant(tenant).write_blocking([&](db::TenantWriter& writer) {
      return trail.open_epoch(writer, std::nullopt, trail::Actor::local_user(uid));
    }));
    PARLEY_TRY(sealer.take_over(tenant));
    // A trail that was damaged before the backup stays unsealed; `trail verify` tells.
    const auto sealed = sealer.seal(tenant);
    if (!sealed && sealed.error().code() != Code::data_corrupt) return fail(sealed.error());
  }
  return static_cast<std::int64_t>(tenants.size());
}

}  // namespace

Result<RestoreReport> restore_backup(const fs::path& from, const fs::path& data, std::uint32_t uid) {
  RestoreReport report{.backup = PARLEY_TRY(verify_backup(from))};
  const auto lock = PARLEY_TRY(DataLock::take(data));
  std::error_code error;
  // Only the key may be there beforehand: anything else would be mixed with what is restored.
  for (const auto& entry : fs::directory_iterator(data, error))
    if (entry.path().filename() != "master.key" && entry.path().filename() != "lock")
      return fail(Code::conflict, "the data folder must be empty, but for master.key", data.string());
  PARLEY_TRY(require_master_key(from, data));

  // Made in a folder of its own first, and moved up once everything is there. The node id goes last: without it and
  // control.db no command takes the folder for one with data.
  const fs::path draft = data / "restoring";
  fs::create_directories(draft, error);
  fs::permissions(data, fs::perms::owner_all, error);
  fs::permissions(draft, fs::perms::owner_all, error);
  if (fs::exists(data / "master.key", error)) {
    fs::copy_file(data / "master.key", draft / "master.key", error);
    if (!error) fs::permissions(draft / "master.key", fs::perms::owner_read | fs::perms::owner_write, error);
  }
  if (error) return fail(Code::unavailable, "the data folder cannot be made", draft.string() + ": " + error.message());
  PARLEY_TRY(copy_back(from, draft));
  {
    const auto folder = PARLEY_TRY(DataFolder::open(draft, Absent::refuse));
    report.tenants = PARLEY_TRY(begin_epochs(folder, uid));
  }
  std::vector<fs::path> made;
  for (const auto& entry : fs::directory_iterator(draft, error)) {
    const auto name = entry.path().filename();
    if (name != "master.key" && name != "lock") made.push_back(name);
  }
  std::ranges::sort(made, {}, [](const fs::path& name) {
    return name == node_name ? 2 : name == "control.db" ? 1 : 0;
  });
  for (const auto& name : made) {
    if (error) break;
    fs::rename(draft / name, data / name, error);
  }
  if (!error) fs::remove_all(draft, error);
  if (error) return fail(Code::unavailable, "the restored files cannot be put in place", error.message());
  PARLEY_TRY(sync_path(data));
  return report;
}

}  // namespace parley::server
