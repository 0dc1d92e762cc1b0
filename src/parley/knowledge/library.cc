#include "parley/knowledge/library.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <future>
#include <limits>
#include <optional>
#include <ranges>
#include <system_error>
#include <thread>

#include "parley/crypto/hash.h"
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

/// Lets ingestion write to the index of one view without knowing what one is: it takes up what the view shows.
class Sink final : public IndexSink {
 public:
  Sink(Index& index, std::string_view view) : index_(index), reader_(reader_with(view)) {}
  Result<void> replace(const ChangedDocument& changed) override {
    if (may_read(reader_, changed.restriction)) return index_.replace(changed.document);
    return index_.remove(changed.document.path);
  }
  Result<void> remove(std::string_view path) override { return index_.remove(path); }
  Result<void> commit(std::int64_t revision) override { return index_.commit(static_cast<std::uint64_t>(revision)); }
  Result<std::int64_t> revision() override { return static_cast<std::int64_t>(PARLEY_TRY(index_.revision())); }

 private:
  Index& index_;
  ReadableGroups reader_;
};

/// Several as one. It is as far as the one that is furthest behind; the others take up again what they have.
class Sinks final : public IndexSink {
 public:
  void add(Index& index, std::string_view view) { sinks_.emplace_back(index, view); }
  Result<void> replace(const ChangedDocument& changed) override {
    for (auto& sink : sinks_) PARLEY_TRY(sink.replace(changed));
    return {};
  }
  Result<void> remove(std::string_view path) override {
    for (auto& sink : sinks_) PARLEY_TRY(sink.remove(path));
    return {};
  }
  Result<void> commit(std::int64_t revision) override {
    for (auto& sink : sinks_) PARLEY_TRY(sink.commit(revision));
    return {};
  }
  Result<std::int64_t> revision() override {
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (auto& sink : sinks_) least = std::min(least, PARLEY_TRY(sink.revision()));
    return least;
  }

 private:
  std::vector<Sink> sinks_;
};

/// Brings an open index up to what another node has stored. True if it was behind. While this node is changing the
/// project itself, that change does it.
Result<bool> follow_other_nodes(const db::TenantSession& session, ProjectId project, std::string_view view,
                                Index& index, std::mutex& writing) {
  const auto revision =
      PARLEY_TRY(session.read_blocking([&](db::TenantReader& reader) { return find_revision(reader, project); }));
  if (PARLEY_TRY(index.revision()) == static_cast<std::uint64_t>(revision)) return false;
  const std::unique_lock lock(writing, std::try_to_lock);
  if (!lock.owns_lock()) return false;
  Sink sink(index, view);
  PARLEY_TRY(sync_index(session, project, sink));
  return true;
}

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

std::filesystem::path Library::views_folder_of(TenantId tenant, ProjectId project) const {
  return folder_of(tenant, std::nullopt) / (project.to_string() + ".views");
}

std::filesystem::path Library::folder_of_view(const ProjectRef& project, std::string_view view) const {
  if (view.empty()) return folder_of(project.tenant, project.project);
  // A digest, since names of groups are longer than names of folders may be.
  return views_folder_of(project.tenant, project.project) / crypto::sha256(view).hex();
}

Library::Groups Library::find_groups(ProjectId project) {
  const std::scoped_lock lock(mutex_);
  return groups_locked(project);
}

Library::Groups Library::groups_locked(ProjectId project) const {
  const auto found = groups_.find(project);
  return found == groups_.end() ? nullptr : found->second;
}

Result<Library::Groups> Library::load_groups(const ProjectRef& project) {
  if (auto known = find_groups(project.project)) return known;
  std::uint64_t forgotten = 0;
  {
    const std::scoped_lock lock(mutex_);
    forgotten = groups_forgotten_;
  }
  const auto groups = std::make_shared<const std::vector<std::string>>(
      PARLEY_TRY(store_.tenant(project.tenant).read_blocking([&](db::TenantReader& reader) {
        return list_groups(reader, project.project);
      })));
  const std::scoped_lock lock(mutex_);
  // Read before a change that somebody else has made known meanwhile, it must not be what everybody goes by.
  if (forgotten == groups_forgotten_) {
    if (groups_.size() >= known_groups_max) groups_.clear();
    groups_[project.project] = groups;
  }
  return groups;
}

void Library::forget_groups(ProjectId project) {
  const std::scoped_lock lock(mutex_);
  groups_.erase(project);
  ++groups_forgotten_;
}

Library::IndexPtr Library::entry_of(const ProjectRef& project, const std::string& view) {
  const std::scoped_lock lock(mutex_);
  return entry_locked(project, view);
}

Library::IndexPtr Library::entry_locked(const ProjectRef& project, const std::string& view) {
  const Key key{project.project, view};
  if (const auto it = open_.find(key); it != open_.end()) {
    recent_.splice(recent_.begin(), recent_, it->second);
    return recent_.front().index;
  }
  // The least recently used go, but none that is in use: a second object on its folder would meet its write lock.
  for (auto entry = recent_.end(); recent_.size() >= open_indexes_max && entry != recent_.begin();) {
    --entry;
    if (entry->index.use_count() > 1) continue;
    open_.erase(entry->key);
    entry = recent_.erase(entry);
  }
  recent_.push_front({key, project.tenant, std::make_shared<OpenIndex>()});
  open_.emplace(key, recent_.begin());
  return recent_.front().index;
}

std::vector<Library::Entry> Library::open_views(ProjectId project) {
  const std::scoped_lock lock(mutex_);
  std::vector<Entry> views;
  for (auto it = open_.lower_bound({project, {}}); it != open_.end() && it->first.first == project; ++it)
    views.push_back(*it->second);
  return views;
}

void Library::close_views(ProjectId project) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(recent_, [&](const Entry& entry) {
    if (entry.key.first != project) return false;
    open_.erase(entry.key);
    return true;
  });
}

Result<Index> Library::open_current(const ProjectRef& project, const std::string& view) {
  auto index = PARLEY_TRY(Index::open(folder_of_view(project, view), "english", memory_));
  Sink sink(index, view);
  PARLEY_TRY(sync_index(store_.tenant(project.tenant), project.project, sink));
  return index;
}

Result<Library::IndexPtr> Library::open(const ProjectRef& project, const std::string& view) {
  auto entry = entry_of(project, view);
  PARLEY_TRY(open_entry(project, view, *entry));
  return entry;
}

Result<void> Library::open_entry(const ProjectRef& project, const std::string& view, OpenIndex& entry) {
  if (entry.ready) return {};
  const std::scoped_lock lock(entry.opening);
  if (entry.index) return {};
  auto index = open_current(project, view);
  if (!index && index.error().code() == Code::data_corrupt) {
    // Derived, so it is thrown away and made again.
    PARLEY_TRY(Index::discard(folder_of_view(project, view)));
    index = open_current(project, view);
  }
  if (!index) return std::unexpected(std::move(index).error());
  entry.index.emplace(*std::move(index));
  entry.ready = true;
  return {};
}

Result<SearchResult> Library::find(const ProjectRef& project, const std::string& view, OpenIndex& entry,
                                   std::string_view words, std::size_t limit) {
  // SQLite's files are this process's alone.
  if (store_.engine() == db::Engine::postgres) {
    const bool was_behind = PARLEY_TRY(
        follow_other_nodes(store_.tenant(project.tenant), project.project, view, *entry.index, entry.writing));
    if (was_behind) forget_groups(project.project);
  }
  return entry.index->search({.text = words, .limit = limit});
}

template <class Work>
auto Library::change(const ProjectRef& project, Work work) -> std::invoke_result_t<Work, IndexSink&> {
  // Whoever changes the project holds this one's lock, so there is one at a time.
  const auto open_to_all = PARLEY_TRY(open(project, {}));
  const std::scoped_lock lock(open_to_all->writing);
  const auto views = open_views(project.project);
  Sinks sinks;
  std::vector<std::unique_lock<std::mutex>> locks;
  for (const auto& view : views) {
    if (!view.index->ready) continue;
    if (view.index != open_to_all) locks.emplace_back(view.index->writing);
    sinks.add(*view.index->index, view.key.second);
  }
  auto outcome = work(sinks);
  locks.clear();
  const auto settled = settle(project);
  // Each is brought up to the store when it is opened again, or cannot be opened: closed, none shows what it must not.
  if (!outcome || !settled) close_views(project.project);
  if (outcome && !settled) return std::unexpected(settled.error());
  return outcome;
}

Result<void> Library::settle(const ProjectRef& project) {
  forget_groups(project.project);
  const auto session = store_.tenant(project.tenant);
  const auto revision = PARLEY_TRY(
      session.read_blocking([&](db::TenantReader& reader) { return find_revision(reader, project.project); }));
  // Those that were being opened meanwhile may have read the store before the change.
  const auto views = open_views(project.project);
  for (const auto& view : views) {
    const std::scoped_lock opening(view.index->opening);
    if (!view.index->index || PARLEY_TRY(view.index->index->revision()) == static_cast<std::uint64_t>(revision))
      continue;
    Sink sink(*view.index->index, view.key.second);
    PARLEY_TRY(sync_index(session, project.project, sink));
  }
  // Nobody uses the others, and what was removed from the project must not stay on the disk for it. Under the lock, so
  // that none of them is being opened.
  const std::scoped_lock lock(mutex_);
  std::error_code error;
  std::filesystem::directory_iterator folder(views_folder_of(project.tenant, project.project), error);
  for (; !error && folder != std::filesystem::directory_iterator(); folder.increment(error)) {
    const bool is_open = std::ranges::any_of(recent_, [&](const Entry& entry) {
      return entry.key.first == project.project && folder_of_view(project, entry.key.second) == folder->path();
    });
    if (!is_open) PARLEY_TRY(Index::discard(folder->path()));
  }
  return {};
}

class Library::Place {
 public:
  /// One lock for the place, the reader's view and the index to search in.
  Place(Library& library, const ProjectRef& project, const ReadableGroups& reader)
      : library_(library), tenant_(project.tenant) {
    const std::scoped_lock lock(library_.mutex_);
    auto& of_tenant = library_.searches_of_[tenant_];
    granted_ = library_.searches_ < searches_max && of_tenant < searches_per_tenant_max;
    if (granted_) {
      ++library_.searches_;
      ++of_tenant;
      if (const auto groups = library_.groups_locked(project.project)) {
        view_ = view_of(reader, *groups);
        entry_ = library_.entry_locked(project, view_);
      }
    } else if (of_tenant == 0) {
      library_.searches_of_.erase(tenant_);
    }
  }
  ~Place() {
    if (!granted_) return;
    const std::scoped_lock lock(library_.mutex_);
    --library_.searches_;
    const auto found = library_.searches_of_.find(tenant_);
    if (--found->second == 0) library_.searches_of_.erase(found);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  bool granted() const { return granted_; }
  /// Not if the project's groups were not in memory: then `enter` once they are known.
  bool entered() const { return entry_ != nullptr; }
  void enter(const ProjectRef& project, std::string view) {
    view_ = std::move(view);
    entry_ = library_.entry_of(project, view_);
  }
  OpenIndex& entry() const { return *entry_; }
  const std::string& view() const { return view_; }

 private:
  Library& library_;
  TenantId tenant_;
  bool granted_ = false;
  std::string view_;
  IndexPtr entry_;
};

template <class Work>
auto Library::with_hits(ProjectRef project, ReadableGroups reader, std::string words, std::size_t limit, Work work)
    -> Async<std::invoke_result_t<Work, const SearchResult&>> {
  using Value = std::invoke_result_t<Work, const SearchResult&>;
  Place place(*this, project, reader);
  if (!place.granted())
    co_return fail(Error(Code::unavailable, "too many searches are under way").retry_after(std::chrono::seconds(1)));
  if (!place.entered()) {
    auto loading = [&] { return load_groups(project); };
    const auto groups = PARLEY_CO_TRY(co_await openers_.run(std::move(loading)));
    place.enter(project, view_of(reader, *groups));
  }
  auto& entry = place.entry();
  const auto& view = place.view();
  if (!entry.ready) {
    auto opening = [&]() -> Result<void> {
      // Somebody is making it already; waiting here would take the place of those who could open theirs.
      if (!entry.ready && !entry.opening.try_lock())
        return fail(Error(Code::unavailable, "the search index is being made").retry_after(std::chrono::seconds(2)));
      if (!entry.ready) entry.opening.unlock();
      return open_entry(project, view, entry);
    };
    PARLEY_CO_TRY(co_await openers_.run(std::move(opening)));
  }
  auto searching = [&]() -> Result<Value> { return work(PARLEY_TRY(find(project, view, entry, words, limit))); };
  co_return co_await workers_.run(std::move(searching));
}

Async<std::vector<Found>> Library::search_in(ProjectRef project, ReadableGroups reader, std::string words) {
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
  co_return co_await with_hits(std::move(project), std::move(reader), std::move(words), search_results,
                               std::move(to_found));
}

Async<Findings> Library::look_up_in(ProjectRef project, ReadableGroups reader, std::string question,
                                    std::size_t excerpts_max) {
  auto to_findings = [question, excerpts_max](const SearchResult& result) {
    Findings findings{.answer = knowledge::answer(question, result), .passages = {}};
    for (const Hit& hit : result.hits | std::views::take(excerpts_max)) {
      Excerpt excerpt{.title = title_of(hit), .url = url_of(hit), .text = {}};
      for (const Block& block : hit.blocks) {
        if (!excerpt.text.empty()) excerpt.text += "\n\n";
        excerpt.text += block.kind == BlockKind::code ? "```\n" + block.text + "\n```" : block.text;
      }
      findings.passages.push_back(std::move(excerpt));
    }
    return findings;
  };
  co_return co_await with_hits(std::move(project), std::move(reader), question, answer_passages,
                               std::move(to_findings));
}

Result<EvalReport> Library::evaluate_in(const ProjectRef& project, const ReadableGroups& reader,
                                        std::span<const EvalQuestion> questions) {
  const auto groups = PARLEY_TRY(load_groups(project));
  const auto index = PARLEY_TRY(open(project, view_of(reader, *groups)));
  return knowledge::evaluate(*index->index, questions);
}

Result<IngestReport> Library::ingest(const Authorized<IngestDocuments>& permit, IngestRequest request,
                                     ProgressFn progress) {
  const ProjectRef& project = permit.project();
  return change(project, [&](IndexSink& indexes) {
    // Computes for as long as there is text; answering goes before it.
    std::promise<Result<IngestReport>> done;
    const std::jthread working([&] {
      net::take_priority(net::Priority::background);
      try {
        done.set_value(knowledge::ingest(store_.tenant(project.tenant), project.project, std::move(request), indexes,
                                         clock_, std::move(progress)));
      } catch (...) {
        done.set_exception(std::current_exception());
      }
    });
    return done.get_future().get();
  });
}

namespace {

Result<Source> load_source(db::TenantReader& reader, ProjectId project, std::string_view name) {
  auto sources = PARLEY_TRY(list_sources(reader, project));
  const auto found = std::ranges::find(sources, name, &Source::name);
  if (found == sources.end()) return fail(Code::not_found, "no such source", std::string(name));
  return std::move(*found);
}

}  // namespace

Result<bool> Library::restrict_source(const Authorized<RestrictSource>& permit, std::string_view name,
                                      std::string_view groups) {
  const ProjectRef& project = permit.project();
  const auto wanted = join_groups(PARLEY_TRY(parse_groups(groups)));
  return change(project, [&](IndexSink& indexes) -> Result<bool> {
    const auto session = store_.tenant(project.tenant);
    const bool changed = PARLEY_TRY(session.write_blocking([&](db::TenantWriter& writer) -> Result<bool> {
      const auto source = PARLEY_TRY(load_source(writer, project.project, name));
      return set_source_groups(writer, project.project, source.id, wanted);
    }));
    PARLEY_TRY(sync_index(session, project.project, indexes));
    return changed;
  });
}

Result<std::int64_t> Library::remove_source(const Authorized<RemoveSource>& permit, std::string_view name) {
  const ProjectRef& project = permit.project();
  return change(project, [&](IndexSink& indexes) -> Result<std::int64_t> {
    const auto session = store_.tenant(project.tenant);
    const auto removed = PARLEY_TRY(session.write_blocking([&](db::TenantWriter& writer) -> Result<std::int64_t> {
      const auto source = PARLEY_TRY(load_source(writer, project.project, name));
      const auto revision = PARLEY_TRY(take_revision(writer, project.project));
      return knowledge::remove_source(writer, project.project, source.id, revision);
    }));
    PARLEY_TRY(sync_index(session, project.project, indexes));
    return removed;
  });
}

Result<void> Library::remove(TenantId tenant, std::optional<ProjectId> project) {
  std::vector<IndexPtr> gone;
  {
    const std::scoped_lock lock(mutex_);
    std::erase_if(recent_, [&](const Entry& entry) {
      if (entry.tenant != tenant || (project && entry.key.first != *project)) return false;
      open_.erase(entry.key);
      gone.push_back(entry.index);
      return true;
    });
  }
  // Whoever still writes or searches there finishes first. Nobody new comes: the slug is closed by now.
  for (auto& index : gone) {
    const std::scoped_lock writing(index->writing);
    const std::scoped_lock opening(index->opening);
  }
  gone.clear();
  if (project) {
    forget_groups(*project);
    PARLEY_TRY(Index::discard(views_folder_of(tenant, *project)));
  }
  return Index::discard(folder_of(tenant, project));
}

}  // namespace parley::knowledge
