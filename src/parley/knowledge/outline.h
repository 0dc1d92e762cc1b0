#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"
#include "parley/knowledge/passage.h"
#include "parley/knowledge/slug.h"

namespace parley::knowledge {

/// Collects a document's headings and blocks in reading order, then cuts them into passages. Every parser ends in one,
/// so all formats agree on titles, anchors, ids and sizes.
class Outline {
 public:
  /// `id` is the author's own anchor, empty if there is none.
  void heading(int level, std::string text, std::string_view id);
  /// Texts of nothing but white space are left out.
  void block(BlockKind kind, std::string text);

  /// `title` is the page's own word on it, empty if it has none. `too_large` for more than passages_max.
  Result<Document> finish(std::string_view path, std::string_view title) &&;

 private:
  struct Section {
    int level = 0;  // 0: what stands above the first heading
    std::string text, anchor;
    std::vector<Block> blocks;
  };
  std::vector<Section> sections_{1};
  Anchors anchors_;
};

/// Words as passages are measured in: runs between white space, and at least one per 12 bytes, so that scripts without
/// spaces and long identifiers count.
std::size_t count_words(std::string_view text);

}  // namespace parley::knowledge
