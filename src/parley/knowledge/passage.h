#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace parley::knowledge {

/// What a piece of a document is. Lists, tables and code stay whole, because half of one misleads.
enum class BlockKind : std::uint8_t { prose, list, table, code };

/// A run of a document, as readable plain text, word for word without its markup: a paragraph on one line; list items
/// one a line behind "- " or "1. "; table rows one a line, cells parted by " | "; code as it stands, without the fence.
struct Block {
  BlockKind kind = BlockKind::prose;
  std::string text;
};

/// The unit that is searched, ranked and cited: what stands under one heading, or a part of it where that is long.
struct Passage {
  /// Stable over re-ingestion: a digest of document path, heading path and position below the heading, so that a change
  /// elsewhere in the document leaves it alone.
  std::string id;
  std::vector<std::string> headings;  ///< from the document's title down to the nearest heading
  std::string anchor;                 ///< of the nearest heading, without '#'; empty above the first
  std::vector<Block> blocks;
};

/// A parsed document.
struct Document {
  std::string path;   ///< key within its project, '/'-separated, e.g. "coding/data-modeling.md"
  std::string url;    ///< where a citation points, without anchor; equals `path` if nothing better is known
  std::string title;  ///< front matter, else first heading, else file name
  std::vector<Passage> passages;
};

}  // namespace parley::knowledge
