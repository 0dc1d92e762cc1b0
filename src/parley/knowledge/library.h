#pragma once

#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "parley/base/time.h"
#include "parley/db/store.h"
#include "parley/evidence/proofs.h"
#include "parley/knowledge/answer.h"
#include "parley/knowledge/eval.h"
#include "parley/knowledge/groups.h"
#include "parley/knowledge/index.h"
#include "parley/knowledge/index_memory.h"
#include "parley/knowledge/ingest.h"
#include "parley/net/async.h"
#include "parley/net/workers.h"

namespace parley::knowledge {

/// Reading documents into a project.
struct IngestDocuments {
  static constexpr ActionInfo info{
      .name = "project.ingest",
      .summary = "Read documents into a project",
      .scope = Scope::project_sources_create,
      .cost = Cost::read,
      .effect = ActionInfo::Effect::writes,
  };
};

/// Changing who may read a source's documents.
struct RestrictSource {
  static constexpr ActionInfo info{
      .name = "project.source_groups",
      .summary = "Change which groups may read a source's documents",
      .scope = Scope::project_sources_create,
      .cost = Cost::read,
      .effect = ActionInfo::Effect::writes,
  };
};

/// Removing a source with its documents.
struct RemoveSource {
  static constexpr ActionInfo info{
      .name = "project.source_remove",
      .summary = "Remove a source and its documents",
      .scope = Scope::project_sources_delete,
      .cost = Cost::read,
      .effect = ActionInfo::Effect::writes,
  };
};

/// A page or section that a search found.
struct Found {
  std::string title;       ///< of the document, with the nearest heading where that says more
  std::string page_title;  ///< of the document alone
  std::string url;         ///< with the heading's anchor
  std::string domain;      ///< host of `url`; empty for a relative one
  std::string fragment;    ///< the piece of text that matched, as plain text
  double score = 0;        ///< comparable within one result only
  bool is_title_match = false;
};

/// A passage as it stands in its document.
struct Excerpt {
  std::string title;  ///< as in `Found`
  std::string url;
  std::string text;
};

/// What the documents say on a question.
struct Findings {
  Answer answer;                  ///< in their own words
  std::vector<Excerpt> passages;  ///< the best first
};

/// All projects' documents: what is stored, and the search indexes that are derived from it. Opens an index when it is
/// first asked, brings it up to the store if it lags (after a crash, or because its folder was deleted), and keeps the
/// ones used last open. Every way in takes a permission for the project. Safe from any thread.
///
/// What a caller may not read takes no part in anything: callers of different groups search different indexes, each
/// made of the documents that they may read and of nothing else. So frequencies, lengths, counts, expansion words and
/// the nearest pages are those of a project without the other documents. A project that restricts nothing has one
/// index.
class Library {
 public:
  /// `workers` run searches; `openers` open indexes, which after a restore means making them again, and must hold up
  /// nobody's search. All references must outlive this object. Indexes lie in
  /// `data`/tenants/<tenant>/index/<project>/, beside the tenant's file, so that they go when it goes.
  Library(db::Store& store, std::filesystem::path data, net::Workers& workers, net::Workers& openers,
          const Clock& clock)
      : store_(store), data_(std::move(data)), workers_(workers), openers_(openers), clock_(clock) {}

  /// The ten best sections.
  template <Action A>
  Async<std::vector<Found>> search(const Authorized<A>& permit, std::string words) {
    return search_in(permit.project(), permit.who().groups, std::move(words));
  }

  /// Both from one search. `excerpts_max`: how many whole passages to give; 0 for who needs the answer alone.
  template <Action A>
  Async<Findings> look_up(const Authorized<A>& permit, std::string question, std::size_t excerpts_max) {
    return look_up_in(permit.project(), permit.who().groups, std::move(question), excerpts_max);
  }

  /// Reads files and folders in, and removes what is gone. Blocks: for a command's own thread. The work itself is done
  /// on a thread of low priority, `progress` included.
  Result<IngestReport> ingest(const Authorized<IngestDocuments>& permit, IngestRequest request, ProgressFn progress);

  /// From when this returns nobody finds what they may no longer read. `name`: of a source of this project, else
  /// `not_found`. `groups` as `parse_groups` reads them. False if it is so already. Blocks.
  Result<bool> restrict_source(const Authorized<RestrictSource>& permit, std::string_view name,
                               std::string_view groups);

  /// The same for removing it; gives how many documents went. Blocks.
  Result<std::int64_t> remove_source(const Authorized<RemoveSource>& permit, std::string_view name);

  /// Measures answers against questions. Blocks.
  template <Action A>
  Result<EvalReport> evaluate(const Authorized<A>& permit, std::span<const EvalQuestion> questions) {
    return evaluate_in(permit.project(), permit.who().groups, questions);
  }

  /// Deletes the indexes of a project, or of a tenant. Idempotent. Blocks.
  Result<void> remove(TenantId tenant, std::optional<ProjectId> project);

 private:
  // Each open index holds some ten descriptors and its readers' memory.
  static constexpr std::size_t open_indexes_max = 128;
  // A few names each; full: emptied, since what is in use comes back with one small read each.
  static constexpr std::size_t known_groups_max = 16'384;
  // Searches that wait or run: some seconds of work for two cores, of which no tenant takes more than a quarter.
  // Whoever comes then is told to come back rather than made to wait behind a flood.
  static constexpr std::size_t searches_max = 256;
  static constexpr std::size_t searches_per_tenant_max = 64;

  /// A view's index, being opened or open. One object per view for as long as anybody uses it, since an index has
  /// one writer.
  struct OpenIndex;
  using IndexPtr = std::shared_ptr<OpenIndex>;
  /// A project, and what part of it (`view_of`).
  using Key = std::pair<ProjectId, std::string>;
  struct Entry {
    Key key;
    TenantId tenant;
    IndexPtr index;
  };
  using Groups = std::shared_ptr<const std::vector<std::string>>;

  /// A place among the searches under way, for as long as it lives.
  class Place;
  friend class Place;

  /// Finds and then works on what was found, on a worker. `unavailable`, with when to come back, if too many searches
  /// are under way or the index is being made.
  template <class Work>
  auto with_hits(ProjectRef project, ReadableGroups reader, std::string words, std::size_t limit, Work work)
      -> Async<std::invoke_result_t<Work, const SearchResult&>>;

  Async<std::vector<Found>> search_in(ProjectRef project, ReadableGroups reader, std::string words);
  Async<Findings> look_up_in(ProjectRef project, ReadableGroups reader, std::string question, std::size_t excerpts_max);
  Result<EvalReport> evaluate_in(const ProjectRef& project, const ReadableGroups& reader,
                                 std::span<const EvalQuestion> questions);

  std::filesystem::path folder_of(TenantId tenant, std::optional<ProjectId> project) const;
  std::filesystem::path views_folder_of(TenantId tenant, ProjectId project) const;
  std::filesystem::path folder_of_view(const ProjectRef& project, std::string_view view) const;

  /// The groups that the project names, if they are in memory. Knowing fewer than there are shows a caller less.
  Groups find_groups(ProjectId project);
  Groups groups_locked(ProjectId project) const;
  Result<Groups> load_groups(const ProjectRef& project);
  void forget_groups(ProjectId project);

  /// The index of this view, open and not behind the store. Blocks, so it runs on a worker; other projects do not wait
  /// for one that is being made again.
  Result<IndexPtr> open(const ProjectRef& project, const std::string& view);
  IndexPtr entry_of(const ProjectRef& project, const std::string& view);
  IndexPtr entry_locked(const ProjectRef& project, const std::string& view);
  Result<void> open_entry(const ProjectRef& project, const std::string& view, OpenIndex& entry);
  std::vector<Entry> open_views(ProjectId project);
  Result<Index> open_current(const ProjectRef& project, const std::string& view);
  Result<SearchResult> find(const ProjectRef& project, const std::string& view, OpenIndex& entry,
                            std::string_view words, std::size_t limit);
  /// Runs `work(IndexSink&)`, which changes what is stored and brings all indexes of the project that are open up to
  /// it. Afterwards none is left that does not know of it: what could not follow is closed, what was not open deleted.
  template <class Work>
  auto change(const ProjectRef& project, Work work) -> std::invoke_result_t<Work, IndexSink&>;
  Result<void> settle(const ProjectRef& project);
  void close_views(ProjectId project);

  db::Store& store_;
  std::filesystem::path data_;
  net::Workers& workers_;
  net::Workers& openers_;
  const Clock& clock_;
  const std::shared_ptr<IndexMemory> memory_ = std::make_shared<IndexMemory>();  ///< one bound over all indexes
  std::mutex mutex_;
  std::list<Entry> recent_;  ///< most recently used first
  std::map<Key, std::list<Entry>::iterator> open_;
  std::unordered_map<ProjectId, Groups> groups_;
  std::uint64_t groups_forgotten_ = 0;  ///< counts; what was read before the last time is not kept
  std::size_t searches_ = 0;
  std::unordered_map<TenantId, std::size_t> searches_of_;
};

}  // namespace parley::knowledge
