#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"
#include "parley/knowledge/passage.h"
#include "parley/knowledge/ranking.h"

namespace parley::knowledge {

/// A re-ranked candidate, as training sees it.
struct RankedPassage {
  std::string path;
  Signals signals{};
  bool text_seen = false;  ///< it was among the few whose text was read
};

/// A search asks for this. Everything in it may come from an untrusted caller except `allowed_groups`.
struct SearchQuery {
  static constexpr std::size_t text_bytes_max = 4'000;  ///< the rest is not read: no question is longer
  static constexpr std::size_t terms_max = 32;          ///< distinct words; the rarest of those are kept
  static constexpr std::size_t results_max = 200;       ///< offset + limit; deeper pages nobody reads

  std::string_view text;              ///< plain words; there is no query syntax, so nothing in it can explode
  std::size_t offset = 0;             ///< hits to leave out
  std::size_t limit = 10;             ///< hits to return; 0 is allowed and gives the counts alone
  std::string_view path_prefix = {};  ///< whole folders only, e.g. "coding/recipes"; empty: everything

  /// Only documents that carry one of these groups, and those that carry none. What a caller may not read takes no
  /// part: neither in hits, nor in counts, nor as a source of expansion terms.
  std::span<const std::string> allowed_groups = {};

  /// An exact count reads every posting of every word; without it the search may stop early.
  enum class Total : std::uint8_t { skip, exact };
  Total total = Total::skip;

  const RankingWeights* weights = nullptr;        ///< for measuring; null: what everybody gets
  std::vector<RankedPassage>* ranking = nullptr;  ///< for training: receives what the ranking saw
};

/// A word of the question, as the index sees it.
struct QueryTerm {
  std::string word;            ///< as it stood in the question
  std::string stem;            ///< as it is indexed
  std::uint32_t hash = 0;      ///< hash_of_stem(stem)
  std::uint64_t passages = 0;  ///< passages of the whole index that have it; 0: the index has never seen it
  double weight = 0;           ///< inverse document frequency, log(1 + (N - n + 0.5) / (n + 0.5))
  bool part = false;           ///< piece of a compound word that is a term too
};

struct AnalyzedHit;
class IndexMemory;

/// A passage that matched, complete: showing or quoting it needs no other lookup.
struct Hit {
  std::string passage_id;
  std::string path;
  std::string url;    ///< of the document, without anchor
  std::string title;  ///< of the document
  std::vector<std::string> headings;
  std::string anchor;
  std::vector<Block> blocks;
  double score = 0;  ///< comparable within one result only
  /// Its texts taken apart already, see evidence.h. A search sets it; whoever changes a text above resets it.
  std::shared_ptr<const AnalyzedHit> analyzed = {};
};

struct SearchResult {
  std::vector<Hit> hits;         ///< best first
  std::uint64_t total = 0;       ///< passages with at least one word of the question; exact if asked for, else 0
  std::vector<QueryTerm> terms;  ///< what was searched for, in the order of the question
  std::uint64_t passages = 0;    ///< in the whole index
  std::string language;
};

/// The search index of one project: a folder that is derived from the document store and can be deleted at any time;
/// adding every document again restores it.
///
/// One object per folder and process. Every member may be called from any thread; searches run side by side and see
/// the last commit, changes are applied one at a time. All of it blocks on the disk, so it is called from workers.
///
/// Errors of every member: data_corrupt if the folder is damaged, was written in another format or for another
/// language (call `discard` and add everything again); unavailable if another process holds the folder for writing, or
/// if commits overtook a search twice; storage_full if the disk refused.
class Index {
 public:
  /// Opens `folder`, or prepares to create it at the first commit. Before that commit every search finds nothing.
  /// `language` is a Snowball name ("english", "german", …) or "none"; unknown: invalid_argument.
  /// `memory`: what searches keep, shared with other indexes; null: memory of its own.
  static Result<Index> open(std::filesystem::path folder, std::string_view language = "english",
                            std::shared_ptr<IndexMemory> memory = nullptr);

  Index(Index&&) noexcept;
  Index& operator=(Index&&) noexcept;
  ~Index();

  /// Puts the document's passages in place of those it had under the same path. Visible after `commit`. `groups`: who
  /// may read it; empty means everybody who may search the project.
  Result<> replace(const Document& document, std::span<const std::string> groups = {});

  /// Removes the document's passages; none is not an error. Visible after `commit`.
  Result<> remove(std::string_view path);

  /// Makes all changes since the last commit durable and visible, all or none, and notes `revision`: a number of the
  /// owner's that says how far the index follows the document store. Costs a disk sync, so owners batch.
  /// After an error nothing of the batch is kept, and the owner applies it again from `revision()`.
  Result<> commit(std::uint64_t revision);

  /// The number of the last commit; 0 before the first.
  Result<std::uint64_t> revision() const;

  /// Passages in the last commit.
  Result<std::uint64_t> passage_count() const;

  Result<SearchResult> search(const SearchQuery& query) const;

  /// Deletes an index folder, whatever is in it. The caller holds no Index on it.
  static Result<> discard(const std::filesystem::path& folder);

 private:
  struct State;
  explicit Index(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace parley::knowledge
