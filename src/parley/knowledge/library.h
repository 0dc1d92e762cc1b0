#pragma once

#include <filesystem>
#include <functional>
#include <list>
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

/// All projects' documents: what is stored, and the search indexes that are derived from it. Opens an index when it is
/// first asked, brings it up to the store if it lags (after a crash, or because its folder was deleted), and keeps the
/// ones used last open. Every way in takes a permission for the project. Safe from any thread.
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
    return search_in(permit.project(), std::move(words));
  }

  template <Action A>
  Async<Answer> answer(const Authorized<A>& permit, std::string question) {
    return answer_in(permit.project(), std::move(question));
  }

  /// Reads files and folders in, and removes what is gone. Blocks: for a command's own thread. The work itself is done
  /// on a thread of low priority, `progress` included.
  Result<IngestReport> ingest(const Authorized<IngestDocuments>& permit, IngestRequest request, ProgressFn progress);

  /// Measures answers against questions. Blocks.
  template <Action A>
  Result<EvalReport> evaluate(const Authorized<A>& permit, std::span<const EvalQuestion> questions) {
    return evaluate_in(permit.project(), questions);
  }

  /// Deletes the indexes of a project, or of a tenant. Idempotent. Blocks.
  Result<void> remove(TenantId tenant, std::optional<ProjectId> project);

 private:
  // Each open index holds some ten descriptors and its readers' memory.
  static constexpr std::size_t open_indexes_max = 128;
  // Searches that wait or run: some seconds of work for two cores, of which no tenant takes more than a quarter.
  // Whoever comes then is told to come back rather than made to wait behind a flood.
  static constexpr std::size_t searches_max = 256;
  static constexpr std::size_t searches_per_tenant_max = 64;

  /// A project's index, being opened or open. One object per project for as long as anybody uses it, since an index has
  /// one writer.
  struct OpenIndex;
  using IndexPtr = std::shared_ptr<OpenIndex>;
  struct Entry {
    ProjectId project;
    TenantId tenant;
    IndexPtr index;
  };

  /// A place among the searches under way, for as long as it lives.
  class Place;
  friend class Place;

  /// Finds and then works on what was found, on a worker. `unavailable`, with when to come back, if too many searches
  /// are under way or the index is being made.
  template <class Work>
  auto with_hits(ProjectRef project, std::string words, std::size_t limit, Work work)
      -> Async<std::invoke_result_t<Work, const SearchResult&>>;

  Async<std::vector<Found>> search_in(ProjectRef project, std::string words);
  Async<Answer> answer_in(ProjectRef project, std::string question);
  Result<EvalReport> evaluate_in(const ProjectRef& project, std::span<const EvalQuestion> questions);

  std::filesystem::path folder_of(TenantId tenant, std::optional<ProjectId> project) const;
  /// The project's index, open and not behind the store. Blocks, so it runs on a worker; other projects do not wait for
  /// one that is being made again.
  Result<IndexPtr> open(const ProjectRef& project);
  IndexPtr entry_of(const ProjectRef& project);
  IndexPtr entry_locked(const ProjectRef& project);
  Result<void> open_entry(const ProjectRef& project, OpenIndex& entry);
  Result<Index> open_current(const ProjectRef& project);

  db::Store& store_;
  std::filesystem::path data_;
  net::Workers& workers_;
  net::Workers& openers_;
  const Clock& clock_;
  const std::shared_ptr<IndexMemory> memory_ = std::make_shared<IndexMemory>();  ///< one bound over all indexes
  std::mutex mutex_;
  std::list<Entry> recent_;  ///< most recently used first
  std::unordered_map<ProjectId, std::list<Entry>::iterator> open_;
  std::size_t searches_ = 0;
  std::unordered_map<TenantId, std::size_t> searches_of_;
};

}  // namespace parley::knowledge
