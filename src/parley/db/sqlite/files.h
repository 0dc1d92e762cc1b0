#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "parley/base/result.h"

namespace parley::db::sqlite {

/// Returns when the file's content, or the folder's list of names, is on the disk.
Result<void> sync_path(const std::filesystem::path& path);

/// Puts `bytes` under `target` so that after a crash there is either the whole synced file or none of that name.
Result<void> publish_file(const std::filesystem::path& target, std::string_view bytes);
/// The same for a file that somebody else wrote under a temporary name in the same folder.
Result<void> publish_renamed(const std::filesystem::path& temporary, const std::filesystem::path& target);

Result<std::string> load_file(const std::filesystem::path& path);

/// Makes a folder and those above it, durably.
Result<void> make_folder(const std::filesystem::path& folder);

/// Removes a folder and everything in it. After a crash it is there whole, or gone under its name: what is left of it
/// then starts with `removing_prefix` and is nobody's.
Result<void> remove_folder(const std::filesystem::path& folder);
inline constexpr std::string_view removing_prefix = ".removing-";

}  // namespace parley::db::sqlite
