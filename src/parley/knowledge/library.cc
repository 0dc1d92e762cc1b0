#include "parley/knowledge/library.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <future>
#include <optional>
#include <thread>

#include "parley/net/priority.h"
#include "parley/text/utf8.h"

namespace parley::knowledge {
namespace {

constexpr std::size_t search_results = 10;
// The answerer looks at eight; a few more let it see that a page matched more than once.
constexpr std::size_t answer_passages = 10;
// Two lines under a result.
constexpr std::size_t fragment_bytes_max = 240;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool contains_word(std::string_view text, std::string_view word) {
  return !word.empty() && !std::ranges::search(text, word, {}, lower, lower).empty();
}

std::string title_of(const Hit& hit) {
  if (hit.headings.empty() || hit.headings.back() == hit.title) return hit.title;
  return hit.title + ": " + hit.headings.back();
}

std::string url_of(const Hit& hit) { return hit.anchor.empty() ? hit.url : hit.url + "#" + hit.anchor; }

std::string domain_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  const std::string_view rest = url.substr(scheme + 3);
  return std::string(rest.substr(0, rest.find_first_of("/?#")));
}

/// The block with the most of the question's words, cut to size.
std::string fragment_of(const Hit& hit, const std::vector<QueryTerm>& terms) {
  std::string_view best;
  std::ptrdiff_t best_count = -1;
  for (const Block& block : hit.blocks) {
    const auto count =
        std::ranges::count_if(terms, [&](const QueryTerm& t) { return contains_word(block.text, t.word); });
    if (count > best_count) {
      best = block.text;
      best_count = count;
    }
  }
  std::string fragment(text::truncate_to_bytes(best, fragment_bytes_max));
  if (fragment.size() < best.size()) {
    if (const auto blank = fragment.find_last_of(" \n"); blank != std::string::npos && blank > fragment_bytes_max / 2)
      fragment.resize(blank);
    fragment += " …";
  }
  std::ranges::replace(fragment, '\n', ' ');
  return fragment;
}

/// Lets ingestion write to an index without knowing what one is.
class Sink final : public IndexSink {
 public:
  explicit Sink(Index& index) : index_(index) {}
  Result<void> replace(const ChangedDocument& changed) override { return index_.replace(changed.document); }
  Result<void> remove(std::string_view path) override { return index_.remove(path); }
  Result<void> commit(std::int64_t revision) override { return index_.commit(static_cast<std::uint64_t>(revision)); }
  Result<std::int64_t> revision() override { return static_cast<std::int64_t>(PARLEY_TRY(index_.revision())); }

 private:
  Index& index_;
};

}  // namespace

struct Library::OpenIndex {
  std::atomic<bool> ready = false;
  std::mutex opening;
  std::optional<Index> index;  ///< set once under `opening`, and never unset
  std::mutex writing;          ///< one ingestion at a time
};

std::filesystem::path Library::folder_of(TenantId tenant, std::optional<ProjectId> project) const {
  const auto folder = data_ / "tenants" / tenant.to_string() / "index";
  return project ? folder / project->to_string() : folder;
}

Library::IndexPtr Library::entry_of(const ProjectRef& project) {
  const std::scoped_lock lock(mutex_);
  return entry_locked(project);
}

Library::IndexPtr Library::entry_locked(const ProjectRef& project) {
  if (const auto it = open_.find(project.project); it != open_.end()) {
    recent_.splice(recent_.begin(), recent_, it->second);
    return recent_.front().index;
  }
  // The least recently used go, but none that is in use: a second object on its folder would meet its write lock.
  for (auto entry = recent_.end(); recent_.size() >= open_indexes_max && entry != recent_.begin();) {
    --entry;
    if (entry->index.use_count() > 1) continue;
    open_.erase(entry->project);
    entry = recent_.erase(entry);
  }
  recent_.push_front({project.project, project.tenant, std::make_shared<OpenIndex>()});
  open_.emplace(project.project, recent_.begin());
  return recent_.front().index;
}

Result<Index> Library::open_current(const ProjectRef& project) {
  auto index = PARLEY_TRY(Index::open(folder_of(project.tenant, project.project), "english", memory_));
  Sink sink(index);
  PARLEY_TRY(sync_index(store_.tenant(project.tenant), project.project, sink));
  return index;
}

Result<Library::IndexPtr> Library::open(const ProjectRef& project) {
  auto entry = entry_of(project);
  PARLEY_TRY(open_entry(project, *entry));
  return entry;
}

Result<void> Library::open_entry(const ProjectRef& project, OpenIndex& entry) {
  if (entry.ready) return {};
  const std::scoped_lock lock(entry.opening);
  if (entry.index) return {};
  auto index = open_current(project);
  if (!index && index.error().code() == Code::data_corrupt) {
    // Derived, so it is thrown away and made again.
    PARLEY_TRY(Index::discard(folder_of(project.tenant, project.project)));
    index = open_current(project);
  }
  if (!index) return std::unexpected(std::move(index).error());
  entry.index.emplace(*std::move(index));
  entry.ready = true;
  return {};
}

class Library::Place {
 public:
  /// One lock for the place and for the index to search in.
  Place(Library& library, const ProjectRef& project) : library_(library), tenant_(project.tenant) {
    const std::scoped_lock lock(library_.mutex_);
    auto& of_tenant = library_.searches_of_[tenant_];
    if (library_.searches_ < searches_max && of_tenant < searches_per_tenant_max) {
      ++library_.searches_;
      ++of_tenant;
      entry_ = library_.entry_locked(project);
    } else if (of_tenant == 0) {
      library_.searches_of_.erase(tenant_);
    }
  }
  ~Place() {
    if (!entry_) return;
    const std::scoped_lock lock(library_.mutex_);
    --library_.searches_;
    const auto found = library_.searches_of_.find(tenant_);
    if (--found->second == 0) library_.searches_of_.erase(found);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  bool granted() const { return entry_ != nullptr; }
  OpenIndex& entry() const { return *entry_; }

 private:
  Library& library_;
  TenantId tenant_;
  IndexPtr entry_;  ///< null: not granted
};

template <class Work>
auto Library::with_hits(ProjectRef project, std::string words, std::size_t limit, Work work)
    -> Async<std::invoke_result_t<Work, const SearchResult&>> {
  using Value = std::invoke_result_t<Work, const SearchResult&>;
  const Place place(*this, project);
  if (!place.granted())
    co_return fail(Error(Code::unavailable, "too many searches are under way").retry_after(std::chrono::seconds(1)));
  auto& entry = place.entry();
  if (!entry.ready) {
    auto opening = [&]() -> Result<void> {
      // Somebody is making it already; waiting here would take the place of those who could open theirs.
      if (!entry.ready && !entry.opening.try_lock())
        return fail(Error(Code::unavailable, "the search index is being made").retry_after(std::chrono::seconds(2)));
      if (!entry.ready) entry.opening.unlock();
      return open_entry(project, entry);
    };
    PARLEY_CO_TRY(co_await openers_.run(std::move(opening)));
  }
  auto searching = [&]() -> Result<Value> {
    return work(PARLEY_TRY(entry.index->search({.text = words, .limit = limit})));
  };
  co_return co_await workers_.run(std::move(searching));
}

Async<std::vector<Found>> Library::search_in(ProjectRef project, std::string words) {
  auto to_found = [](const SearchResult& result) {
    std::vector<Found> found;
    found.reserve(result.hits.size());
    for (const Hit& hit : result.hits) {
      const std::string title = title_of(hit);
      const bool in_title = !result.terms.empty() && std::ranges::all_of(result.terms, [&](const QueryTerm& term) {
        return term.part || contains_word(title, term.word);
      });
      const std::string url = url_of(hit);
      found.push_back({title, hit.title, url, domain_of(url), fragment_of(hit, result.terms), hit.score, in_title});
    }
    return found;
  };
  co_return co_await with_hits(std::move(project), std::move(words), search_results, std::move(to_found));
}

Async<Answer> Library::answer_in(ProjectRef project, std::string question) {
  auto to_answer = [question](const SearchResult& result) { return knowledge::answer(question, result); };
  co_return co_await with_hits(std::move(project), question, answer_passages, std::move(to_answer));
}

Result<EvalReport> Library::evaluate_in(const ProjectRef& project, std::span<const EvalQuestion> questions) {
  const auto index = PARLEY_TRY(open(project));
  return knowledge::evaluate(*index->index, questions);
}

Result<IngestReport> Library::ingest(const Authorized<IngestDocuments>& permit, IngestRequest request,
                                     ProgressFn progress) {
  const ProjectRef& project = permit.project();
  const auto index = PARLEY_TRY(open(project));
  const std::scoped_lock lock(index->writing);
  Sink sink(*index->index);
  // Computes for as long as there is text; answering goes before it.
  std::promise<Result<IngestReport>> done;
  std::jthread working([&] {
    net::take_priority(net::Priority::background);
    try {
      done.set_value(knowledge::ingest(store_.tenant(project.tenant), project.project, std::move(request), sink, clock_,
                                       std::move(progress)));
    } catch (...) {
      done.set_exception(std::current_exception());
    }
  });
  return done.get_future().get();
}

Result<void> Library::remove(TenantId tenant, std::optional<ProjectId> project) {
  std::vector<IndexPtr> gone;
  {
    const std::scoped_lock lock(mutex_);
    std::erase_if(recent_, [&](const Entry& entry) {
      if (entry.tenant != tenant || (project && entry.project != *project)) return false;
      open_.erase(entry.project);
      gone.push_back(entry.index);
      return true;
    });
  }
  // Whoever still writes or searches there finishes first. Nobody new comes: the slug is closed by now.
  for (auto& index : gone) {
    const std::scoped_lock opening(index->opening);
    const std::scoped_lock writing(index->writing);
  }
  gone.clear();
  return Index::discard(folder_of(tenant, project));
}

}  // namespace parley::knowledge
