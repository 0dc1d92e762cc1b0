#include "parley/cli/backup.h"

#include <fcntl.h>
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

namespace parley::cli {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr std::string_view manifest_name = "manifest.json";
constexpr std::string_view manifest_digest_name = "manifest.sha256";
constexpr std::string_view config_name = "parley.toml";
constexpr int manifest_format = 1;
// A million tenants of two files each would be 200 MB of manifest; anything larger is not one.
constexpr std::uintmax_t manifest_bytes_max = 512U << 20;

std::unexpected<Error> disk_error(Literal what, const fs::path& path) {
  const int error = errno;
  return fail(error == ENOSPC || error == EDQUOT ? Code::storage_full : Code::unavailable, what,
              path.string() + ": " + std::strerror(error));
}

Result<void> sync_path(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return disk_error("a file of the backup cannot be opened", path);
  const int outcome = ::fsync(fd);
  ::close(fd);
  if (outcome != 0) return disk_error("a file of the backup cannot be synced", path);
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

std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), folder).generic_string());
  std::ranges::sort(files);
  return files;
}

bool is_absent_or_empty(const fs::path& folder) {
  std::error_code error;
  return !fs::exists(folder, error) || fs::is_empty(folder, error);
}

/// A path from a manifest may only lead below the backup's own folder.
bool is_plain_relative(std::string_view name) {
  const fs::path path(name);
  return !name.empty() && path.is_relative() &&
         std::ranges::none_of(path, [](const fs::path& part) { return part == ".." || part == "."; });
}

std::string hex_of(const crypto::SealKeyId& id) {
  std::string text;
  for (const auto byte : id.bytes) text += fmt::format("{:02x}", byte);
  return text;
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
  if (digest != wanted)
    return fail(Code::data_corrupt, "the backup's manifest is not what was written", path.string());
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

Result<BackupReport> back_up(server::Installation& at, const fs::path& folder) {
  if (!is_absent_or_empty(folder)) return fail(Code::conflict, "the backup's folder must be empty", folder.string());
  PARLEY_TRY(at.store->backup_to(folder));
  std::error_code error;
  fs::permissions(folder, fs::perms::owner_all, error);
  if (fs::exists(at.data() / config_name, error)) {
    std::ifstream config(at.data() / config_name, std::ios::binary);
    PARLEY_TRY(write_file(folder / config_name, std::string(std::istreambuf_iterator<char>(config), {})));
  }

  BackupReport report;
  json::array files;
  for (const auto& name : files_below(folder)) {
    const auto measured = PARLEY_TRY(measure(folder / name));
    files.push_back(json::object{{"name", name}, {"bytes", measured.bytes}, {"sha256", measured.digest}});
    ++report.files;
    report.bytes += measured.bytes;
  }
  const json::object manifest{{"format", manifest_format},
                              {"made_by", PARLEY_VERSION},
                              {"made_at", to_rfc3339(at.clock.now())},
                              {"master_key", hex_of(at.keyring->master_id())},
                              {"files", std::move(files)}};
  const std::string text = json::serialize(manifest);
  PARLEY_TRY(write_file(folder / manifest_name, text));
  // Last: a backup that was cut short has none, and is refused.
  PARLEY_TRY(write_file(folder / manifest_digest_name, crypto::sha256(text).hex() + "\n"));
  PARLEY_TRY(sync_path(folder));
  return report;
}

Result<fs::path> back_up_before_migration(server::Installation& at) {
  const auto folder = at.data() / "backups" / fmt::format("before-migrate-{}", std::time(nullptr));
  PARLEY_TRY(back_up(at, folder));
  return folder;
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
  if (files_below(folder).size() != files.size() + 2)
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
  std::error_code error;
  if (!std::getenv(identity::master_key_variable) && !fs::exists(data / "master.key", error)) {
    return fail(Code::not_found, "the master key is needed",
                fmt::format("set {} or put master.key into {}", identity::master_key_variable, data.string()));
  }
  const auto key = PARLEY_TRY(identity::load_or_create_master_key(data));
  if (!wanted || !wanted->is_string() || std::string_view(wanted->get_string()) != hex_of(key.id()))
    return fail(Code::invalid_argument, "the master key is not the one this backup was made under");
  return {};
}

Result<std::int64_t> begin_epochs(server::Installation& at, std::uint32_t uid) {
  std::int64_t count = 0;
  for (const auto& tenant : PARLEY_TRY(at.wait(at.tenants->list()))) {
    PARLEY_TRY(at.store->tenant(tenant.id).write_blocking([&](db::TenantWriter& writer) {
      return at.trail->open_epoch(writer, std::nullopt, trail::Actor::local_user(uid));
    }));
    ++count;
  }
  return count;
}

Result<std::string> run_restore(const CommandLine& line, const Restore& command) {
  const auto report = PARLEY_TRY(verify_backup(command.from));
  const auto checked = fmt::format("{} files, {} bytes, all as they were written\n", report.files, report.bytes);
  if (command.verify) return checked;

  std::error_code error;
  if (fs::exists(line.data, error)) {
    // Only the key may be there beforehand: anything else would be mixed with what is restored.
    for (const auto& entry : fs::directory_iterator(line.data, error))
      if (entry.path().filename() != "master.key")
        return fail(Code::conflict, "the data folder must be empty, but for master.key", line.data.string());
  }
  PARLEY_TRY(require_master_key(command.from, line.data));
  PARLEY_TRY(copy_back(command.from, line.data));
  const auto installation = PARLEY_TRY(server::Installation::open(line.data));
  const auto tenants = PARLEY_TRY(begin_epochs(*installation, ::geteuid()));
  return checked + fmt::format("restored {} organisations into {}; indexes are made again when first used\n", tenants,
                               line.data.string());
}

}  // namespace

int restore(const CommandLine& line, const Restore& command, server::Output& output) {
  const auto outcome = run_restore(line, command);
  if (!outcome) {
    output.err(fmt::format("parley: {}\n", describe_for_operator(outcome.error())));
    return 1;
  }
  output.out(line.json ? json::serialize(json::object{{"ok", true}, {"verified_only", command.verify}}) + "\n"
                       : *outcome);
  return 0;
}

}  // namespace parley::cli
