#pragma once

#include <cstddef>
#include <string_view>

#include "parley/base/result.h"
#include "parley/knowledge/front_matter.h"
#include "parley/knowledge/passage.h"

namespace parley::knowledge {

/// Part of every stored digest: raise it with any change to what parsing makes of the same bytes, and the next
/// ingestion reads every document again.
inline constexpr int parser_version = 2;

/// Hand-written documentation is far below; what is above is generated or not text, and would hold its tree in memory.
inline constexpr std::size_t document_bytes_max = 10'000'000;
/// The largest accepted file in sections of 500 bytes. More is one heading a line, which nobody reads.
inline constexpr std::size_t passages_max = 20'000;
/// Shown above each passage and indexed with it, once per passage: longer ones are text under a wrong mark.
inline constexpr std::size_t heading_bytes_max = 300;
/// What a passage aims at: enough to answer from, little enough to quote. A longer section is parted between blocks.
inline constexpr std::size_t passage_words_max = 250;
/// A list, table or code block stays whole up to here and is parted between items, rows or lines beyond.
inline constexpr std::size_t block_words_max = 400;

/// A document and what its head says. `document.url` equals its path; ingestion knows better.
struct ParsedDocument {
  Document document;
  PageFacts facts;
};

/// Each turns a file's bytes into passages. Any bytes are accepted that `decode_text` accepts; all text in the result
/// is valid UTF-8, no block is empty, passage ids are unique within the document, and the same path and bytes give the
/// same ids. Fails with `unsupported` (not text) or `too_large` (one of the limits above, or markup that is small to
/// write and costs its reader without bound). Pure but for a clock that bounds hostile input; safe from any thread.
Result<ParsedDocument> parse_markdown(std::string_view bytes, std::string_view path);
/// Markdown with import and export lines, JSX tags (their text and their `title` and `label` are kept) and expressions.
Result<ParsedDocument> parse_mdx(std::string_view bytes, std::string_view path);
/// The main part of a page: `main`, else the one `article`, else the body; without navigation, asides and scripts.
Result<ParsedDocument> parse_html(std::string_view bytes, std::string_view path);
/// Paragraphs between blank lines, headings by underlines: plain text and formats read as such.
Result<ParsedDocument> parse_text(std::string_view bytes, std::string_view path);

}  // namespace parley::knowledge
