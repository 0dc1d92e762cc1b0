#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bench/measure.h"

namespace parley::bench {

/// Copies of the Markdown below `from` under `to`, with words changed from copy to copy (a search index of equal pages
/// would be smaller than a real one), until there are `bytes_wanted`. The bytes written.
inline std::size_t multiply_corpus(const std::filesystem::path& from, const std::filesystem::path& to,
                                   std::size_t bytes_wanted) {
  namespace fs = std::filesystem;
  std::vector<std::pair<fs::path, std::string>> pages;
  for (const auto& entry : fs::recursive_directory_iterator(from)) {
    if (!entry.is_regular_file() || entry.path().extension() != ".md") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    pages.emplace_back(fs::relative(entry.path(), from), std::string(std::istreambuf_iterator<char>(file), {}));
  }
  if (pages.empty()) give_up("there is no Markdown in " + from.string());
  std::size_t written = 0;
  for (std::size_t copy = 0; written < bytes_wanted; ++copy) {
    for (const auto& [name, text] : pages) {
      // Every seventh longer word gets the copy's own ending.
      std::string changed;
      changed.reserve(text.size() + text.size() / 8);
      std::size_t letters = 0, words = 0;
      for (const char c : text) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && letters >= 6 && ++words % 7 == 0) changed += fmt::format("{:x}", copy % 4096);
        letters = letter ? letters + 1 : 0;
        changed += c;
      }
      const auto target = to / fmt::format("copy{:04}", copy) / name;
      fs::create_directories(target.parent_path());
      std::ofstream(target, std::ios::binary) << changed;
      written += changed.size();
      if (written >= bytes_wanted) break;
    }
  }
  return written;
}

}  // namespace parley::bench
