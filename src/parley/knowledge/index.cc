#include "parley/knowledge/index.h"

#include <xapian.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "parley/knowledge/evidence.h"
#include "parley/knowledge/index_memory.h"
#include "parley/knowledge/postings.h"
#include "parley/knowledge/ranking.h"
#include "parley/knowledge/terms.h"
#include "parley/knowledge/vocabulary.h"

namespace parley::knowledge {
namespace {

// Changes with anything that makes stored terms, streams or records mean something else. Part of the format mark, so
// that an index of another version is rebuilt rather than misread.
constexpr std::string_view format_version = "parley-index-1";
constexpr const char* format_key = "format";
constexpr const char* revision_key = "revision";

// Both in value slots: what is stored as document data or as metadata is compressed one by one, which costs more time
// than all of our own work on a passage, and again whenever it is read.
constexpr Xapian::valueno stream_slot = 0;
constexpr Xapian::valueno record_slot = 1;

// Xapian keeps pending postings in trees of single nodes. Past this many passages they no longer fit the processor's
// cache and each word costs several times as much.
constexpr std::size_t pending_passages_max = 500;

// Words count more where the author chose them to name what follows.
constexpr Xapian::termcount title_wdf = 2;
constexpr Xapian::termcount heading_wdf = 2;

// A passage is a few hundred words; a machine-made page can be anything. The rest of it is still found by its words,
// only not compared word by word.
constexpr std::size_t stream_words_max = 4'000;

// Xapian refuses terms over 245 bytes (after escaping); longer keys are replaced by a digest.
constexpr std::size_t key_bytes_max = 200;

constexpr std::size_t candidates_max = 60;          // re-ranked; deeper ones were never relevant enough to matter
constexpr std::size_t text_passages = 12;           // whose text is read for the last ordering
constexpr std::size_t feedback_passages = 8;        // taken to be relevant
constexpr std::size_t feedback_question_words = 9;  // from here on feedback counts in full
constexpr std::size_t feedback_terms = 30;          // strongest of their words
constexpr std::size_t related_max = 128;
constexpr double weak_share = 0.7;  // what a word that only frames the question weighs of its frequency's worth
constexpr std::size_t frequency_cache_max = 50'000;
constexpr std::size_t idle_readers_max = 16;  // one per worker that searches at the same time

// Boolean terms begin with a capital letter; stems of words never do.
std::string key_term(char prefix, std::string_view key) {
  std::string term(1, prefix);
  // A NUL counts twice towards Xapian's limit; the digest has none.
  const bool fits = key.size() <= key_bytes_max && key.find('\0') == std::string_view::npos;
  if (fits) return term += key;
  std::uint64_t a = 14695981039346656037ull;
  std::uint64_t b = 0x9e3779b97f4a7c15ull;
  for (const char c : key) {
    a = (a ^ static_cast<std::uint8_t>(c)) * 1099511628211ull;
    b = std::rotl(b, 7) ^ a;
  }
  return term += fmt::format("\x01{:016x}{:016x}{}", a, b, key.size());
}
std::string document_term(std::string_view path) { return key_term('D', path); }
std::string folder_term(std::string_view path) { return key_term('F', path); }
std::string group_term(std::string_view group) { return key_term('G', group); }
constexpr const char* restricted_term = "R";

void put_number(std::string& out, std::uint64_t n) {
  for (; n >= 128; n >>= 7) out += static_cast<char>(n | 128);
  out += static_cast<char>(n);
}
void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out += text;
}

class Reading {
 public:
  explicit Reading(std::string_view bytes) : rest_(bytes) {}
  std::uint64_t number() {
    std::uint64_t n = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<std::uint8_t>(rest_[0]);
      rest_.remove_prefix(1);
      n |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 128) return n;
    }
    good_ = false;
    return 0;
  }
  std::string_view text() {
    const auto size = number();
    if (!good_ || size > rest_.size()) {
      good_ = false;
      return {};
    }
    const auto taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  /// A count of things that take at least a byte each: a damaged one cannot ask for more memory than the record has.
  std::size_t count() {
    const auto n = number();
    if (n > rest_.size()) good_ = false;
    return good_ ? n : 0;
  }
  bool good() const { return good_; }
  bool finished() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

void put_record(std::string& out, const Document& document, const Passage& passage) {
  put_text(out, passage.id);
  put_text(out, document.path);
  put_text(out, document.url == document.path ? std::string_view() : std::string_view(document.url));
  put_text(out, document.title);
  put_number(out, passage.headings.size());
  for (const auto& heading : passage.headings) put_text(out, heading);
  put_text(out, passage.anchor);
  put_number(out, passage.blocks.size());
  for (const auto& block : passage.blocks) {
    out += static_cast<char>(block.kind);
    put_text(out, block.text);
  }
}

bool read_record(std::string_view bytes, Hit& hit) {
  Reading in(bytes);
  hit.passage_id = in.text();
  hit.path = in.text();
  hit.url = in.text();
  if (hit.url.empty()) hit.url = hit.path;
  hit.title = in.text();
  hit.headings.resize(in.count());
  for (auto& heading : hit.headings) heading = in.text();
  hit.anchor = in.text();
  hit.blocks.resize(in.count());
  for (auto& block : hit.blocks) {
    const auto kind = in.number();
    if (kind > static_cast<std::uint64_t>(BlockKind::code)) return false;
    block.kind = static_cast<BlockKind>(kind);
    block.text = in.text();
  }
  return in.finished();
}

/// The words of a stored stream, behind the hash of the document's path.
std::string_view words_of(std::string_view stream) { return stream.substr(sizeof(std::uint32_t)); }

void put_word(std::string& stream, std::uint32_t hash) {
  if constexpr (std::endian::native == std::endian::big) hash = __builtin_bswap32(hash);
  char bytes[sizeof hash];
  std::memcpy(bytes, &hash, sizeof hash);
  stream.append(bytes, sizeof bytes);
}

/// Turns what Xapian throws into an Error. Called inside a catch block.
Error translate_exception() {
  try {
    throw;
  } catch (const Xapian::DatabaseLockError& error) {
    return Error(Code::unavailable, "the search index is in use by another process", error.get_description());
  } catch (const Xapian::DatabaseModifiedError& error) {
    return Error(Code::unavailable, "the search index is changing too fast", error.get_description());
  } catch (const Xapian::Error& error) {
    const char* system = error.get_error_string();
    if (system != nullptr && std::string_view(system) == std::strerror(ENOSPC))
      return Error(Code::storage_full, "the disk is full", error.get_description());
    if (system != nullptr &&
        (std::string_view(system) == std::strerror(EMFILE) || std::string_view(system) == std::strerror(ENFILE)))
      return Error(Code::unavailable, "too many open files", error.get_description());
    return Error(Code::data_corrupt, "the search index cannot be read and must be rebuilt", error.get_description());
  } catch (const std::bad_alloc&) {
    return Error(Code::unavailable, "out of memory");
  } catch (const std::exception& error) {
    return Error(Code::internal, "the search index failed", error.what());
  }
}

template <class F>
auto guarded(F&& work) -> decltype(work()) {
  try {
    return work();
  } catch (...) {
    return std::unexpected(translate_exception());
  }
}

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

/// The words of a passage with how often each stands there.
struct PassageWords {
  struct Entry {
    std::uint32_t begin = 0;  // in `text`
    std::uint32_t size = 0;
    std::uint32_t count = 0;
  };
  std::string text;
  std::vector<Entry> entries;
  std::string_view word(const Entry& entry) const { return std::string_view(text).substr(entry.begin, entry.size); }
};

/// One open view of the last commit, with what it has learnt about word frequencies. Used by one thread at a time.
///
/// What is kept in memory about a passage stays true through all revisions, since Xapian gives no number twice; what is
/// kept about a word is of one revision.
struct Reader {
  Xapian::Database database;
  Analyzer analyzer;
  std::uint64_t generation = 0;
  IndexMemory& memory;
  std::uint64_t number = 0;    // of the index, for its keys
  std::uint64_t revision = 0;  // of the database
  std::unordered_map<std::string, Xapian::doccount, TextHash, std::equal_to<>> frequencies = {};

  using Kind = IndexMemory::Kind;
  template <class T>
  using Shared = std::shared_ptr<const T>;

  /// What is kept of each passage, and `make(passage)`, with what it takes in bytes, for those of which nothing is:
  /// those are made in ascending order, in which a database is read with the least effort.
  template <class T, class Make>
  std::vector<Shared<T>> passages(Kind kind, std::span<const Xapian::docid> ids, Make make) {
    std::vector<IndexMemory::Key> keys;
    keys.reserve(ids.size());
    for (const auto id : ids) keys.push_back({number, id, kind, {}});
    std::vector<Shared<T>> found(ids.size());
    memory.find<T>(keys, found);
    std::vector<std::size_t> missing;
    for (std::size_t i = 0; i < ids.size(); ++i)
      if (!found[i]) missing.push_back(i);
    if (missing.empty()) return found;
    std::ranges::sort(missing, {}, [&](std::size_t i) { return ids[i]; });
    std::vector<IndexMemory::Kept> made;
    made.reserve(missing.size());
    for (const std::size_t i : missing) {
      auto [value, bytes] = make(ids[i]);
      found[i] = std::move(value);
      if (found[i]) made.push_back({std::move(keys[i]), found[i], bytes});
    }
    memory.keep(made);
    return found;
  }

  /// The passages that have each of these terms.
  std::vector<Shared<Postings>> postings(std::span<const std::string> terms, const PassageLengths& lengths) {
    std::vector<IndexMemory::Key> keys;
    keys.reserve(terms.size());
    for (const auto& term : terms) keys.push_back({number, revision, Kind::postings, term});
    std::vector<Shared<Postings>> found(terms.size());
    memory.find<Postings>(keys, found);
    std::vector<IndexMemory::Kept> read;
    for (std::size_t i = 0; i < terms.size(); ++i) {
      if (found[i]) continue;
      auto list = std::make_shared<Postings>();
      const auto end = database.postlist_end(terms[i]);
      // Terms that only mark a passage are counted 0 times in it.
      for (auto at = database.postlist_begin(terms[i]); at != end; ++at)
        list->add(*at, std::max<Xapian::termcount>(at.get_wdf(), 1), lengths.length(*at));
      list->finish();
      read.push_back({std::move(keys[i]), list, list->bytes()});
      found[i] = std::move(list);
    }
    if (!read.empty()) memory.keep(read);
    return found;
  }
  Shared<Postings> postings(const std::string& term, const PassageLengths& lengths) {
    return std::move(postings(std::span(&term, 1), lengths)[0]);
  }

  /// How many words each passage has. A list made for an earlier revision is carried on: those that have gone since are
  /// in no posting.
  Shared<PassageLengths> lengths() {
    const IndexMemory::Key key{number, 0, Kind::lengths, {}};
    const Xapian::docid last = database.get_lastdocid();
    auto known = memory.find<PassageLengths>(key);
    if (known && (known->last() >= last || known->count() > 4 * std::size_t{database.get_doccount()} + 10'000)) {
      if (known->last() >= last) return known;
      known.reset();  // it holds mostly what has gone
    }
    auto made = known ? std::make_shared<PassageLengths>(*known) : std::make_shared<PassageLengths>();
    const auto end = database.postlist_end({});
    auto at = database.postlist_begin({});
    if (known && at != end) at.skip_to(known->last() + 1);
    for (; at != end; ++at) made->add(*at, at.get_doclength());
    std::array<IndexMemory::Kept, 1> kept{{{key, made, made->bytes()}}};
    memory.keep(kept);
    return made;
  }

  Xapian::doccount frequency(std::string_view term) {
    const auto found = frequencies.find(term);
    if (found != frequencies.end()) return found->second;
    if (frequencies.size() >= frequency_cache_max) frequencies.clear();
    std::string text(term);
    const auto count = database.get_termfreq(text);
    frequencies.emplace(std::move(text), count);
    return count;
  }
};

double inverse_frequency(double passages, double with_term) {
  return std::log(1 + (passages - with_term + 0.5) / (with_term + 0.5));
}

/// "backup" also looks for "back", and "back up" for "backup": which of them a page writes is chance.
void add_particle_forms(Reader& reader, std::string_view text, std::vector<QueryTerm>& terms,
                        std::unordered_set<std::uint32_t>& seen) {
  std::vector<std::pair<std::string, std::string>> forms;  // after which stem, the other form
  std::string previous;
  std::string previous_stem;
  for (const auto& token : reader.analyzer.analyze(text)) {
    std::string word(text.substr(token.begin, token.end - token.begin));
    for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (is_particle(word) && previous.size() >= 3) forms.emplace_back(previous_stem, previous + word);
    else if (const auto verb = particle_verb(word); !verb.empty()) forms.emplace_back(token.word->stem, verb);
    previous = word;
    previous_stem = token.word->stem;
  }
  for (const auto& [stem, form] : forms) {
    const auto& tokens = reader.analyzer.analyze(form);
    if (tokens.size() != 1 || reader.frequency(tokens[0].word->stem) == 0) continue;
    const auto after = std::ranges::find(terms, stem, &QueryTerm::stem);
    if (after == terms.end() || !seen.insert(tokens[0].word->hash).second) continue;
    terms.insert(after + 1, {.word = form, .stem = tokens[0].word->stem, .hash = tokens[0].word->hash, .part = true});
  }
}

std::vector<QueryTerm> question_terms(Reader& reader, std::string_view text) {
  text = text.substr(0, std::min(text.size(), SearchQuery::text_bytes_max));
  std::vector<QueryTerm> terms;
  std::unordered_set<std::uint32_t> seen;
  const auto& tokens = reader.analyzer.analyze(text);
  const bool only_stop_words = std::ranges::all_of(tokens, [](const Token& token) { return token.word->stop; });
  for (const auto& token : tokens) {
    if (token.word->stop && !only_stop_words) continue;
    if (!seen.insert(token.word->hash).second) continue;
    terms.push_back({.word = std::string(text.substr(token.begin, token.end - token.begin)),
                     .stem = token.word->stem,
                     .hash = token.word->hash,
                     .part = token.part});
  }
  if (reader.analyzer.language() == "english") add_particle_forms(reader, text, terms, seen);
  const auto passages = static_cast<double>(reader.database.get_doccount());
  for (auto& term : terms) {
    term.passages = reader.frequency(term.stem);
    term.weight = inverse_frequency(passages, static_cast<double>(term.passages));
    if (is_weak_hash(term.hash)) term.weight *= weak_share;
  }
  if (terms.size() > SearchQuery::terms_max) {
    auto by_weight = terms;
    std::ranges::nth_element(by_weight, by_weight.begin() + SearchQuery::terms_max, std::greater(), &QueryTerm::weight);
    const double least = by_weight[SearchQuery::terms_max].weight;
    std::size_t kept = 0;
    std::erase_if(terms, [&](const QueryTerm& term) {
      return term.weight < least || kept == SearchQuery::terms_max || (++kept, false);
    });
  }
  return terms;
}

std::vector<RelatedTerm> related_terms(std::span<const QueryTerm> terms) {
  std::vector<RelatedTerm> related;
  for (std::size_t t = 0; t < terms.size() && t < 64; ++t) {
    for (const auto hash : related_to(terms[t].hash)) {
      if (related.size() < related_max) related.push_back({hash, static_cast<std::uint8_t>(t)});
    }
  }
  return related;
}

/// A filter together with the lists it names.
struct ReadFilter {
  PassageFilter filter;
  std::vector<std::shared_ptr<const Postings>> lists;
};

/// Only what `groups` may read and what lies in the folder, or is the document, `prefix`.
ReadFilter make_filter(Reader& reader, const PassageLengths& lengths, std::string_view prefix,
                       std::span<const std::string> groups) {
  ReadFilter made;
  const auto add = [&](std::vector<const Postings*>& to, const std::string& term) {
    made.lists.push_back(reader.postings(term, lengths));
    to.push_back(made.lists.back().get());
  };
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  made.filter.restricted = !prefix.empty();
  if (made.filter.restricted) {
    add(made.filter.only, folder_term(prefix));
    add(made.filter.only, document_term(prefix));
  }
  // Most projects restrict nothing.
  if (reader.frequency(restricted_term) == 0) return made;
  add(made.filter.withheld, restricted_term);
  for (const auto& group : groups) add(made.filter.unless, group_term(group));
  return made;
}

struct Candidate {
  Xapian::docid id = 0;
  std::uint32_t document = 0;  // hash of its path
  std::uint64_t terms = 0;     // of the question, one bit each
  double base = 0;             // its share of the question by BM25
  double score = 0;
  Signals signals{};
  std::shared_ptr<const std::string> stream = {};
  std::shared_ptr<const Hit> hit = {};  // read only for the first few
};

/// Lets passages of one document speak for each other: a question put in other words than the page's often finds a few
/// of them in each of several passages. `best` is sorted by score.
void add_page_signals(std::span<Candidate> best, std::span<const RankedTerm> terms) {
  struct Together {
    double best = 0;
    double score = 0;
    double share = 0.5;
    std::uint64_t terms = 0;
    int passages = 0;
  };
  std::unordered_map<std::uint32_t, Together> documents;
  double total = 0;
  for (const auto& term : terms) total += term.weight;
  for (const auto& candidate : best) {
    auto& together = documents[candidate.document];
    // The best passage needs no help from itself.
    if (together.passages++ > 0) {
      together.score += together.share * candidate.score;
      together.share /= 2;
    } else {
      together.best = candidate.score;
    }
    together.terms |= candidate.terms;
  }
  for (auto& candidate : best) {
    const auto& together = documents[candidate.document];
    double elsewhere = 0;
    for (std::size_t t = 0; t < terms.size() && t < 64; ++t) {
      if ((together.terms & ~candidate.terms) >> t & 1) elsewhere += terms[t].weight;
    }
    at(candidate.signals, Signal::page) = static_cast<float>(together.score);
    at(candidate.signals, Signal::page_coverage) = static_cast<float>(elsewhere / total);
    at(candidate.signals, Signal::page_best) = static_cast<float>(together.best - candidate.score);
    at(candidate.signals, Signal::page_passages) = static_cast<float>(std::min(together.passages, 10)) / 10;
  }
}

/// Words that set the best passages apart, strongest first: the sum over passages of their share there times how good
/// the passage is (the relevance model RM1), times inverse frequency.
std::vector<RankedTerm> expansion_terms(Reader& reader, std::span<const Candidate> best) {
  struct Seen {
    double share = 0;
    int passages = 0;
  };
  std::vector<Xapian::docid> ids;
  for (const auto& candidate : best) ids.push_back(candidate.id);
  const auto read_words = [&](Xapian::docid id) {
    auto made = std::make_shared<PassageWords>();
    const auto end = reader.database.termlist_end(id);
    for (auto term = reader.database.termlist_begin(id); term != end; ++term) {
      const std::string& word = *term;
      if (!word.empty() && word[0] >= 'A' && word[0] <= 'Z') continue;
      made->entries.push_back(
          {static_cast<std::uint32_t>(made->text.size()), static_cast<std::uint32_t>(word.size()), term.get_wdf()});
      made->text += word;
    }
    made->text.shrink_to_fit();
    made->entries.shrink_to_fit();
    const std::size_t bytes =
        sizeof *made + made->text.capacity() + made->entries.capacity() * sizeof(PassageWords::Entry);
    return std::pair<std::shared_ptr<const PassageWords>, std::size_t>(std::move(made), bytes);
  };
  const auto read = reader.passages<PassageWords>(IndexMemory::Kind::words, ids, read_words);
  std::unordered_map<std::string_view, Seen> words;
  const double top = best.empty() ? 0 : best.front().score;
  for (std::size_t i = 0; i < best.size(); ++i) {
    const auto& candidate = best[i];
    const double quality = std::exp(4 * (candidate.score - top));  // scores are shares of the question's weight
    const auto length = static_cast<double>(std::max<std::size_t>(words_of(*candidate.stream).size() / 4, 20));
    for (const auto& entry : read[i]->entries) {
      auto& seen = words[read[i]->word(entry)];
      seen.share += quality * entry.count / length;
      ++seen.passages;
    }
  }
  const auto passages = static_cast<double>(reader.database.get_doccount());
  std::vector<RankedTerm> terms;
  for (const auto& [word, seen] : words) {
    // A word of a single passage would only make that passage like itself.
    if (seen.passages < 2) continue;
    const double frequency = reader.frequency(word);
    const double idf = inverse_frequency(passages, frequency);
    terms.push_back({hash_of_stem(word), seen.share * idf * idf});
  }
  std::ranges::sort(terms, [](const RankedTerm& a, const RankedTerm& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.hash < b.hash;
  });
  if (terms.size() > feedback_terms) terms.resize(feedback_terms);
  double total = 0;
  for (const auto& term : terms) total += term.weight;
  for (auto& term : terms) term.weight /= total;
  return terms;
}

}  // namespace

struct Index::State {
  std::shared_ptr<IndexMemory> memory;
  std::uint64_t number = 0;  // for keys of `memory`
  std::filesystem::path folder;
  std::string language;
  std::string format;

  std::mutex writing;  // guards what is below, to the next
  std::optional<Xapian::WritableDatabase> writer;
  std::optional<Analyzer> writer_analyzer;
  std::size_t pending = 0;                // passages since postings were last written out
  std::vector<Xapian::termcount> counts;  // by Word::place, 0 between passages
  std::vector<const Word*> counted;       // those of this passage, as they came

  mutable std::mutex pool;  // guards the two below
  mutable std::vector<std::unique_ptr<Reader>> idle;
  std::uint64_t generation = 0;

  bool exists() const {
    std::error_code ignored;
    return std::filesystem::exists(folder / "iamglass", ignored) ||
           (std::filesystem::exists(folder, ignored) && !std::filesystem::is_empty(folder, ignored));
  }

  Result<> check_format(const Xapian::Database& database) const {
    const auto found = database.get_metadata(format_key);
    if (found != format)
      return fail(Code::data_corrupt, "the search index has another format and must be rebuilt",
                  fmt::format("expected '{}', found '{}'", format, found));
    return {};
  }

  Result<Xapian::WritableDatabase*> open_writer() {
    if (writer) return &*writer;  // its transaction is open
    const bool existed = exists();
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return fail(Code::storage_full, "the search index folder cannot be made", error.message());
    writer.emplace(folder.string(), Xapian::DB_CREATE_OR_OPEN);
    const bool fresh = !existed || (writer->get_doccount() == 0 && writer->get_metadata(format_key).empty());
    if (!fresh) PARLEY_TRY(check_format(*writer));
    // Xapian writes out what it holds after some thousand changes. Inside a transaction that is not a commit.
    writer->begin_transaction(true);
    if (fresh) writer->set_metadata(format_key, format);
    return &*writer;
  }

  /// Null where nothing was ever committed.
  Result<std::unique_ptr<Reader>> acquire() const {
    std::uint64_t current = 0;
    std::unique_ptr<Reader> reader;
    {
      const std::scoped_lock lock(pool);
      current = generation;
      if (!idle.empty()) {
        reader = std::move(idle.back());
        idle.pop_back();
      }
    }
    if (reader) {
      if (reader->generation != current) {
        PARLEY_TRY(refresh(*reader));
        reader->generation = current;
      }
      return reader;
    }
    if (!exists()) return nullptr;
    Xapian::Database database(folder.string());
    if (database.get_doccount() == 0 && database.get_metadata(format_key).empty()) return nullptr;
    PARLEY_TRY(check_format(database));
    auto analyzer = PARLEY_TRY(Analyzer::make(language));
    const std::uint64_t revision = database.get_revision();
    return std::make_unique<Reader>(
        Reader{std::move(database), std::move(analyzer), current, *memory, number, revision});
  }

  Result<> refresh(Reader& reader) const {
    if (reader.database.reopen()) reader.frequencies.clear();
    reader.revision = reader.database.get_revision();
    return check_format(reader.database);
  }

  void release(std::unique_ptr<Reader> reader) const {
    if (!reader) return;
    const std::scoped_lock lock(pool);
    if (idle.size() < idle_readers_max) idle.push_back(std::move(reader));
  }

  /// Runs `work(Reader&)` on a reader of the last commit; once more where a commit overtook it. `absent` is the answer
  /// before the first commit.
  template <class T, class F>
  Result<T> read(T absent, F&& work) const {
    return guarded([&]() -> Result<T> {
      auto reader = PARLEY_TRY(acquire());
      if (!reader) return absent;
      try {
        Result<T> result = work(*reader);
        release(std::move(reader));
        return result;
      } catch (const Xapian::DatabaseModifiedError&) {
        PARLEY_TRY(refresh(*reader));
      }
      Result<T> result = work(*reader);  // thrown again: unavailable
      release(std::move(reader));
      return result;
    });
  }

  /// Runs `work(writer)`. After an error the batch is gone, as `commit` promises: half of one must never be committed.
  template <class F>
  Result<> write(F&& work) {
    const std::scoped_lock lock(writing);
    auto done = guarded([&]() -> Result<> { return work(*PARLEY_TRY(open_writer())); });
    // Destroying a writer cancels its transaction.
    if (!done) (void)guarded([&]() -> Result<> { return writer.reset(), Result<>(); });
    return done;
  }

  Result<> add(const Document& document, const Passage& passage, std::span<const std::string> groups);
  Result<SearchResult> search(Reader& reader, const SearchQuery& query) const;
};

Result<> Index::State::add(const Document& document, const Passage& passage, std::span<const std::string> groups) {
  Xapian::Document entry;
  std::string stream;
  std::size_t streamed = 0;
  if (!counted.empty()) counts.assign(counts.size(), 0);  // what stopped half-way
  counted.clear();
  // Words are counted in a table by their place in the analyzer's cache: no text is hashed or copied for it.
  const auto add_text = [&](std::string_view text, Xapian::termcount wdf, bool with_stop_words,
                            Analyzer::Earlier earlier = Analyzer::Earlier::kept) {
    for (const auto& token : writer_analyzer->analyze(text, earlier)) {
      if (token.starts_sentence && streamed != 0 && streamed < stream_words_max) put_word(stream, sentence_mark);
      if (token.word->stop && !with_stop_words) continue;
      if (token.word->place >= counts.size()) counts.resize(token.word->place + std::size_t{1'000});
      auto& count = counts[token.word->place];
      if (count == 0) counted.push_back(token.word);
      count += wdf;
      if (streamed++ < stream_words_max) put_word(stream, token.word->hash);
    }
  };
  put_word(stream, hash_of_stem(document.path));
  // Titles are short, so their function words cost nothing, and a title may be made of them.
  add_text(document.title, title_wdf, true, Analyzer::Earlier::may_go);
  for (const auto& heading : passage.headings) {
    if (heading == document.title) continue;
    add_text(heading, heading_wdf, true);
  }
  put_word(stream, body_mark);
  for (const auto& block : passage.blocks) {
    add_text(block.text, 1, false);
    put_word(stream, sentence_mark);
  }
  // Words of one stem add up.
  for (const Word* word : counted)
    if (const auto count = std::exchange(counts[word->place], 0); !word->stem.empty())
      entry.add_term(word->stem, count);
  counted.clear();
  entry.add_boolean_term(document_term(document.path));
  for (std::size_t slash = document.path.find('/'); slash != std::string::npos;
       slash = document.path.find('/', slash + 1)) {
    entry.add_boolean_term(folder_term(std::string_view(document.path).substr(0, slash)));
  }
  if (!groups.empty()) {
    entry.add_boolean_term(restricted_term);
    for (const auto& group : groups) entry.add_boolean_term(group_term(group));
  }
  entry.add_value(stream_slot, stream);
  std::string record;
  put_record(record, document, passage);
  entry.add_value(record_slot, record);
  writer->add_document(entry);
  if (++pending >= pending_passages_max) {
    // Listing all terms has the postings written out first; nothing is committed.
    (void)writer->allterms_begin();
    pending = 0;
  }
  return {};
}

Result<SearchResult> Index::State::search(Reader& reader, const SearchQuery& query) const {
  SearchResult result;
  result.language = language;
  auto& database = reader.database;
  result.passages = database.get_doccount();
  result.terms = question_terms(reader, query.text);
  static const RankingWeights usual;
  const RankingWeights& weights = query.weights == nullptr ? usual : *query.weights;
  double total_weight = 0;
  std::vector<RankedTerm> ranked;
  const Bm25 bm25{weights.bm25_k1, weights.bm25_b, database.get_avlength()};
  std::vector<std::string> stems;
  std::vector<WeightedPostings> words;
  for (const auto& term : result.terms) {
    if (!term.part) total_weight += term.weight;
    ranked.push_back({term.hash, term.weight});
    if (term.passages == 0) continue;
    stems.push_back(term.stem);
    words.push_back(
        {nullptr, bm25_word_weight(bm25, static_cast<double>(result.passages), static_cast<double>(term.passages),
                                   is_weak_hash(term.hash) ? weak_share : 1)});
  }
  if (words.empty() || total_weight <= 0) return result;
  const std::size_t last =
      std::min(query.offset + std::min(query.limit, SearchQuery::results_max), SearchQuery::results_max);
  const bool wants_hits = last != 0 && query.offset < last;
  const bool wants_total = query.total == SearchQuery::Total::exact;
  if (!wants_hits && !wants_total) return result;
  const auto related = related_terms(result.terms);

  const auto lengths = reader.lengths();
  const auto lists = reader.postings(stems, *lengths);
  for (std::size_t i = 0; i < words.size(); ++i) words[i].postings = lists[i].get();
  const auto filter = make_filter(reader, *lengths, query.path_prefix, query.allowed_groups);
  const auto matches =
      best_passages(words, *lengths, bm25, filter.filter, wants_hits ? std::max(last, candidates_max) : 0,
                    wants_total ? CountAll::yes : CountAll::no);
  result.total = matches.total;
  if (!wants_hits) return result;
  std::vector<Candidate> candidates;
  candidates.reserve(matches.best.size());
  for (const auto& match : matches.best)
    candidates.push_back({.id = match.passage, .base = match.weight / total_weight});

  // Passages below the re-ranked ones keep their order behind them.
  const std::size_t reranked = std::min(candidates.size(), candidates_max);
  const auto best = std::span(candidates).first(reranked);
  const auto ids_of = [](std::span<const Candidate> of) {
    std::vector<Xapian::docid> ids;
    for (const auto& candidate : of) ids.push_back(candidate.id);
    return ids;
  };
  const auto damaged = [](const char* what) {
    return fail(Code::data_corrupt, "the search index cannot be read and must be rebuilt", what);
  };
  // Goes through the values of a slot in one direction, which finds the next one faster than asking for each document.
  const auto values_of = [&database](Xapian::valueno slot) {
    return [&database, slot, at = std::optional<Xapian::ValueIterator>()](Xapian::docid id) mutable -> std::string {
      if (!at) at = database.valuestream_begin(slot);
      const auto end = database.valuestream_end(slot);
      if (*at != end) at->skip_to(id);
      return *at != end && at->get_docid() == id ? **at : std::string();
    };
  };
  const auto read_stream = [value = values_of(stream_slot)](Xapian::docid id) mutable {
    auto stream = std::make_shared<const std::string>(value(id));
    const std::size_t bytes = sizeof *stream + stream->capacity();
    return std::pair(std::move(stream), bytes);
  };
  const auto streams = reader.passages<std::string>(IndexMemory::Kind::stream, ids_of(best), read_stream);
  const StreamMatcher matcher(ranked, related);
  for (std::size_t i = 0; i < reranked; ++i) {
    auto& candidate = best[i];
    candidate.stream = streams[i];
    if (candidate.stream->size() < sizeof(std::uint32_t)) return damaged("bad token stream");
    std::memcpy(&candidate.document, candidate.stream->data(), sizeof candidate.document);
    at(candidate.signals, Signal::bm25) = static_cast<float>(candidate.base);
    candidate.terms = matcher.match(words_of(*candidate.stream), candidate.signals);
    candidate.score = score_of(candidate.signals, weights.stream);
  }
  const auto by_score = [](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  };
  std::ranges::sort(best, by_score);
  add_page_signals(best, ranked);
  // The relevance model is made of passages that are probably right, so pages have their say in which.
  for (auto& candidate : best) candidate.score = score_of(candidate.signals, weights.page);
  std::ranges::sort(best, by_score);
  // The best passages for few words are a guess, and likeness to a wrong guess misleads.
  const double feedback_share =
      std::min(1.0, static_cast<double>(ranked.size()) / static_cast<double>(feedback_question_words));
  const auto terms = expansion_terms(reader, best.first(std::min(reranked, feedback_passages)));
  const FeedbackMatcher likeness(terms);
  for (auto& candidate : best) {
    at(candidate.signals, Signal::feedback) =
        static_cast<float>(feedback_share * likeness.match(words_of(*candidate.stream)));
    candidate.score = score_of(candidate.signals, weights.page);
  }
  std::ranges::sort(best, by_score);

  const auto read_hit = [&, value = values_of(record_slot)](
                            Xapian::docid id) mutable -> std::pair<std::shared_ptr<const Hit>, std::size_t> {
    auto hit = std::make_shared<Hit>();
    const auto record = value(id);
    if (!read_record(record, *hit)) return {nullptr, 0};
    const auto analyzed = std::make_shared<const AnalyzedHit>(analyze_hit(*hit, reader.analyzer));
    hit->analyzed = analyzed;
    // Each text has a string of its own.
    const std::size_t texts = 5 + hit->headings.size() + hit->blocks.size();
    const std::size_t bytes = sizeof *hit + record.size() + texts * sizeof(Block) + analyzed->bytes();
    return {std::move(hit), bytes};
  };
  const auto read_hits = [&](std::span<Candidate> of) -> Result<> {
    const auto hits = reader.passages<Hit>(IndexMemory::Kind::text, ids_of(of), read_hit);
    for (std::size_t i = 0; i < of.size(); ++i) {
      if (!hits[i]) return damaged("bad passage record");
      of[i].hit = hits[i];
    }
    return {};
  };
  const auto read = best.first(std::min(reranked, text_passages));
  PARLEY_TRY(read_hits(read));
  SearchResult looked_at{.language = language};
  looked_at.terms = result.terms;
  looked_at.passages = result.passages;
  std::vector<Signals> signals;
  for (const auto& candidate : read) {
    looked_at.hits.push_back(*candidate.hit);
    signals.push_back(candidate.signals);
  }
  set_text_signals(query.text, looked_at, signals);
  for (std::size_t i = 0; i < read.size(); ++i) {
    read[i].signals = signals[i];
    read[i].score = score_of(signals[i], weights.text);
  }
  std::ranges::sort(read, by_score);
  // Scores of different stages do not compare: those behind keep their order below the last one read.
  for (std::size_t i = read.size(); i < candidates.size(); ++i) {
    const double own = i < reranked ? candidates[i].score : candidates[i].base;
    candidates[i].score = i == 0 ? own : std::min(own, candidates[i - 1].score);
  }
  if (query.ranking != nullptr) {
    query.ranking->clear();
    PARLEY_TRY(read_hits(best.subspan(read.size())));
    for (std::size_t i = 0; i < reranked; ++i)
      query.ranking->push_back({candidates[i].hit->path, candidates[i].signals, i < read.size()});
  }

  const std::size_t first = std::min(query.offset, candidates.size());
  const auto wanted = std::span(candidates).first(std::min(last, candidates.size())).subspan(first);
  PARLEY_TRY(read_hits(wanted));
  for (const auto& candidate : wanted) {
    result.hits.push_back(*candidate.hit);
    result.hits.back().score = candidate.score;
  }
  return result;
}

Index::Index(std::unique_ptr<State> state) : state_(std::move(state)) {}
Index::Index(Index&&) noexcept = default;
Index& Index::operator=(Index&&) noexcept = default;
Index::~Index() = default;  // what was not committed is dropped with the writer's transaction

Result<Index> Index::open(std::filesystem::path folder, std::string_view language,
                          std::shared_ptr<IndexMemory> memory) {
  auto analyzer = PARLEY_TRY(Analyzer::make(language));
  auto state = std::make_unique<State>();
  state->memory = memory ? std::move(memory) : std::make_shared<IndexMemory>();
  state->number = state->memory->make_index_number();
  state->folder = std::move(folder);
  state->language = language;
  state->format = fmt::format("{} {}", format_version, language);
  state->writer_analyzer.emplace(std::move(analyzer));
  PARLEY_TRY(state->read<bool>(true, [](Reader&) -> Result<bool> { return true; }));
  return Index(std::move(state));
}

Result<> Index::replace(const Document& document, std::span<const std::string> groups) {
  return state_->write([&](Xapian::WritableDatabase& writer) -> Result<> {
    const auto term = document_term(document.path);
    if (writer.term_exists(term)) writer.delete_document(term);
    for (const auto& passage : document.passages) PARLEY_TRY(state_->add(document, passage, groups));
    return {};
  });
}

Result<> Index::remove(std::string_view path) {
  return state_->write([&](Xapian::WritableDatabase& writer) -> Result<> {
    writer.delete_document(document_term(path));
    return {};
  });
}

Result<> Index::commit(std::uint64_t revision) {
  PARLEY_TRY(state_->write([&](Xapian::WritableDatabase& writer) -> Result<> {
    writer.set_metadata(revision_key, fmt::format("{}", revision));
    writer.commit_transaction();
    writer.begin_transaction(true);
    return {};
  }));
  const std::scoped_lock lock(state_->pool);
  ++state_->generation;
  return {};
}

Result<std::uint64_t> Index::revision() const {
  return state_->read<std::uint64_t>(0, [](Reader& reader) -> Result<std::uint64_t> {
    const auto text = reader.database.get_metadata(revision_key);
    std::uint64_t value = 0;
    for (const char c : text) {
      if (c < '0' || c > '9') return fail(Code::data_corrupt, "the search index must be rebuilt", "bad revision");
      value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return value;
  });
}

Result<std::uint64_t> Index::passage_count() const {
  return state_->read<std::uint64_t>(
      0, [](Reader& reader) -> Result<std::uint64_t> { return reader.database.get_doccount(); });
}

Result<SearchResult> Index::search(const SearchQuery& query) const {
  SearchResult absent;
  absent.language = state_->language;
  return state_->read<SearchResult>(std::move(absent), [&](Reader& reader) { return state_->search(reader, query); });
}

Result<> Index::discard(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (error) return fail(Code::internal, "the search index folder cannot be removed", error.message());
  return {};
}

}  // namespace parley::knowledge
