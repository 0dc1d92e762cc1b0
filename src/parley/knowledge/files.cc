#include "parley/knowledge/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "parley/knowledge/decode.h"
#include "parley/net/descriptor.h"

namespace parley::knowledge {
namespace {

using net::Descriptor;

namespace fs = std::filesystem;

bool is_below(const fs::path& file, const fs::path& root) {
  const auto [end, ignored] = std::mismatch(root.begin(), root.end(), file.begin(), file.end());
  return end == root.end();
}

void walk(const fs::path& folder, const std::string& prefix, const fs::path& root, int depth, FoundFiles& found) {
  if (depth > folder_depth_max) {
    found.skipped.push_back({prefix, "folders are nested too deeply"});
    found.unread.push_back(prefix);
    return;
  }
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error) {
    found.skipped.push_back({prefix.empty() ? "." : prefix, "folder cannot be read: " + error.message()});
    found.unread.push_back(prefix);
    return;
  }
  for (; entries != fs::directory_iterator(); entries.increment(error)) {
    if (error) break;
    const std::string name = entries->path().filename().string();
    if (name.starts_with('.') || name == "node_modules") continue;
    const std::string path = prefix + name;
    fs::path file = entries->path();
    const auto status = entries->symlink_status(error);
    if (error) {
      error.clear();
      continue;  // gone while we looked
    }
    if (fs::is_directory(status)) {
      if (is_utf8(name)) walk(file, path + "/", root, depth + 1, found);
      else found.skipped.push_back({prefix + "?", "folder's name is not UTF-8"});
      continue;
    }
    const auto format = find_format(name);
    if (!format) continue;
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
    if (!is_utf8(name) || std::ranges::any_of(name, control)) {
      found.skipped.push_back({prefix + "?", "file name is not UTF-8, or has control characters"});
      continue;
    }
    if (fs::is_symlink(status)) {
      std::error_code broken;
      file = fs::canonical(file, broken);
      if (broken || !is_below(file, root)) {
        found.skipped.push_back({path, broken ? "link leads nowhere" : "link leads out of the folder"});
        continue;
      }
      if (fs::is_directory(file, broken)) continue;
      // By its target's own name: a link must not bring in what would be passed over where it lies.
      const auto below = file.lexically_relative(root);
      const bool hidden =
          std::ranges::any_of(below, [](const fs::path& part) { return part.string().starts_with('.'); });
      if (hidden || !find_format(file.filename().string())) {
        found.skipped.push_back({path, "link leads to a file that is not taken"});
        continue;
      }
    } else if (!fs::is_regular_file(status)) {
      found.skipped.push_back({path, "not an ordinary file"});
      continue;
    }
    if (found.files.size() == files_max) {
      found.skipped.push_back({path, "more files than one ingestion takes"});
      found.unread.push_back("");
      return;
    }
    found.files.push_back({std::move(file), path, *format});
  }
  if (error) {
    found.skipped.push_back({prefix, "folder cannot be read to its end: " + error.message()});
    found.unread.push_back(prefix);
  }
}

}  // namespace

std::optional<Format> find_format(std::string_view file_name) {
  const auto dot = file_name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return std::nullopt;
  std::string ending(file_name.substr(dot + 1));
  for (char& c : ending)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  if (ending == "md" || ending == "markdown") return Format::markdown;
  if (ending == "mdx") return Format::mdx;
  if (ending == "html" || ending == "htm") return Format::html;
  if (ending == "txt" || ending == "rst") return Format::text;
  return std::nullopt;
}

Result<FoundFiles> find_files(const fs::path& root) {
  std::error_code error;
  const fs::path real = fs::canonical(root, error);
  if (error || !fs::is_directory(real, error)) return fail(Code::not_found, "no such folder", root.string());
  FoundFiles found;
  walk(real, "", real, 0, found);
  std::ranges::sort(found.files, {}, &FoundFile::path);
  return found;
}

Result<std::string> read_file(const fs::path& file, std::size_t bytes_max) {
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (descriptor.get() < 0) {
    const std::string why = std::strerror(errno);
    if (errno == ENOENT) return fail(Code::not_found, "file is gone", why);
    if (errno == EACCES || errno == EPERM) return fail(Code::permission_denied, "file may not be read", why);
    return fail(Code::unavailable, "file cannot be opened", why);
  }
  struct stat status{};
  if (::fstat(descriptor.get(), &status) != 0)
    return fail(Code::unavailable, "file cannot be read", std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return fail(Code::unsupported, "not an ordinary file");
  if (static_cast<std::size_t>(status.st_size) > bytes_max)
    return fail(Code::too_large, "larger than a document may be");
  std::string bytes;
  // It may grow while it is read, so the limit is kept here as well; one byte more tells "full" from "longer".
  bytes.resize(std::min(static_cast<std::size_t>(status.st_size), bytes_max) + 1);
  std::size_t size = 0;
  for (;;) {
    if (size == bytes.size()) {
      if (size > bytes_max) return fail(Code::too_large, "larger than a document may be");
      bytes.resize(std::min(bytes.size() * 2, bytes_max + 1));
    }
    const ssize_t got = ::read(descriptor.get(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Code::unavailable, "file cannot be read", std::strerror(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace parley::knowledge
