// Measures search and answers on public collections and prints one table. With `train`, fits the confidence model on
// half of the articles and prints the table that belongs into evidence.cc.
//
//   retrieval_eval [--data DIR] [--set stage.signal=value]... [--dump FILE] [--found FILE] [--index FOLDER]
//                  [squad] [abstain] [cranfield] [speed] [build] [train]
//   retrieval_eval [--found FILE] docs FOLDER QUESTIONS
//   retrieval_eval figures            what searches cost, as lines for docs/measurements.md
//
// DIR holds squad2-8-articles.json and cranfield/; without words everything but `train` is measured. `docs` answers a
// file of questions (as `parley eval` reads them) from a folder of documents and prints every answer. `--found` writes
// each hit of each search with its score to the last digit, so that two builds can be compared. `--index` keeps the
// index that `speed` makes, or uses the one that is there.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "parley/knowledge/answer.h"
#include "parley/knowledge/eval.h"
#include "parley/knowledge/evidence.h"
#include "parley/knowledge/files.h"
#include "parley/knowledge/index.h"
#include "parley/knowledge/parse.h"
#include "parley/knowledge/sentences.h"

namespace parley::knowledge {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
using SteadyClock = std::chrono::steady_clock;

RankingWeights weights;  // what --set changed

[[noreturn]] void stop(const std::string& why) {
  std::fputs((why + "\n").c_str(), stderr);
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result) stop(describe_for_operator(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) stop("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Time this thread computed and waited for the kernel, so that other programs on the machine do not count.
double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

/// A folder for an index, gone with the object unless one to keep is named.
class ScratchIndex {
 public:
  explicit ScratchIndex(const fs::path& keep = {}) : kept_(!keep.empty()) {
    static int count = 0;
    folder_ = keep;
    if (!kept_) {
      folder_ = fs::temp_directory_path() / fmt::format("parley-retrieval-eval-{}-{}", ::getpid(), count++);
      fs::remove_all(folder_);
    }
    index_.emplace(must(Index::open(folder_)));
  }
  ~ScratchIndex() {
    index_.reset();
    if (!kept_) fs::remove_all(folder_);
  }
  ScratchIndex(const ScratchIndex&) = delete;
  ScratchIndex& operator=(const ScratchIndex&) = delete;
  Index& operator*() { return *index_; }
  Index* operator->() { return &*index_; }
  const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
  bool kept_;
  std::optional<Index> index_;
};

std::ofstream found_file;

/// For `--found`.
void write_found(std::string_view text, const SearchResult& found) {
  if (!found_file.is_open()) return;
  found_file << text << '\n';
  for (const auto& hit : found.hits) found_file << fmt::format("  {} {}\n", hit.passage_id, hit.score);
}

SearchResult search(const Index& index, std::string_view text, std::size_t limit) {
  auto found = must(index.search({.text = text, .limit = limit, .weights = &weights}));
  write_found(text, found);
  return found;
}

struct Question {
  std::string text;
  std::string paragraph;  // path of the document that holds the answer
  std::size_t article = 0;
  std::vector<std::string> answers;
};
struct Squad {
  std::vector<std::string> articles;
  std::vector<std::vector<Document>> paragraphs;  // by article
  std::vector<Question> questions;                // answerable ones
};

Document document_of(const std::string& path, const std::string& title, const std::string& text) {
  Document document{.path = path, .url = path, .title = title, .passages = {}};
  document.passages.push_back({.id = path, .headings = {}, .anchor = "", .blocks = {{BlockKind::prose, text}}});
  return document;
}

Squad load_squad(const fs::path& data) {
  Squad squad;
  const auto root = json::parse(read_file(data / "squad2-8-articles.json"));
  for (const auto& article : root.at("data").as_array()) {
    const std::size_t number = squad.articles.size();
    squad.articles.emplace_back(article.at("title").as_string());
    auto& paragraphs = squad.paragraphs.emplace_back();
    for (const auto& paragraph : article.at("paragraphs").as_array()) {
      // A file name says nothing about the text, so that only the text can be found.
      const auto path = fmt::format("{}-{}", number, paragraphs.size());
      paragraphs.push_back(document_of(path, "", std::string(paragraph.at("context").as_string())));
      for (const auto& qa : paragraph.at("qas").as_array()) {
        if (qa.at("is_impossible").as_bool()) continue;
        Question question{
            .text = std::string(qa.at("question").as_string()), .paragraph = path, .article = number, .answers = {}};
        for (const auto& answer : qa.at("answers").as_array())
          question.answers.emplace_back(answer.at("text").as_string());
        squad.questions.push_back(std::move(question));
      }
    }
  }
  return squad;
}

void fill(Index& index, const Squad& squad, std::optional<std::size_t> without) {
  for (std::size_t a = 0; a < squad.paragraphs.size(); ++a) {
    if (a == without) continue;
    for (const auto& paragraph : squad.paragraphs[a]) must(index.replace(paragraph));
  }
  must(index.commit(1));
}

void row(std::string_view what, double value, std::string_view wanted) {
  fmt::print("{:<66} {:>9.4f}   {}\n", what, value, wanted);
}

// --- questions over encyclopaedia paragraphs -------------------------------------------------------------------------

std::ofstream dump;
std::size_t dump_number = 0;
void dump_line(std::ofstream& out, std::string_view set, std::size_t group, std::size_t number,
               const std::vector<RankedPassage>& ranking, const std::set<std::string>& relevant);

void measure_squad(const Squad& squad) {
  ScratchIndex index;
  fill(*index, squad, std::nullopt);
  Evaluation never_abstaining;
  Evaluation as_shipped;
  double holding = 0;
  for (const auto& question : squad.questions) {
    std::vector<RankedPassage> ranking;
    const auto found =
        must(index->search({.text = question.text, .limit = 10, .weights = &weights, .ranking = &ranking}));
    write_found(question.text, found);
    if (dump.is_open()) dump_line(dump, "squad", question.article, dump_number++, ranking, {question.paragraph});
    EvalOutcome outcome;
    for (const auto& hit : found.hits) outcome.ranked.push_back(hit.path);
    outcome.urls = outcome.ranked;
    holding += !found.hits.empty() && std::ranges::any_of(question.answers, [&](const auto& text) {
      return found.hits[0].blocks[0].text.find(text) != std::string::npos;
    });
    EvalQuestion asked{.id = "",
                       .question = question.text,
                       .relevant = {question.paragraph},
                       .answers = question.answers,
                       .has_relevant = true,
                       .has_answers = true};
    outcome.answer = answer(question.text, found, 0);
    never_abstaining.add(asked, outcome);
    outcome.answer = answer(question.text, found);
    as_shipped.add(asked, outcome);
  }
  const auto all = never_abstaining.report();
  const auto shipped = as_shipped.report();
  row("squad: hit@1", all.hit_at_1, ">= 0.87");
  row("squad: first hit holds a gold answer, whichever paragraph it is", holding / static_cast<double>(all.questions),
      "");
  row("squad: hit@5", all.hit_at_5, ">= 0.97");
  row("squad: hit@10", all.hit_at_10, "");
  row("squad: MRR", all.mrr, "");
  row("squad: a gold answer in the quotes, no abstaining", all.answer_containment, ">= 0.90");
  row("squad: a gold answer in the quotes, abstentions count as misses", shipped.answer_containment, "");
}

// --- abstention ------------------------------------------------------------------------------------------------------

struct Sample {
  Features features;
  bool answerable;
  std::size_t article;
};

std::vector<Sample> abstention_samples(const Squad& squad) {
  std::vector<Sample> samples;
  const auto add = [&](const Index& index, const Question& question, bool answerable) {
    const auto found = search(index, question.text, 10);
    const auto evidence = gather_evidence(question.text, found);
    samples.push_back({features_of(evidence, found), answerable, question.article});
  };
  {
    ScratchIndex index;
    fill(*index, squad, std::nullopt);
    for (const auto& question : squad.questions) add(*index, question, true);
  }
  for (std::size_t a = 0; a < squad.articles.size(); ++a) {
    ScratchIndex index;
    fill(*index, squad, a);
    for (const auto& question : squad.questions) {
      if (question.article == a) add(*index, question, false);
    }
  }
  return samples;
}

bool is_tuning(std::size_t article) { return article % 2 == 0; }  // every other article, in the order of the file

struct Shares {
  double answered = 0;
  double abstained = 0;
};
template <class Keep, class Judge>
Shares shares(const std::vector<Sample>& samples, Keep keep, Judge confidence, double threshold) {
  double in = 0, in_answered = 0, out = 0, out_abstained = 0;
  for (const auto& sample : samples) {
    if (!keep(sample)) continue;
    const bool answers = confidence(sample.features) >= threshold;
    if (sample.answerable) {
      ++in;
      in_answered += answers;
    } else {
      ++out;
      out_abstained += !answers;
    }
  }
  return {in_answered / in, out_abstained / out};
}

template <class Keep, class Judge>
double best_threshold(const std::vector<Sample>& samples, Keep keep, Judge confidence) {
  double best = 0.5;
  double margin = -10;
  for (double threshold = 0.02; threshold < 0.99; threshold += 0.005) {
    const auto found = shares(samples, keep, confidence, threshold);
    const double worse = std::min(found.answered - 0.95, found.abstained - 0.93);
    if (worse > margin) {
      margin = worse;
      best = threshold;
    }
  }
  return best;
}

void measure_abstention(const Squad& squad) {
  const auto samples = abstention_samples(squad);
  const auto shipped = [](const Features& f) { return confidence_of(f); };
  const auto tuning =
      shares(samples, [](const Sample& s) { return is_tuning(s.article); }, shipped, answer_confidence_min);
  const auto held =
      shares(samples, [](const Sample& s) { return !is_tuning(s.article); }, shipped, answer_confidence_min);
  row("abstention, tuning articles: answered with the article in", tuning.answered, "");
  row("abstention, tuning articles: abstained with the article out", tuning.abstained, "");
  row("abstention, held-out articles: answered with the article in", held.answered, ">= 0.95");
  row("abstention, held-out articles: abstained with the article out", held.abstained, ">= 0.93");
  for (std::size_t a = 0; a < squad.articles.size(); ++a) {
    const auto one = shares(samples, [a](const Sample& s) { return s.article == a; }, shipped, answer_confidence_min);
    fmt::print("    {:<36} {:<8} answered {:.3f}  abstained {:.3f}\n", squad.articles[a],
               is_tuning(a) ? "tuning" : "held out", one.answered, one.abstained);
  }
}

/// Logistic regression with a small quadratic penalty, by gradient descent with momentum: slow, short, deterministic.
template <class Keep>
Features fit(const std::vector<Sample>& samples, Keep keep, double penalty) {
  Features model{};
  Features velocity{};
  double count = 0;
  for (const auto& sample : samples) count += keep(sample);
  for (int round = 0; round < 6'000; ++round) {
    Features gradient{};
    for (const auto& sample : samples) {
      if (!keep(sample)) continue;
      double sum = 0;
      for (std::size_t i = 0; i < model.size(); ++i) sum += model[i] * sample.features[i];
      const double error = 1 / (1 + std::exp(-sum)) - (sample.answerable ? 1 : 0);
      for (std::size_t i = 0; i < model.size(); ++i) gradient[i] += error * sample.features[i];
    }
    for (std::size_t i = 0; i < model.size(); ++i) {
      const double slope = gradient[i] / count + (i == 0 ? 0 : penalty * model[i]);
      velocity[i] = 0.95 * velocity[i] - 0.5 * slope;
      model[i] += velocity[i];
    }
  }
  return model;
}

void train(const Squad& squad) {
  const auto samples = abstention_samples(squad);
  for (const double penalty : {0.0001, 0.0003, 0.001}) {
    // How well it carries over, seen on the tuning articles alone: fit on three, judge the fourth.
    Shares across;
    int folds = 0;
    for (std::size_t left = 0; left < squad.articles.size(); ++left) {
      if (!is_tuning(left)) continue;
      const auto rest = [left](const Sample& s) { return is_tuning(s.article) && s.article != left; };
      const auto model = fit(samples, rest, penalty);
      const auto confidence = [&](const Features& f) {
        double sum = 0;
        for (std::size_t i = 0; i < model.size(); ++i) sum += model[i] * f[i];
        return 1 / (1 + std::exp(-sum));
      };
      const auto one = shares(
          samples, [left](const Sample& s) { return s.article == left; }, confidence,
          best_threshold(samples, rest, confidence));
      across.answered += one.answered;
      across.abstained += one.abstained;
      ++folds;
    }
    const auto tuning = [](const Sample& s) { return is_tuning(s.article); };
    const auto model = fit(samples, tuning, penalty);
    const auto confidence = [&](const Features& f) {
      double sum = 0;
      for (std::size_t i = 0; i < model.size(); ++i) sum += model[i] * f[i];
      return 1 / (1 + std::exp(-sum));
    };
    const double threshold = best_threshold(samples, tuning, confidence);
    const auto on_tuning = shares(samples, tuning, confidence, threshold);
    fmt::print("penalty {}: left-out tuning article answered {:.3f} abstained {:.3f}; all tuning {:.3f} {:.3f}\n",
               penalty, across.answered / folds, across.abstained / folds, on_tuning.answered, on_tuning.abstained);
    fmt::print("  threshold {:.3f}\n  model = {{", threshold);
    for (std::size_t i = 0; i < model.size(); ++i) fmt::print("{}{:.2f}", i == 0 ? "" : ", ", model[i]);
    fmt::print("}}\n");
    for (std::size_t i = 0; i < model.size(); ++i) fmt::print("    {:<18} {:+.2f}\n", feature_names[i], model[i]);
  }
}

/// Writes what the ranking saw of every candidate, for the trainer.
void dump_line(std::ofstream& out, std::string_view set, std::size_t group, std::size_t number,
               const std::vector<RankedPassage>& ranking, const std::set<std::string>& relevant) {
  for (const auto& passage : ranking) {
    out << set << ' ' << group << ' ' << number << ' ' << relevant.contains(passage.path) << ' ' << passage.text_seen
        << ' ' << passage.path;
    for (const float value : passage.signals) out << ' ' << value;
    out << '\n';
  }
}

// --- ranking of abstracts --------------------------------------------------------------------------------------------

void measure_cranfield(const fs::path& data) {
  ScratchIndex index;
  std::istringstream corpus(read_file(data / "cranfield" / "corpus.jsonl"));
  for (std::string line; std::getline(corpus, line);) {
    const auto entry = json::parse(line);
    must(
        index->replace(document_of(std::string(entry.at("_id").as_string()), std::string(entry.at("title").as_string()),
                                   std::string(entry.at("text").as_string()))));
  }
  must(index->commit(1));
  std::map<std::string, std::set<std::string>> relevant;
  std::istringstream judged(read_file(data / "cranfield" / "qrels.tsv"));
  std::string line;
  std::getline(judged, line);  // column names
  while (std::getline(judged, line)) {
    std::istringstream fields(line);
    std::string query, document;
    int score = 0;
    fields >> query >> document >> score;
    if (score > 0) relevant[query].insert(document);
  }
  Evaluation evaluation;
  std::istringstream queries(read_file(data / "cranfield" / "queries.jsonl"));
  for (; std::getline(queries, line);) {
    const auto entry = json::parse(line);
    const auto& wanted = relevant[std::string(entry.at("_id").as_string())];
    if (wanted.empty()) continue;
    EvalQuestion question;
    question.relevant.assign(wanted.begin(), wanted.end());
    EvalOutcome outcome;
    std::vector<RankedPassage> ranking;
    const std::string text(entry.at("text").as_string());
    const auto found = must(index->search({.text = text, .limit = 50, .weights = &weights, .ranking = &ranking}));
    write_found(text, found);
    if (dump.is_open()) dump_line(dump, "cranfield", 0, dump_number++, ranking, wanted);
    for (const auto& hit : found.hits) outcome.ranked.push_back(hit.path);
    outcome.urls = outcome.ranked;
    outcome.answer = answer(std::string(entry.at("text").as_string()), found);
    question.answers = {"\x01"};
    evaluation.add(question, outcome);
  }
  const auto report = evaluation.report();
  row("cranfield: nDCG@10", report.ndcg_at_10, ">= 0.43");
  row("cranfield: hit@10", report.hit_at_10, "");
  row("cranfield: answered (all are answerable in some degree)", report.answered_share, "");
}

// --- a folder of documentation
// ----------------------------------------------------------------------------------------

Document read_document(const FoundFile& found) {
  const auto bytes = must(knowledge::read_file(found.file, document_bytes_max));
  switch (found.format) {
    case Format::mdx: return must(parse_mdx(bytes, found.path)).document;
    case Format::html: return must(parse_html(bytes, found.path)).document;
    case Format::text: return must(parse_text(bytes, found.path)).document;
    case Format::markdown: break;
  }
  return must(parse_markdown(bytes, found.path)).document;
}

void fill_with_folder(Index& index, const fs::path& folder) {
  for (const auto& found : must(find_files(folder)).files) must(index.replace(read_document(found)));
  must(index.commit(1));
}

/// Prints what a person asking would see, question by question: figures over some twenty questions say little.
void measure_docs(const fs::path& folder, const fs::path& file) {
  ScratchIndex index;
  fill_with_folder(*index, folder);
  Evaluation evaluation;
  for (const auto& question : must(parse_eval_lines(read_file(file)))) {
    std::vector<RankedPassage> ranking;
    const auto found =
        must(index->search({.text = question.question, .limit = 60, .weights = &weights, .ranking = &ranking}));
    write_found(question.question, found);
    if (dump.is_open())
      dump_line(dump, "docs", 0, dump_number++, ranking, {question.relevant.begin(), question.relevant.end()});
    const auto outcome = outcome_of(question.question, found);
    Evaluation alone;
    alone.add(question, outcome);
    evaluation.add(question, outcome);
    const auto one = alone.report();
    fmt::print("\n=== {} {}\n", question.id, question.question);
    fmt::print("    page first {}  cited first {}  quoted {}  answered {} ({:.3f})  MRR {:.2f}\n", one.hit_at_1,
               one.first_citation_relevant, one.answer_containment, outcome.answer.answered, outcome.answer.confidence,
               one.mrr);
    for (const auto& page : question.relevant) fmt::print("    wanted {}\n", page);
    for (std::size_t h = 0; h < found.hits.size() && h < 6; ++h) {
      const auto& hit = found.hits[h];
      fmt::print("    {}. {:.3f} {} | {}\n", h + 1, hit.score, hit.path,
                 hit.headings.empty() ? hit.title : hit.headings.back());
    }
    fmt::print("{}\n", outcome.answer.text);
    for (const auto& citation : outcome.answer.citations) fmt::print("  [{}]({})\n", citation.title, citation.url);
  }
  const auto report = evaluation.report();
  fmt::print("\n");
  if (report.ranked == 0) return;
  row("docs: hit@1, pages", report.hit_at_1, "");
  row("docs: hit@10, pages", report.hit_at_10, "");
  row("docs: right page cited first", report.first_citation_relevant, ">= 0.90");
  row("docs: answerable questions answered", report.answered_share, "");
  row("docs: a wanted text in the quotes", report.answer_containment, "");
  row("docs: abstained of the unanswerable", report.abstention_recall, "");
}

// --- speed -----------------------------------------------------------------------------------------------------------

/// Passages that look like real ones to a search: sentences of real paragraphs put together anew, four a passage, with
/// one word in twelve replaced by one of a made-up vocabulary whose frequencies follow Zipf's law, as words do.
class Generator {
 public:
  explicit Generator(const Squad& squad) {
    for (const auto& article : squad.paragraphs) {
      for (const auto& paragraph : article) {
        for (const auto sentence : split_sentences(paragraph.passages[0].blocks[0].text))
          sentences_.emplace_back(sentence);
      }
    }
    double sum = 0;
    for (std::size_t rank = 1; rank <= vocabulary; ++rank) cumulative_.push_back(sum += 1 / static_cast<double>(rank));
  }

  Document next(std::size_t number) {
    Document document = document_of(fmt::format("made/{}", number), fmt::format("Page {}", number), "");
    auto& text = document.passages[0].blocks[0].text;
    for (int s = 0; s < 4; ++s) {
      const auto& sentence = sentences_[random_() % sentences_.size()];
      if (!text.empty()) text += ' ';
      std::size_t begin = 0;
      while (begin < sentence.size()) {
        const auto end = std::min(sentence.find(' ', begin), sentence.size());
        if (begin != 0) text += ' ';
        if (random_() % 12 == 0) text += made_word();
        else text += std::string_view(sentence).substr(begin, end - begin);
        begin = end + 1;
      }
    }
    return document;
  }

 private:
  static constexpr std::size_t vocabulary = 200'000;

  std::string made_word() {
    const double at = static_cast<double>(random_() >> 11) / 9007199254740992.0 * cumulative_.back();
    auto rank = static_cast<std::size_t>(std::ranges::lower_bound(cumulative_, at) - cumulative_.begin());
    static constexpr std::array<std::string_view, 16> syllables = {"ba", "ce", "di", "fo", "gu", "ka", "le", "mi",
                                                                   "no", "pu", "ra", "se", "ti", "vo", "xu", "za"};
    std::string word = "q";
    do {
      word += syllables[rank % 16];
      rank /= 16;
    } while (rank != 0);
    return word;
  }

  std::vector<std::string> sentences_;
  std::vector<double> cumulative_;
  std::mt19937_64 random_{42};
};

double percentile(std::vector<double> sorted, double share) {
  std::ranges::sort(sorted);
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

void make_index(ScratchIndex& index, const Squad& squad, std::size_t wanted) {
  Generator generator(squad);
  double bytes = 0;
  double spent = 0;
  double spent_computing = 0;
  std::vector<Document> batch;
  for (std::size_t n = 0; n < wanted;) {
    batch.clear();
    for (std::size_t k = 0; k < 20'000 && n < wanted; ++k, ++n) {
      batch.push_back(generator.next(n));
      bytes += static_cast<double>(batch.back().passages[0].blocks[0].text.size());
    }
    const auto start = SteadyClock::now();
    const double thread_start = thread_seconds();
    for (const auto& document : batch) must(index->replace(document));
    must(index->commit(n));
    spent += seconds_since(start);
    spent_computing += thread_seconds() - thread_start;
  }
  double on_disk = 0;
  for (const auto& file : fs::directory_iterator(index.folder())) on_disk += static_cast<double>(file.file_size());
  fmt::print("    {} passages of {:.0f} bytes; index {:.0f} MB for {:.0f} MB of text\n", wanted,
             bytes / static_cast<double>(wanted), on_disk / 1e6, bytes / 1e6);
  row("indexing, MB of passage text a second, commits of 20,000 included", bytes / 1e6 / spent, ">= 12");
  row("  the same by time of this thread alone", bytes / 1e6 / spent_computing, "");
}

/// One line of docs/measurements.md.
void figure(std::string_view what, double value, double limit, std::string_view how) {
  fmt::print("| {} | {:.4g} | ≤ {} | {} | {} |\n", what, value, limit, value <= limit ? "yes" : "NO", how);
}

enum class Speed : std::uint8_t { indexing, all, figures };

void measure_speed(const Squad& squad, Speed what, const fs::path& keep) {
  constexpr std::size_t passages = 250'000;
  ScratchIndex index(keep);
  if (must(index->passage_count()) == 0) make_index(index, squad, what == Speed::indexing ? 20'000 : passages);
  if (what == Speed::indexing) return;
  for (const auto& question : squad.questions) (void)search(*index, question.text, 10);  // the page cache fills
  found_file.close();
  std::vector<double> search_ms, search_cpu_ms, answer_ms, total_ms;
  for (const auto& question : squad.questions) {
    auto start = SteadyClock::now();
    const double thread_start = thread_seconds();
    const auto found = search(*index, question.text, 10);
    search_cpu_ms.push_back(1e3 * (thread_seconds() - thread_start));
    search_ms.push_back(1e3 * seconds_since(start));
    start = SteadyClock::now();
    (void)answer(question.text, found);
    answer_ms.push_back(1e3 * seconds_since(start));
    if (what == Speed::figures) continue;
    start = SteadyClock::now();
    (void)must(index->search({.text = question.text, .limit = 10, .total = SearchQuery::Total::exact}));
    total_ms.push_back(1e3 * seconds_since(start));
  }
  if (what == Speed::figures) {
    std::array<double, 1> load{};
    ::getloadavg(load.data(), 1);
    const auto how = fmt::format(
        "{} questions, processor time of the searching thread; by the clock {:.2f} and {:.2f}; "
        "load {:.1f}",
        search_ms.size(), percentile(search_ms, 0.5), percentile(search_ms, 0.99), load[0]);
    figure("search of 250,000 passages, one thread, p50 ms", percentile(search_cpu_ms, 0.5), 2, how);
    figure("the same, p99 ms", percentile(search_cpu_ms, 0.99), 10, how);
    return;
  }
  row("search of 250,000 passages, p50 ms", percentile(search_ms, 0.5), "<= 2");
  row("search of 250,000 passages, p99 ms", percentile(search_ms, 0.99), "<= 10");
  row("  p50 ms by time of this thread alone", percentile(search_cpu_ms, 0.5), "<= 2");
  row("  p99 ms by time of this thread alone", percentile(search_cpu_ms, 0.99), "<= 10");
  row("search with exact total, p50 ms", percentile(total_ms, 0.5), "");
  row("search with exact total, p99 ms", percentile(total_ms, 0.99), "");
  row("answer from ten hits, p50 ms", percentile(answer_ms, 0.5), "");
  row("answer from ten hits, p99 ms", percentile(answer_ms, 0.99), "");
}

bool set_weight(std::string_view name, float value) {
  Signals* stage = name.starts_with("stream.") ? &weights.stream
                   : name.starts_with("page.") ? &weights.page
                   : name.starts_with("text.") ? &weights.text
                                               : nullptr;
  if (stage == nullptr) return false;
  const auto signal = name.substr(name.find('.') + 1);
  for (std::size_t i = 0; i < signal_count; ++i) {
    if (name_of(static_cast<Signal>(i)) == signal) return (*stage)[i] = value, true;
  }
  return false;
}

int run(int argc, char** argv) {
  fs::path data = "../shared/data/retrieval";
  fs::path keep;
  std::set<std::string> parts;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--data" && i + 1 < argc) {
      data = argv[++i];
    } else if (word == "--set" && i + 1 < argc) {
      const std::string setting = argv[++i];
      const auto equals = setting.find('=');
      if (equals == std::string::npos || !set_weight(setting.substr(0, equals), std::stof(setting.substr(equals + 1))))
        stop("no such weight: " + setting);
    } else if (word == "--dump" && i + 1 < argc) {
      dump.open(argv[++i]);
    } else if (word == "--found" && i + 1 < argc) {
      found_file.open(argv[++i]);
    } else if (word == "--index" && i + 1 < argc) {
      keep = argv[++i];
    } else if (word == "docs" && i + 2 < argc) {
      measure_docs(argv[i + 1], argv[i + 2]);
      return 0;
    } else {
      parts.insert(word);
    }
  }
  if (parts.empty()) parts = {"squad", "abstain", "cranfield", "speed"};
  if (!fs::exists(data)) {
    std::fputs((data.string() + " is absent: nothing to measure\n").c_str(), stderr);
    return parts.contains("figures") ? 0 : 1;
  }
  const auto squad = load_squad(data);
  if (parts.contains("squad")) measure_squad(squad);
  if (parts.contains("cranfield")) measure_cranfield(data);
  if (parts.contains("abstain")) measure_abstention(squad);
  if (parts.contains("train")) train(squad);
  if (parts.contains("build")) measure_speed(squad, Speed::indexing, {});
  if (parts.contains("figures")) measure_speed(squad, Speed::figures, keep);
  if (parts.contains("speed")) measure_speed(squad, Speed::all, keep);
  return 0;
}

}  // namespace
}  // namespace parley::knowledge

int main(int argc, char** argv) { return parley::knowledge::run(argc, argv); }
