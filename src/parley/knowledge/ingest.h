#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/db/session.h"
#include "parley/knowledge/documents.h"
#include "parley/knowledge/files.h"

namespace parley::knowledge {

/// What follows the document store: a search index, which can be thrown away and filled again. Changes count from
/// `commit`; after an error nothing since the last one does. One caller at a time per project.
class IndexSink {
 public:
  virtual ~IndexSink() = default;
  /// Puts the document's passages in place of those it had under the same path.
  virtual Result<void> replace(const ChangedDocument& changed) = 0;
  /// A path that is not there is not an error.
  virtual Result<void> remove(std::string_view path) = 0;
  virtual Result<void> commit(std::int64_t revision) = 0;
  /// Of the last commit; 0 before the first.
  virtual Result<std::int64_t> revision() = 0;
};

struct IngestRequest {
  /// Files and folders of this machine. A path below a folder that was ingested before refreshes that part of it.
  std::vector<std::filesystem::path> paths;
  /// What citation links begin with, e.g. "https://docs.example.com/guide". Without a value a source keeps what it has;
  /// empty makes links the documents' paths.
  std::optional<std::string> base_url;
  /// Who may read what is ingested, "a,b". Without a value a source keeps what it has; empty is everybody. Changed
  /// before anything is read, so that what is to be closed is closed first.
  std::optional<std::string> groups;
};

/// A file of this name closes its folder and all below it to whoever holds none of the groups in it, which stand on its
/// lines or between commas.
inline constexpr std::string_view groups_file_name = ".parley-groups";

struct IngestProgress {
  std::size_t files_done = 0;
  std::size_t files_total = 0;
  std::uint64_t bytes_done = 0;
};
enum class GoOn : bool { no, yes };
using ProgressFn = std::function<GoOn(const IngestProgress&)>;

struct IngestReport {
  std::size_t added = 0;  ///< documents
  std::size_t changed = 0;
  std::size_t unchanged = 0;
  std::size_t removed = 0;    ///< documents whose file is gone
  std::size_t skipped = 0;    ///< files; the first `skipped_named_max` are in `skipped_files`
  std::size_t passages = 0;   ///< of added and changed documents
  std::uint64_t bytes = 0;    ///< of all files read
  std::int64_t revision = 0;  ///< of store and index at the end
  std::vector<SkippedFile> skipped_files;
};
inline constexpr std::size_t skipped_named_max = 1000;  // more than anybody reads; the count goes on

/// Brings a project's documents in line with files and folders, then its index with the documents. Documents whose
/// bytes have not changed are neither parsed nor written; those whose file is gone are removed, if it was this folder
/// they came from. Files that cannot be taken are named in the report and stop nothing; a file that cannot be read for
/// now leaves its document as it is.
///
/// Blocks, so it is called on a worker thread. Stores in batches, each durable and whole; interrupted, it is called
/// again and does the rest. `progress` (may be empty) is called on this thread after each file;
/// if it says no, what was read is stored and the outcome is `cancelled`.
/// A document whose groups cannot be read, in its front matter or its folders', is skipped and, if it is stored,
/// removed: it must not be open to more than was meant. Fails with not_found for a path that is not there (before
/// anything is stored), invalid_argument for a base url or groups that are none, and whatever store and index fail
/// with.
Result<IngestReport> ingest(db::TenantSession session, ProjectId project, IngestRequest request, IndexSink& index,
                            const Clock& clock, ProgressFn progress = {});

struct SyncReport {
  std::size_t replaced = 0;
  std::size_t removed = 0;
  std::int64_t revision = 0;
};
/// Brings an index to the store's revision: heals a stop between the two commits, fills an index that is new or was
/// deleted, and follows what another node stored. Costs one small read if there is nothing to do. Blocks.
/// `data_corrupt` if the index has seen more than the store holds (the store was restored from a backup): delete the
/// index and call again.
Result<SyncReport> sync_index(db::TenantSession session, ProjectId project, IndexSink& index);

/// Where a citation points. Without a base url: the path as it is. With one, as documentation sites publish: Markdown
/// and text lose their ending ("guide/start.md" is BASE/guide/start), README and index are their folder (BASE/guide/),
/// and HTML keeps its name. `address` is the page's own word (front matter `slug`, `permalink`, `url`): "/x" stands
/// below the base, "x" beside the page, and a whole http(s) address is taken as it is.
std::string citation_url(std::string_view base_url, std::string_view path, std::string_view address);

/// Whether a text may be a base url: http or https, a host, no query and no fragment.
bool is_base_url(std::string_view text);

}  // namespace parley::knowledge
