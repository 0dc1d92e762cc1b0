#include "parley/knowledge/library.h"

#include <algorithm>

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
  explicit OpenIndex(Index opened) : index(std::move(opened)) {}
  Index index;
  std::mutex writing;  ///< one ingestion or catching-up at a time
};

std::filesystem::path Library::folder_of(TenantId tenant, std::optional<ProjectId> project) const {
  const auto folder = data_ / "tenants" / tenant.to_string() / "index";
  return project ? folder / project->to_string() : folder;
}

std::shared_ptr<Library::Slot> Library::slot_of(const ProjectRef& project) {
  const std::scoped_lock lock(mutex_);
  if (const auto it = open_.find(project.project); it != open_.end()) {
    recent_.splice(recent_.begin(), recent_, it->second);
    return recent_.front().slot;
  }
  // The least recently used first, but none that is being opened or searched: a folder has one Index at a time. Where
  // all are in use there are more for a while.
  for (auto it = recent_.end(); recent_.size() >= open_indexes_max && it != recent_.begin();) {
    --it;
    const auto slot = it->slot;  // outlives the lock on it
    const std::unique_lock opening(slot->opening, std::try_to_lock);
    if (!opening || slot.use_count() > 2 || slot->index.use_count() > 1) continue;
    open_.erase(it->project);
    it = recent_.erase(it);
  }
  recent_.push_front({project.project, project.tenant, std::make_shared<Slot>()});
  open_.emplace(project.project, recent_.begin());
  return recent_.front().slot;
}

Result<Library::IndexPtr> Library::open(const ProjectRef& project) {
  const auto slot = slot_of(project);
  const std::scoped_lock lock(slot->opening);
  if (slot->index) return slot->index;
  const auto folder = folder_of(project.tenant, project.project);
  const auto session = store_.tenant(project.tenant);
  const auto open_current = [&]() -> Result<IndexPtr> {
    auto index = std::make_shared<OpenIndex>(PARLEY_TRY(Index::open(folder)));
    Sink sink(index->index);
    PARLEY_TRY(sync_index(session, project.project, sink));
    return index;
  };
  auto index = open_current();
  if (!index && index.error().code() == Code::data_corrupt) {
    // Derived, so it is thrown away and made again.
    PARLEY_TRY(Index::discard(folder));
    index = open_current();
  }
  if (!index) return std::unexpected(std::move(index).error());
  slot->index = *index;
  return *std::move(index);
}

Result<SearchResult> Library::find(const ProjectRef& project, std::string_view words, std::size_t limit) {
  const auto index = PARLEY_TRY(open(project));
  return index->index.search({.text = words, .limit = limit});
}

Async<std::vector<Found>> Library::search_in(ProjectRef project, std::string words) {
  co_return co_await workers_.run([&]() -> Result<std::vector<Found>> {
    const auto result = PARLEY_TRY(find(project, words, search_results));
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
  });
}

Async<Answer> Library::answer_in(ProjectRef project, std::string question) {
  co_return co_await workers_.run([&]() -> Result<Answer> {
    return knowledge::answer(question, PARLEY_TRY(find(project, question, answer_passages)));
  });
}

Result<EvalReport> Library::evaluate_in(const ProjectRef& project, std::span<const EvalQuestion> questions) {
  const auto index = PARLEY_TRY(open(project));
  return knowledge::evaluate(index->index, questions);
}

Result<IngestReport> Library::ingest(const Authorized<IngestDocuments>& permit, IngestRequest request,
                                     ProgressFn progress) {
  const ProjectRef& project = permit.project();
  const auto index = PARLEY_TRY(open(project));
  const std::scoped_lock lock(index->writing);
  Sink sink(index->index);
  return knowledge::ingest(store_.tenant(project.tenant), project.project, std::move(request), sink, clock_,
                           std::move(progress));
}

Result<void> Library::remove(TenantId tenant, std::optional<ProjectId> project) {
  std::vector<std::shared_ptr<Slot>> closing;
  {
    const std::scoped_lock lock(mutex_);
    std::erase_if(recent_, [&](const Entry& entry) {
      const bool gone = entry.tenant == tenant && (!project || entry.project == *project);
      if (gone) {
        closing.push_back(entry.slot);
        open_.erase(entry.project);
      }
      return gone;
    });
  }
  for (const auto& slot : closing) {
    // Waits for an opening that has begun: it must not write into the folder behind the removal.
    const std::scoped_lock lock(slot->opening);
    slot->index.reset();
  }
  return Index::discard(folder_of(tenant, project));
}

}  // namespace parley::knowledge
