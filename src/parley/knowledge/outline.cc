#include "parley/knowledge/outline.h"

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>

#include "parley/crypto/hash.h"
#include "parley/knowledge/decode.h"
#include "parley/knowledge/parse.h"

namespace parley::knowledge {
namespace {

constexpr std::size_t bytes_per_word = 12;
constexpr std::size_t tail_words_min = 50;     // a shorter rest joins the passage before it
constexpr std::size_t passage_words_min = 80;  // nor is one closed before it has this much
constexpr std::size_t repeated_header_bytes_max = 300;

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t'; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Where the piece that starts `text` should end: at most `words_max` words, at a place where `kind` may be parted.
// Always makes progress and never ends inside a character.
std::size_t piece_end(std::string_view text, BlockKind kind, std::size_t words_max) {
  const std::size_t bytes_max = words_max * bytes_per_word;
  std::size_t words = 0;
  std::size_t good = 0;      // after the last item, row, line or sentence that fits
  std::size_t word_end = 0;  // after the last word that fits
  bool in_word = false;
  for (std::size_t i = 0; i < text.size() && i < bytes_max; ++i) {
    const char c = text[i];
    if (!is_space(c)) {
      if (!in_word && ++words > words_max) break;
      in_word = true;
      continue;
    }
    if (in_word) word_end = i;
    in_word = false;
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (kind == BlockKind::prose) {
      const char before = i > 0 ? text[i - 1] : ' ';
      if (before == '.' || before == '!' || before == '?') good = i + 1;
    } else if (c == '\n' && (kind != BlockKind::list || (next != ' ' && next != '\t'))) {
      good = i + 1;
    }
  }
  if (good > 0) return good;
  if (word_end > 0) return word_end + 1;
  return std::max<std::size_t>(cut_utf8(text, bytes_max).size(), 1);
}

void split_block(Block block, std::vector<Block>& out) {
  if (count_words(block.text) <= block_words_max) {
    out.push_back(std::move(block));
    return;
  }
  // Half a table misleads without the names of its columns, so each part begins with them.
  std::string header;
  if (block.kind == BlockKind::table)
    if (const auto end = block.text.find('\n'); end <= repeated_header_bytes_max)
      header = block.text.substr(0, end + 1);
  std::string_view rest = block.text;
  for (bool first = true; !rest.empty(); first = false) {
    // The size first: it decides alone for all but the last piece, so that a long block is not counted once per piece.
    const bool is_last = rest.size() <= passage_words_max * bytes_per_word && count_words(rest) <= passage_words_max;
    const std::size_t end = is_last ? rest.size() : piece_end(rest, block.kind, passage_words_max);
    std::string_view piece = rest.substr(0, end);
    rest.remove_prefix(end);
    while (!piece.empty() && is_space(piece.back())) piece.remove_suffix(1);
    while (block.kind == BlockKind::prose && !rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
    if (trim(piece).empty()) continue;
    out.push_back({block.kind, first ? std::string(piece) : header + std::string(piece)});
  }
}

std::vector<std::vector<Block>> split_section(std::vector<Block> blocks) {
  std::vector<std::vector<Block>> parts;
  std::size_t total = 0;
  for (const Block& block : blocks) total += count_words(block.text);
  if (total <= passage_words_max) {
    if (!blocks.empty()) parts.push_back(std::move(blocks));
    return parts;
  }
  std::vector<Block> pieces;
  for (Block& block : blocks) split_block(std::move(block), pieces);

  std::size_t words = 0;
  std::size_t words_before = 0;
  std::vector<Block> part;
  for (Block& piece : pieces) {
    const std::size_t more = count_words(piece.text);
    // "For example:" belongs to what follows it.
    const bool leads_in = !part.empty() && part.back().kind == BlockKind::prose && part.back().text.ends_with(':');
    const bool fits = words + more <= passage_words_max ||
                      ((leads_in || words < passage_words_min) && words + more <= block_words_max);
    if (!part.empty() && !fits) {
      parts.push_back(std::move(part));
      part.clear();
      words_before = words;
      words = 0;
    }
    words += more;
    part.push_back(std::move(piece));
  }
  if (words < tail_words_min && !parts.empty() && words_before + words <= block_words_max)
    std::ranges::move(part, std::back_inserter(parts.back()));
  else parts.push_back(std::move(part));
  return parts;
}

// With lengths, so that no two lists of texts read the same.
void append_field(std::string& out, std::string_view field) {
  out += std::to_string(field.size());
  out += ':';
  out += field;
}

std::string title_from_path(std::string_view path) {
  auto name = path.substr(path.rfind('/') + 1);
  name = name.substr(0, name.rfind('.'));
  // A folder's first page is called after the folder.
  if (name == "index" || name == "README" || name == "readme") {
    const auto slash = path.rfind('/');
    if (slash != std::string_view::npos) {
      const auto folder = path.substr(0, slash);
      name = folder.substr(folder.rfind('/') + 1);
    }
  }
  std::string title(cut_utf8(name.empty() ? path : name, heading_bytes_max));
  std::ranges::replace(title, '-', ' ');
  std::ranges::replace(title, '_', ' ');
  // A file name is any bytes.
  if (!is_utf8(title) || trim(title).empty()) title = "Untitled";
  return title;
}

}  // namespace

std::size_t count_words(std::string_view text) {
  std::size_t words = 0;
  bool in_word = false;
  for (const char c : text) {
    const bool space = is_space(c);
    words += !space && !in_word;
    in_word = !space;
  }
  return std::max(words, text.size() / bytes_per_word);
}

void Outline::heading(int level, std::string text, std::string_view id) {
  repair_text(text);
  text = trim(cut_utf8(text, heading_bytes_max));
  // GitHub counts a heading of signs alone among the anchors as well; one without any text is no heading to a reader.
  if (text.empty()) return;
  Section section;
  section.level = level;
  // What could not stand behind '#' as it is cannot have been meant as an anchor.
  const bool is_usable = !id.empty() && id.size() <= heading_bytes_max && is_utf8(id) &&
                         std::ranges::none_of(id, [](char c) { return (c >= 0 && c <= ' ') || c == 0x7F; });
  section.anchor = !is_usable ? anchors_.from_heading(text) : anchors_.from_id(id);
  section.text = std::move(text);
  sections_.push_back(std::move(section));
}

void Outline::block(BlockKind kind, std::string text) {
  repair_text(text);
  if (kind != BlockKind::code) {
    if (const auto trimmed = trim(text); trimmed.size() != text.size()) text = std::string(trimmed);
  } else {
    while (!text.empty() && is_space(text.back())) text.pop_back();
    // The first line may be indented, which says where it belongs; empty lines before it say nothing.
    if (const auto first = text.find_first_not_of('\n'); first != 0 && first != std::string::npos) text.erase(0, first);
  }
  if (!text.empty()) sections_.back().blocks.push_back({kind, std::move(text)});
}

Result<Document> Outline::finish(std::string_view path, std::string_view title) && {
  Document document;
  document.path = path;
  document.url = path;

  // Which heading is the title: the first of level 1, or one that stands above everything else on the page.
  const Section* titled_by = nullptr;
  if (const auto first = std::ranges::find(sections_, 1, &Section::level); first != sections_.end()) {
    titled_by = &*first;
  } else if (sections_.size() > 1 && sections_[0].blocks.empty()) {
    const int level = sections_[1].level;
    if (std::ranges::all_of(sections_.begin() + 2, sections_.end(), [&](const auto& s) { return s.level > level; }))
      titled_by = &sections_[1];
  }
  title = trim(cut_utf8(title, heading_bytes_max));
  if (!title.empty()) {
    document.title = title;
    // "Install | Site" above "Install" is one title, not two.
    if (titled_by != nullptr && !title.starts_with(titled_by->text)) titled_by = nullptr;
  } else {
    document.title = titled_by != nullptr ? titled_by->text : title_from_path(path);
  }

  std::vector<const Section*> above;
  std::unordered_map<std::string, int> same_path;
  for (std::size_t i = 0; i < sections_.size(); ++i) {
    Section& section = sections_[i];
    if (i > 0) {
      while (!above.empty() && above.back()->level >= section.level) above.pop_back();
      above.push_back(&section);
      // A heading with nothing under it, not even another heading, is itself what there is to find.
      const bool is_leaf = i + 1 == sections_.size() || sections_[i + 1].level <= section.level;
      if (section.blocks.empty() && is_leaf) section.blocks.push_back({BlockKind::prose, section.text});
    }
    std::vector<std::string> headings{document.title};
    std::string key;
    append_field(key, path);
    for (const Section* step : above) {
      if (step == titled_by) continue;
      headings.push_back(step->text);
      append_field(key, step->text);
    }
    auto parts = split_section(std::move(section.blocks));
    if (parts.empty()) continue;
    append_field(key, "#" + std::to_string(same_path[key]++));
    for (std::size_t part = 0; part < parts.size(); ++part) {
      if (document.passages.size() == passages_max)
        return fail(Code::too_large, "more passages than a document may have");
      std::string numbered = key;
      append_field(numbered, std::to_string(part));
      // 128 bits of a digest: passages are told apart by it, nothing is proved by it.
      document.passages.push_back(
          {crypto::sha256(numbered).hex().substr(0, 32), headings, section.anchor, std::move(parts[part])});
    }
  }
  return document;
}

}  // namespace parley::knowledge
