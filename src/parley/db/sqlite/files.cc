#include "parley/db/sqlite/files.h"
#include "parley/net/descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace parley::db::sqlite {
namespace {

using net::Descriptor;

namespace fs = std::filesystem;

std::unexpected<Error> failed(int error, const char* doing, const fs::path& path) {
  const auto detail = std::string(doing) + " " + path.string() + ": " + std::strerror(error);
  if (error == ENOSPC || error == EDQUOT) return fail(Code::storage_full, "the disk is full", detail);
  if (error == ENOENT) return fail(Code::not_found, "no such file", detail);
  return fail(Code::unavailable, "a file cannot be used", detail);
}

}  // namespace

Result<void> sync_path(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return failed(errno, "opening", path);
  if (::fsync(file.get()) != 0) return failed(errno, "syncing", path);
  return {};
}

Result<void> publish_file(const fs::path& target, std::string_view bytes) {
  fs::path temporary = target;
  temporary += ".new";
  {
    const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (file.get() < 0) return failed(errno, "making", temporary);
    while (!bytes.empty()) {
      const auto written = ::write(file.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        auto error = failed(errno, "writing", temporary);
        ::unlink(temporary.c_str());
        return error;
      }
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  return publish_renamed(temporary, target);
}

Result<void> publish_renamed(const fs::path& temporary, const fs::path& target) {
  PARLEY_TRY(sync_path(temporary));
  if (::rename(temporary.c_str(), target.c_str()) != 0) return failed(errno, "renaming", temporary);
  return sync_path(target.parent_path());
}

Result<std::string> load_file(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return failed(errno, "opening", path);
  std::string bytes;
  std::string buffer(1 << 16, '\0');
  for (;;) {
    const auto got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno, "reading", path);
    if (got == 0) return bytes;
    bytes.append(buffer, 0, static_cast<std::size_t>(got));
  }
}

Result<void> make_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return {};
  const auto parent = folder.has_parent_path() ? folder.parent_path() : fs::path(".");
  if (parent != folder) PARLEY_TRY(make_folder(parent));
  // Only the owner: it holds people's conversations.
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return failed(errno, "making", folder);
  return sync_path(parent);
}

Result<void> remove_folder(const fs::path& folder) {
  const auto parent = folder.parent_path();
  const auto doomed = parent / (std::string(removing_prefix) + folder.filename().string());
  std::error_code error;
  fs::remove_all(doomed, error);  // left by an interrupted removal of the same folder
  if (::rename(folder.c_str(), doomed.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return failed(errno, "renaming", folder);
  }
  PARLEY_TRY(sync_path(parent));
  fs::remove_all(doomed, error);
  if (error) return failed(error.value(), "removing", doomed);
  return sync_path(parent);
}

}  // namespace parley::db::sqlite
