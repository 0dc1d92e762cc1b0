#include "parley/knowledge/groups.h"

#include <algorithm>

#include "parley/text/utf8.h"

namespace parley::knowledge {
namespace {

constexpr std::string_view everything = "*";

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(at), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string join(const std::vector<std::string>& parts, char with) {
  std::string text;
  for (const auto& part : parts) {
    if (!text.empty()) text += with;
    text += part;
  }
  return text;
}

std::string_view trim(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

bool is_group_name(std::string_view name) {
  if (name.empty() || name.size() > group_name_length_max || !text::is_valid_utf8(name)) return false;
  char before = ' ';
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       static_cast<unsigned char>(c) >= 0x80 ||
                       std::string_view("-_.@/+").find(c) != std::string_view::npos;
    if (!plain && (c != ' ' || before == ' ')) return false;
    before = c;
  }
  return before != ' ';
}

void make_set(std::vector<std::string>& names) {
  std::ranges::sort(names);
  const auto rest = std::ranges::unique(names);
  names.erase(rest.begin(), rest.end());
}

}  // namespace

Result<std::vector<std::string>> parse_groups(std::string_view list) {
  std::vector<std::string> groups;
  if (trim(list).empty()) return groups;
  if (list.ends_with(',')) return fail(Code::invalid_argument, "a list of groups is names with commas between them");
  for (const auto part : split(list, ',')) {
    const auto name = trim(part);
    if (!is_group_name(name))
      return fail(Code::invalid_argument, "this cannot be the name of a group", std::string(name));
    groups.emplace_back(name);
  }
  make_set(groups);
  if (groups.size() > groups_per_door_max) return fail(Code::invalid_argument, "too many groups");
  return groups;
}

std::string join_groups(const std::vector<std::string>& groups) { return join(groups, ','); }

std::string restriction_of(std::vector<std::vector<std::string>> doors) {
  std::erase_if(doors, [](const auto& door) { return door.empty(); });
  for (auto& door : doors) make_set(door);
  std::ranges::sort(doors);
  const auto rest = std::ranges::unique(doors);
  doors.erase(rest.begin(), rest.end());
  std::vector<std::string> texts;
  for (const auto& door : doors) {
    // Whoever gets through a narrower door gets through this one.
    const bool idle = std::ranges::any_of(
        doors, [&](const auto& other) { return other.size() < door.size() && std::ranges::includes(door, other); });
    if (!idle) texts.push_back(join(door, ','));
  }
  return join(texts, ';');
}

std::vector<std::vector<std::string>> doors_of(std::string_view restriction) {
  std::vector<std::vector<std::string>> doors;
  for (const auto door : split(restriction, ';')) {
    doors.emplace_back();
    for (const auto name : split(door, ',')) doors.back().emplace_back(name);
  }
  return doors;
}

std::string both(std::string_view a, std::string_view b) {
  if (a.empty()) return std::string(b);
  if (b.empty()) return std::string(a);
  auto doors = doors_of(a);
  for (auto& door : doors_of(b)) doors.push_back(std::move(door));
  return restriction_of(std::move(doors));
}

bool may_read(const ReadableGroups& reader, std::string_view restriction) {
  if (reader.extent == ReadableGroups::Extent::all) return true;
  return std::ranges::all_of(split(restriction, ';'), [&](std::string_view door) {
    return std::ranges::any_of(split(door, ','), [&](std::string_view name) {
      return std::ranges::find(reader.names, name) != reader.names.end();
    });
  });
}

std::string view_of(const ReadableGroups& reader, const std::vector<std::string>& project_groups) {
  if (project_groups.empty()) return {};
  if (reader.extent == ReadableGroups::Extent::all) return std::string(everything);
  std::vector<std::string> held;
  for (const auto& name : project_groups)
    if (std::ranges::find(reader.names, name) != reader.names.end()) held.push_back(name);
  make_set(held);
  return join(held, ',');
}

ReadableGroups reader_with(std::string_view view) {
  ReadableGroups reader;
  if (view == everything) reader.extent = ReadableGroups::Extent::all;
  else
    for (const auto name : split(view, ',')) reader.names.emplace_back(name);
  return reader;
}

}  // namespace parley::knowledge
