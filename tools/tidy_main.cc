// tidy [--write-postures] POSTURES_MD     run from the root of the repository; see tidy.h for what it holds to.
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tools/tidy.h"

namespace {

namespace fs = std::filesystem;

std::optional<std::string> read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

/// Names parted by NUL that `git ARGUMENTS` prints; none if there is no git or no work tree.
std::optional<std::vector<std::string>> git(const char* arguments) {
  FILE* pipe = ::popen(fmt::format("git {} 2>/dev/null", arguments).c_str(), "r");
  if (pipe == nullptr) return std::nullopt;
  std::string output;
  std::array<char, 65536> buffer;
  for (std::size_t size = 0; (size = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.append(buffer.data(), size);
  }
  if (::pclose(pipe) != 0) return std::nullopt;
  std::vector<std::string> names;
  std::string_view rest = output;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    names.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return names;
}

/// What git tracks and what it would track; outside a work tree (a release archive), every file but build products.
std::vector<std::string> paths() {
  if (auto names = git("ls-files -z --cached --others --exclude-standard")) return *names;
  std::vector<std::string> names;
  for (auto it = fs::recursive_directory_iterator("."); it != fs::recursive_directory_iterator(); ++it) {
    const std::string name = it->path().lexically_relative(".").generic_string();
    if (it->is_directory() &&
        (name == ".git" || name == "build" || name == "parley_data" || it->path().filename() == "node_modules")) {
      it.disable_recursion_pending();
    } else if (it->is_regular_file()) {
      names.push_back(name);
    }
  }
  return names;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string_view> arguments(argv + 1, argv + argc);
  const bool write = std::erase(arguments, "--write-postures") != 0;
  if (arguments.size() != 1 || !fs::exists("cmake/parley_module.cmake")) {
    fmt::print(stderr, "usage, from the root of the repository: tidy [--write-postures] BUILD/generated/postures.md\n");
    return 2;
  }
  const auto postures = read(arguments.front());
  if (!postures) {
    fmt::print(stderr, "tidy: cannot read {}; configure first: cmake --preset dev\n", arguments.front());
    return 2;
  }
  if (write) {
    const std::string text = parley::tidy::with_postures(read("SECURITY.md").value_or(""), *postures);
    if (text.empty()) {
      fmt::print(stderr, "tidy: SECURITY.md has no marks for the table\n");
      return 2;
    }
    std::ofstream("SECURITY.md", std::ios::binary) << text;
  }

  parley::tidy::Tree tree;
  for (const std::string& path : paths()) {
    const fs::file_status status = fs::symlink_status(path);
    if (!fs::is_regular_file(status)) continue;  // removed but still tracked, or a link
    if (auto text = read(path)) {
      const bool executable = (status.permissions() & fs::perms::owner_exec) != fs::perms::none;
      tree.files.push_back({path, std::move(*text), executable});
    }
  }
  std::ranges::sort(tree.files, {}, &parley::tidy::File::path);

  const auto findings = parley::tidy::check(tree, *postures);
  for (const auto& finding : findings) {
    fmt::print("{}:{}: error: {}\n", finding.path, finding.line, finding.message);
  }
  fmt::print("tidy: {} files, {} findings\n", tree.files.size(), findings.size());
  return findings.empty() ? 0 : 1;
}
