#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"

namespace parley::knowledge {

enum class Format { markdown, mdx, html, text };

/// The format a file's name stands for; none if it is not one that is read.
std::optional<Format> find_format(std::string_view file_name);

/// A file to read, and its path below the folder that was asked for ('/'-separated).
struct FoundFile {
  std::filesystem::path file;
  std::string path;
  Format format;
};

/// A file or folder that was left out, and why.
struct SkippedFile {
  std::string path;
  std::string reason;  ///< for the operator who started the ingestion
};

struct FoundFiles {
  std::vector<FoundFile> files;      ///< by path
  std::vector<SkippedFile> skipped;  ///< what has a readable format and still cannot be taken
  std::vector<std::string> unread;   ///< paths below which nothing is known, since a folder could not be read
};

/// Folders deeper than this are a loop made of mounts, not documentation.
inline constexpr int folder_depth_max = 64;
/// Paths are kept in memory while an ingestion runs, 200 bytes or so each.
inline constexpr std::size_t files_max = 1'000'000;

/// Everything below `root` that is read: hidden names and node_modules are passed over, linked folders are not entered,
/// and a linked file is taken only if what it links to lies below `root` too: else a folder of pages that somebody else
/// may write to would be a way to any file of this machine. not_found if `root` is not a folder that can be read.
Result<FoundFiles> find_files(const std::filesystem::path& root);

/// The bytes of an ordinary file of at most `bytes_max`. Does not follow a link at its end and does not wait for a
/// pipe. not_found, permission_denied, unsupported (not an ordinary file), too_large, or unavailable.
Result<std::string> read_file(const std::filesystem::path& file, std::size_t bytes_max);

}  // namespace parley::knowledge
