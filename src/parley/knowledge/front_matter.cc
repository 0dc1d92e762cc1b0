#include "parley/knowledge/front_matter.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "parley/knowledge/decode.h"
#include "parley/knowledge/groups.h"

namespace parley::knowledge {
namespace {

constexpr std::size_t value_bytes_max = 2000;  // a description, not the page
constexpr std::size_t keywords_max = 64;       // beyond this it is stuffing
constexpr std::size_t front_matter_bytes_max = 64
                                               << 10;  // a page that only opens `---` must not be searched to its end

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const auto line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return line;
}

// A scalar without its quotes and, unquoted, without a trailing comment.
std::string scalar(std::string_view value) {
  value = trim(value);
  std::string out;
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'')) {
    const char quote = value.front();
    for (std::size_t i = 1; i < value.size(); ++i) {
      if (value[i] == quote) {
        if (quote == '\'' && i + 1 < value.size() && value[i + 1] == '\'') out += '\'', ++i;
        else break;
      } else if (value[i] == '\\' && quote == '"' && i + 1 < value.size()) {
        const char escaped = value[++i];
        out += escaped == 'n' || escaped == 't' ? ' ' : escaped;
      } else {
        out += value[i];
      }
    }
  } else {
    if (const auto comment = value.find(" #"); comment != std::string_view::npos)
      value = trim(value.substr(0, comment));
    out = value;
  }
  std::ranges::replace(out, '\t', ' ');
  return std::string(trim(cut_utf8(out, value_bytes_max)));
}

void add_keywords(std::vector<std::string>& keywords, std::string_view list) {
  while (!list.empty() && keywords.size() < keywords_max) {
    const auto comma = list.find(',');
    auto word = scalar(list.substr(0, comma));
    if (!word.empty()) keywords.push_back(std::move(word));
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  }
}

/// `value`: what stands behind the key, `items`: list items below it.
void read_groups(PageFacts& facts, bool said_before, std::string_view value, const std::vector<std::string>& items) {
  std::string names;
  const auto add = [&](std::string_view name) {
    if (!names.empty()) names += ',';
    names += name;
  };
  if (!items.empty() && value.empty()) {
    for (const auto& item : items) add(item);
  } else {
    if (const auto comment = value.find(" #"); comment != std::string_view::npos) value = value.substr(0, comment);
    value = trim(value);
    const bool is_list = value.starts_with('[') && value.ends_with(']');
    if (is_list) value = value.substr(1, value.size() - 2);
    while (!value.empty()) {
      const auto comma = value.find(',');
      add(scalar(value.substr(0, comma)));
      value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
    }
  }
  auto groups = parse_groups(names);
  if (!groups || said_before) facts.groups_unreadable = true;
  else facts.groups = *std::move(groups);
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

struct Entry {
  std::string_view key, value;
};

std::optional<Entry> entry_of(std::string_view line, char separator) {
  // "biel:boost_score: 2" has two colons; the one that separates is followed by a space or ends the line.
  for (std::size_t at = line.find(separator); at != std::string_view::npos; at = line.find(separator, at + 1)) {
    if (separator == ':' && at + 1 < line.size() && line[at + 1] != ' ' && line[at + 1] != '\t') continue;
    auto key = trim(line.substr(0, at));
    if (key.size() >= 2 && (key.front() == '"' || key.front() == '\'')) key = key.substr(1, key.size() - 2);
    if (key.empty()) return std::nullopt;
    return Entry{key, trim(line.substr(at + 1))};
  }
  return std::nullopt;
}

}  // namespace

PageFacts take_front_matter(std::string_view& text) {
  PageFacts facts;
  const std::string_view fence = text.starts_with("---") ? "---" : text.starts_with("+++") ? "+++" : "";
  if (fence.empty()) return facts;
  std::string_view rest = text;
  if (trim(take_line(rest)) != fence) return facts;

  std::string_view body = rest.substr(0, front_matter_bytes_max);
  const std::size_t body_size = body.size();
  std::vector<std::string_view> lines;
  bool closed = false;
  while (!body.empty()) {
    const auto line = take_line(body);
    if (trim(line) == fence || (fence == "---" && trim(line) == "...")) {
      closed = true;
      break;
    }
    lines.push_back(line);
  }
  // Without its end it was no front matter but a rule at the top of a page. Nor is it if what is between the lines has
  // no key: two rules around a paragraph must not swallow it.
  const char separator = fence == "---" ? ':' : '=';
  const bool has_key =
      lines.empty() || std::ranges::any_of(lines, [&](auto line) { return entry_of(line, separator).has_value(); });
  if (!closed || !has_key) return facts;
  text = rest.substr(body_size - body.size());

  bool groups_said = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].starts_with(' ') || lines[i].starts_with('#') || lines[i].starts_with('[')) continue;
    const auto entry = entry_of(lines[i], separator);
    if (!entry) continue;
    std::string_view value = entry->value;
    std::string folded;
    std::vector<std::string> items;
    const auto is_below = [&](std::string_view line) {
      return line.starts_with(' ') || line.starts_with('\t') || trim(line).empty() || line.starts_with("- ");
    };
    if (separator == ':' && (value.empty() || value == ">" || value == "|" || value == ">-" || value == "|-")) {
      // A folded text or a list on the lines below.
      while (i + 1 < lines.size() && is_below(lines[i + 1])) {
        const auto line = trim(lines[++i]);
        if (value.empty() && line.starts_with("- ")) {
          if (items.size() < keywords_max) items.push_back(scalar(line.substr(2)));
        } else if (!line.empty() && folded.size() < value_bytes_max) {
          if (!folded.empty()) folded += ' ';
          folded += line;
        }
      }
      value = folded;
    }
    const std::string_view key = entry->key;
    if (key == "title") facts.title = scalar(value);
    else if (key == "slug" || key == "permalink" || key == "url") facts.address = scalar(value);
    else if (key == "description") facts.description = scalar(value);
    else if (key == "groups") {
      read_groups(facts, std::exchange(groups_said, true), value, items);
    } else if (key == "biel:boost_score") facts.boost = number(scalar(value));
    else if (key == "keywords") {
      if (value.starts_with('['))
        value = trim(value).substr(
            1, value.size() >= 2 && value.ends_with(']') ? value.size() - 2 : std::string_view::npos);
      if (items.empty()) add_keywords(facts.keywords, value);
      else std::ranges::copy_if(items, std::back_inserter(facts.keywords), [](const auto& s) { return !s.empty(); });
    }
  }
  return facts;
}

}  // namespace parley::knowledge
