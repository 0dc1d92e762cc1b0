#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "parley/knowledge/decode.h"
#include "parley/knowledge/outline.h"
#include "parley/knowledge/parse.h"

namespace parley::knowledge {
namespace {

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t") == std::string_view::npos; }

// A line of one repeated sign under a text at most as long: how plain text and reStructuredText write headings.
bool is_underline(std::string_view line, std::string_view text) {
  while (line.ends_with(' ')) line.remove_suffix(1);
  if (line.size() < 3 || line.size() + 2 < text.size() || is_blank(text) || text.starts_with(' ')) return false;
  return std::string_view("=-~^*+#").find(line[0]) != std::string_view::npos &&
         line.find_first_not_of(line[0]) == std::string_view::npos;
}

void add_paragraph(std::vector<std::string_view>& lines, Outline& outline) {
  if (lines.empty()) return;
  const bool is_code =
      std::ranges::all_of(lines, [](auto line) { return line.starts_with("    ") || line.starts_with('\t'); });
  const bool is_list = lines.front().starts_with("- ") || lines.front().starts_with("* ");
  std::string text;
  for (std::string_view line : lines) {
    const auto words = line.substr(line.find_first_not_of(" \t"));
    if (is_code) {
      if (!text.empty()) text += '\n';
      text += line;
    } else if (is_list && (words.starts_with("- ") || words.starts_with("* "))) {
      if (!text.empty()) text += '\n';
      text += "- ";
      text += words.substr(2);
    } else {
      if (!text.empty()) text += ' ';
      text += words;
    }
  }
  outline.block(is_code ? BlockKind::code : is_list ? BlockKind::list : BlockKind::prose, std::move(text));
  lines.clear();
}

}  // namespace

Result<ParsedDocument> parse_text(std::string_view bytes, std::string_view path) {
  if (bytes.size() > document_bytes_max) return fail(Code::too_large, "larger than a document may be");
  const std::string text = PARLEY_TRY(decode_text(bytes));
  Outline outline;
  std::vector<std::string_view> lines;
  std::string underlines;  // signs in the order in which they came up: the first is level 1
  for (std::string_view rest = text; !rest.empty();) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (lines.size() == 1 && is_underline(line, lines.front())) {
      auto level = underlines.find(line[0]);
      if (level == std::string::npos) {
        level = underlines.size();
        underlines += line[0];
      }
      outline.heading(static_cast<int>(std::min<std::size_t>(level, 5)) + 1, std::string(lines.front()), {});
      lines.clear();
    } else if (is_blank(line)) {
      add_paragraph(lines, outline);
    } else {
      lines.push_back(line);
    }
  }
  add_paragraph(lines, outline);
  ParsedDocument parsed;
  parsed.document = PARLEY_TRY(std::move(outline).finish(path, {}));
  return parsed;
}

}  // namespace parley::knowledge
