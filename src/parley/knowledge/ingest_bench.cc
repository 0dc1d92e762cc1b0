// Measures what a folder of documentation costs on its way into a project: read, parsed, stored in SQLite and committed
// to the search index.
//
//   ingest_bench [--docs DIR] [--megabytes N] [--documents N] [parts] [again] [one]
//
// DIR holds the Markdown that the corpus is made from: its pages again and again until there are N megabytes, each time
// with every fifth word of running text replaced. Four in five replacements are words of DIR, drawn as often as they
// occur there; the others are coined (the front of one word, the back of another) and drawn by Zipf's law from 200,000,
// so that the vocabulary goes on growing as that of real documentation does. Code, tables and links stay as they are.
// Numbers inside a page are changed as well. The figure of merit is Markdown bytes per second of this process's
// processor time, which other programs on the machine disturb less than they do the clock on the wall.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include <fmt/format.h>

#include "parley/crypto/random.h"
#include "parley/db/migration.h"
#include "parley/db/store.h"
#include "parley/knowledge/index.h"
#include "parley/knowledge/ingest.h"
#include "parley/knowledge/parse.h"
#include "parley/net/clock.h"

namespace parley::knowledge {
namespace {

using namespace db::literals;
namespace fs = std::filesystem;

constexpr std::size_t coined_words = 200'000;

[[noreturn]] void stop(const std::string& why) {
  std::fputs((why + "\n").c_str(), stderr);
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result) stop(describe_for_operator(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

struct Times {
  double wall = 0;
  double cpu = 0;  // of all threads of the process
  Times operator-(const Times& other) const { return {wall - other.wall, cpu - other.cpu}; }
  Times& operator+=(const Times& other) {
    wall += other.wall;
    cpu += other.cpu;
    return *this;
  }
};

Times now() {
  const auto seconds = [](clockid_t clock) {
    timespec t{};
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
  };
  return {seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID)};
}

double resident_peak_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

std::string load() {
  double averages[1] = {0};
  getloadavg(averages, 1);
  return fmt::format("{:.1f}", averages[0]);
}

/// An index that knows what it costs.
class TimedIndex final : public IndexSink {
 public:
  explicit TimedIndex(Index index) : index_(std::move(index)) {}
  Result<void> replace(const ChangedDocument& changed) override {
    const Times start = now();
    auto done = index_.replace(changed.document);
    adding += now() - start;
    return done;
  }
  Result<void> remove(std::string_view path) override { return index_.remove(path); }
  Result<void> commit(std::int64_t revision) override {
    const Times start = now();
    auto done = index_.commit(static_cast<std::uint64_t>(revision));
    committing += now() - start;
    return done;
  }
  Result<std::int64_t> revision() override { return static_cast<std::int64_t>(PARLEY_TRY(index_.revision())); }

  Index& index() { return index_; }

  Times adding;
  Times committing;

 private:
  Index index_;
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Where a line has words that may be others: not in code, tables, links, markup or what looks like a name.
template <class OnWord>
void each_word(std::string_view page, OnWord on_word) {
  bool fenced = false;
  for (std::size_t at = 0; at < page.size();) {
    const auto line_end = std::min(page.find('\n', at), page.size());
    const auto line = page.substr(at, line_end - at);
    const auto line_at = at;
    at = line_end + 1;
    if (line.starts_with("```")) fenced = !fenced;
    if (fenced || line.starts_with('|') || line.starts_with('<') || line.starts_with("```") || line.starts_with("    "))
      continue;
    char closing = 0;
    for (std::size_t i = 0; i < line.size();) {
      const char c = line[i];
      if (closing != 0) {
        if (c == closing) closing = 0;
        ++i;
      } else if (c == '`') {
        closing = '`', ++i;
      } else if (c == '(' && i > 0 && line[i - 1] == ']') {
        closing = ')', ++i;
      } else if (is_letter(c)) {
        std::size_t end = i;
        while (end < line.size() && is_letter(line[end])) ++end;
        const bool alone = (i == 0 || line[i - 1] == ' ') &&
                           (end == line.size() || line[end] == ' ' || line[end] == ',' || line[end] == '.');
        if (alone && end - i >= 4) on_word(line_at + i, end - i);
        while (end < line.size() && line[end] != ' ' && line[end] != '`' && line[end] != '[') ++end;
        i = end;
      } else {
        ++i;
      }
    }
  }
}

struct Corpus {
  std::uint64_t bytes = 0;
  std::size_t files = 0;
  std::size_t words_replaced = 0;
  std::size_t vocabulary = 0;  // distinct words among those that may be replaced
};

class CorpusMaker {
 public:
  explicit CorpusMaker(const fs::path& docs) {
    for (const auto& entry : fs::recursive_directory_iterator(docs)) {
      if (entry.path().extension() != ".md") continue;
      std::ifstream file(entry.path(), std::ios::binary);
      pages_.push_back({fs::relative(entry.path(), docs), {std::istreambuf_iterator<char>(file), {}}});
    }
    if (pages_.empty()) stop("no Markdown in " + docs.string());
    std::ranges::sort(pages_, {}, &Page::path);
    for (const Page& page : pages_)
      each_word(page.text, [&](std::size_t at, std::size_t size) { words_.push_back(page.text.substr(at, size)); });
  }

  /// Pages until either limit is reached.
  Corpus write(const fs::path& folder, std::uint64_t bytes, std::size_t documents) {
    Corpus corpus;
    std::unordered_set<std::string> vocabulary;
    for (std::size_t round = 0; corpus.bytes < bytes && corpus.files < documents; ++round) {
      const fs::path part = folder / fmt::format("book{:04}", round);
      for (const Page& page : pages_) {
        if (corpus.bytes >= bytes || corpus.files >= documents) break;
        std::string text;
        std::size_t copied = 0;
        each_word(page.text, [&](std::size_t at, std::size_t size) {
          std::string word = page.text.substr(at, size);
          if (random_() % 5 == 0) {
            word = random_() % 5 == 0 ? coin() : words_[random_() % words_.size()];
            text.append(page.text, copied, at - copied);
            text += word;
            copied = at + size;
            ++corpus.words_replaced;
          }
          vocabulary.insert(std::move(word));
        });
        text.append(page.text, copied);
        for (char& c : text)
          if (c >= '2' && c <= '8' && random_() % 3 == 0) c = static_cast<char>('2' + random_() % 7);
        const fs::path path = part / page.path;
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << text;
        corpus.bytes += text.size();
        ++corpus.files;
      }
    }
    corpus.vocabulary = vocabulary.size();
    return corpus;
  }

 private:
  struct Page {
    fs::path path;
    std::string text;
  };

  std::string coin() {
    const double share = static_cast<double>(random_() % 1'000'000) / 1e6;
    std::minstd_rand number(1 + static_cast<std::uint32_t>(std::pow(static_cast<double>(coined_words), share)));
    number.discard(3);
    const std::string& front = words_[number() % words_.size()];
    const std::string& back = words_[number() % words_.size()];
    return front.substr(0, (front.size() + 1) / 2) + back.substr(back.size() / 2);
  }

  std::mt19937_64 random_{42};
  std::vector<Page> pages_;
  std::vector<std::string> words_;  // as often as they occur
};

db::MigrationSet migrations() {
  db::MigrationSet set{.program_version = "0.1.0"};
  set.tenant.push_back(must(db::parse_migration("0001_projects.sql",
                                                "-- oldest: 0.1.0\n-- @all\nCREATE TABLE projects (\n  {tenant_column}"
                                                "\n  id TEXT NOT NULL,\n  PRIMARY KEY ({tenant}id)\n);\n")));
  for (const auto& migration : db::compiled_migrations().tenant)
    if (migration.name == "0002_knowledge" || migration.name == "0006_groups") set.tenant.push_back(migration);
  return set;
}

/// Takes itself away at the end.
struct Scratch {
  fs::path path = fs::temp_directory_path() / fmt::format("parley-ingest-bench-{}", ::getpid());
  Scratch() { fs::create_directories(path); }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

void row(std::string_view what, const Times& took, double megabytes) {
  fmt::print("{:<28} {:>8.2f} s cpu {:>8.2f} s wall {:>8.2f} MB/s cpu {:>8.2f} MB/s wall\n", what, took.cpu, took.wall,
             megabytes / took.cpu, megabytes / took.wall);
}

std::uint64_t folder_bytes(const fs::path& folder) {
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) bytes += entry.file_size();
  return bytes;
}

Times parse_all(const fs::path& folder) {
  Times took;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const Times start = now();
    (void)must(parse_markdown(text, entry.path().filename().string()));
    took += now() - start;
  }
  return took;
}

int run(int argc, char** argv) {
  fs::path docs = "../shared/data/docs";
  std::uint64_t megabytes = 16;
  std::size_t documents = 1'000'000;
  std::set<std::string> asked;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--docs" && i + 1 < argc) docs = argv[++i];
    else if (word == "--megabytes" && i + 1 < argc) megabytes = std::stoull(argv[++i]);
    else if (word == "--documents" && i + 1 < argc) documents = std::stoull(argv[++i]);
    else if (word == "parts" || word == "again" || word == "one") asked.insert(word);
    else stop("usage: ingest_bench [--docs DIR] [--megabytes N] [--documents N] [parts] [again] [one]");
  }
  if (asked.empty()) asked = {"parts", "again", "one"};
  if (!fs::exists(docs)) {
    fmt::print("{} is absent: nothing to measure\n", docs.string());
    return 0;
  }

  const Scratch scratch;
  const fs::path pages = scratch.path / "pages";
  const Corpus corpus = CorpusMaker(docs).write(pages, megabytes * 1'000'000, documents);
  const double size = static_cast<double>(corpus.bytes) / 1e6;
  fmt::print("{:.1f} MB of Markdown in {} files; {} words replaced, {} distinct in running text; load {}\n", size,
             corpus.files, corpus.words_replaced, corpus.vocabulary, load());
  const double resident_before = resident_peak_mb();

  const auto store = must(db::open_sqlite({.folder = scratch.path / "store", .vfs = {}}, migrations()));
  const net::SystemClock clock;
  const auto tenant = crypto::random_id<TenantId>();
  const auto project = crypto::random_id<ProjectId>();
  must(store->create_tenant(tenant));
  const auto session = store->tenant(tenant);
  must(session.write_blocking(
      [&](db::TenantWriter& writer) { return writer.run("INSERT INTO projects (id) VALUES ($1)"_sql, project); }));
  const fs::path index_folder = scratch.path / "index";
  TimedIndex index(must(Index::open(index_folder)));
  const auto ingest_pages = [&] {
    return must(ingest(session, project, {.paths = {pages}, .base_url = {}}, index, clock));
  };

  Times start = now();
  const auto report = ingest_pages();
  const Times total = now() - start;
  if (report.added != corpus.files) stop("not every page was taken");
  row("ingest, through commit", total, size);
  if (asked.contains("parts")) {
    const Times parsing = parse_all(pages);
    row("  parse", parsing, size);
    row("  read, digest, store", total - parsing - index.adding - index.committing, size);
    row("  index: add", index.adding, size);
    row("  index: commit", index.committing, size);
  }
  fmt::print("passages {}; store {:.1f} MB, index {:.1f} MB; resident peak {:.0f} MB (before: {:.0f}); load {}\n",
             report.passages, static_cast<double>(folder_bytes(scratch.path / "store")) / 1e6,
             static_cast<double>(folder_bytes(index_folder)) / 1e6, resident_peak_mb(), resident_before, load());

  if (asked.contains("again")) {
    start = now();
    const auto again = ingest_pages();
    const Times took = now() - start;
    if (again.unchanged != corpus.files) stop("a page was not recognised");
    fmt::print("again, nothing changed: {:.3f} s cpu, {:.3f} s wall, {:.0f} files/s of cpu\n", took.cpu, took.wall,
               static_cast<double>(corpus.files) / took.cpu);
  }
  if (asked.contains("one")) {
    for (const auto& entry : fs::recursive_directory_iterator(pages)) {
      if (!entry.is_regular_file()) continue;
      std::ofstream(entry.path(), std::ios::app) << "\n\nOne more paragraph, about quaternions.\n";
      break;
    }
    start = now();
    const auto one = ingest_pages();
    const Times took = now() - start;
    if (one.changed != 1) stop("the change was not seen");
    fmt::print("again, one of {} files changed: {:.3f} s cpu, {:.3f} s wall, through commit\n", corpus.files, took.cpu,
               took.wall);
    if (must(index.index().search({.text = "quaternions"})).hits.empty()) stop("the change is not found");
  }
  return 0;
}

}  // namespace
}  // namespace parley::knowledge

int main(int argc, char** argv) { return parley::knowledge::run(argc, argv); }
