#pragma once

#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_set>

#include <fmt/format.h>

#include "parley/knowledge/decode.h"
#include "parley/knowledge/parse.h"

namespace parley::knowledge {

using Parser = Result<ParsedDocument> (*)(std::string_view bytes, std::string_view path);

/// What is true of any parser's result for any bytes; empty if it is, else what is not. For tests and fuzz targets.
inline std::string broken_property(Parser parse, std::string_view bytes) {
  const auto first = parse(bytes, "folder/page.md");
  const auto second = parse(bytes, "folder/page.md");
  if (first.has_value() != second.has_value()) return "parses once and not again";
  if (!first) return {};
  const Document& document = first->document;
  if (document.title.empty() || !is_utf8(document.title)) return "title empty or not UTF-8";
  if (!is_utf8(first->facts.description)) return "description not UTF-8";
  if (document.passages.size() > passages_max) return "too many passages";
  if (document.passages.size() != second->document.passages.size()) return "another number of passages";
  std::size_t text_bytes = 0;
  std::unordered_set<std::string> ids;
  for (std::size_t i = 0; i < document.passages.size(); ++i) {
    const Passage& passage = document.passages[i];
    if (passage.id != second->document.passages[i].id) return "another id the second time";
    if (!ids.insert(passage.id).second) return "an id twice";
    if (passage.headings.empty() || passage.headings.front() != document.title) return "headings without the title";
    for (const auto& heading : passage.headings)
      if (heading.empty() || !is_utf8(heading) || heading.size() > heading_bytes_max) return "a bad heading";
    if (!is_utf8(passage.anchor)) return "anchor not UTF-8";
    if (passage.blocks.empty()) return "a passage without blocks";
    for (const Block& block : passage.blocks) {
      if (block.text.find_first_not_of(" \t\n") == std::string::npos) return "an empty block";
      if (!is_utf8(block.text)) return "a block that is not UTF-8";
      if (block.kind == BlockKind::prose && block.text.find('\n') != std::string::npos) return "prose of two lines";
      for (const char c : block.text)
        if ((c >= 0 && c < 0x20 && c != '\n' && c != '\t') || c == 0x7F) return "a control character in a block";
      text_bytes += block.text.size();
    }
  }
  // Indentation of lists and repeated table headers are all that is added.
  if (text_bytes > 16 * bytes.size() + 10'000) return "more text than was given";
  return {};
}

inline void require_properties(Parser parse, std::string_view bytes) {
  const std::string broken = broken_property(parse, bytes);
  if (broken.empty()) return;
  fmt::print(stderr, "{}\n", broken);
  std::abort();
}

}  // namespace parley::knowledge
