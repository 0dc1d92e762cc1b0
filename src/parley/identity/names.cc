#include "parley/identity/names.h"

#include <algorithm>

#include "parley/text/utf8.h"

namespace parley::identity {

bool is_line_of_text(std::string_view text) {
  while (!text.empty()) {
    const auto next = text::first_code_point(text);
    const bool control =
        next.value < 0x20 || (next.value >= 0x7F && next.value < 0xA0) || next.value == 0x2028 || next.value == 0x2029;
    if (!next.valid || control) return false;
    text.remove_prefix(next.bytes);
  }
  return true;
}

Result<std::vector<std::string>> checked_group_names(const std::vector<std::string>& names) {
  if (names.size() > groups_held_max) return fail(Code::invalid_argument, "more than 32 groups");
  std::vector<std::string> checked;
  for (const auto& name : names) {
    if (name.empty() || name.size() > group_name_bytes_max || !is_line_of_text(name))
      return fail(Code::invalid_argument, "a group's name has 1 to 64 bytes and is one line of text");
    checked.push_back(name);
  }
  std::ranges::sort(checked);
  const auto again = std::ranges::unique(checked);
  checked.erase(again.begin(), again.end());
  return checked;
}

std::vector<std::string> groups_within(const std::vector<std::string>& named, const ReadableGroups& of) {
  if (of.extent == ReadableGroups::Extent::all) return named;
  std::vector<std::string> within;
  for (const auto& name : named)
    if (std::ranges::find(of.names, name) != of.names.end()) within.push_back(name);
  return within;
}

std::string lines_from(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) (text += text.empty() ? "" : "\n") += line;
  return text;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

}  // namespace parley::identity
