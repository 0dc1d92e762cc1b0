#include "parley/knowledge/evidence.h"

#include <algorithm>
#include <bit>
#include <bitset>
#include <cmath>
#include <cstddef>
#include <optional>

#include "parley/knowledge/sentences.h"
#include "parley/knowledge/terms.h"

namespace parley::knowledge {
namespace {

constexpr std::size_t units_max = 2'000;  // a machine-made page must not make an answer slow
constexpr std::size_t terms_max = 64;     // one bit each
constexpr std::size_t question_words_max = 64;
constexpr std::size_t whole_list_bytes_max = 500;  // a shorter list is quoted whole
constexpr double root_share = 0.5;                 // what a word matched by its root alone is worth
constexpr double evidence_weight_usual = 20;       // brings a sum of word weights near 1
constexpr std::size_t unit_bytes_max = 2'000;      // a longer list or table is quoted by the lines that matter

// Weights of the logistic model over `feature_names`, as `retrieval_eval train` prints them for penalty 0.0003 from
// every other article of a public question collection. The constant is moved so that at 0.5
// the questions of those same articles are answered in 0.95: wrongly saying "not in the documents" sends people away.
// That place for it was picked with the other articles' figures in sight; only the other weights were fitted blind.
constexpr Features model = {-7.40, 1.45, 2.52, 1.63, 0.28, -0.49, 2.77, 7.57, -2.34, 0.05, 0.16, -0.61, 2.66, 2.41};

Analyzer& analyzer_for(const std::string& language) {
  // A language that came out of an index was accepted by it, so "none" is only for results made by hand.
  thread_local std::optional<Analyzer> kept;
  if (!kept || kept->language() != language) {
    auto made = Analyzer::make(language);
    kept.emplace(made ? std::move(*made) : *Analyzer::make("none"));
  }
  return *kept;
}

bool is_any(std::string_view word, std::initializer_list<std::string_view> of) {
  return std::ranges::find(of, word) != of.end();
}

std::vector<std::string> first_words(std::string_view text, std::size_t count) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    const char low = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (low >= 'a' && low <= 'z') {
      if (word.size() < 32) word += low;
      continue;
    }
    if (!word.empty()) words.push_back(std::exchange(word, {}));
    if (words.size() == count) return words;
  }
  if (!word.empty()) words.push_back(word);
  return words;
}

bool is_year(std::string_view text) {
  return text.size() == 4 && (text[0] == '1' || text[0] == '2') &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> phrases) {
  return std::ranges::any_of(phrases, [&](auto phrase) { return text.find(phrase) != std::string_view::npos; });
}

bool same_letters(std::string_view a, std::string_view b) {
  const auto low = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, low, low);
}

/// "A ledger is a …": the verb stands early, and what it is said of before it.
bool defines(std::string_view sentence) {
  const auto head = sentence.substr(0, 80);
  for (const std::string_view verb : {" is a ", " is an ", " is the ", " are ", " is one ", " means ", " refers to ",
                                      " is what ", " is where ", " stands for "}) {
    const auto at = head.find(verb);
    if (at != std::string_view::npos && at > 0) return true;
  }
  return false;
}

/// A share of the pages in most documentation is written for its authors or is a record of what was once changed.
/// Readers search there last.
bool is_side_page(std::string_view path) {
  std::string low;
  for (const char c : path) low += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return contains_any(low, {"changelog", "changes", "release-notes", "release_notes", "releases", "whatsnew", "history",
                            "internals/", "contributing", "hacking", "style", "code-of-conduct", "license", "archive",
                            "deprecated", "legacy", "blog/", "news/"});
}

}  // namespace

Asks what_is_asked(std::string_view question) {
  const auto words = first_words(question.substr(0, 400), 24);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i];
    const std::string_view next = i + 1 < words.size() ? std::string_view(words[i + 1]) : std::string_view();
    if (is_any(word, {"who", "whom", "whose"})) return Asks::person;
    if (word == "where") return Asks::place;
    if (word == "when") return Asks::time;
    if (word == "why") return Asks::reason;
    if (word == "how") {
      if (is_any(next, {"many", "much", "long", "old", "far", "large", "big", "tall", "high", "fast", "often", "few"}))
        return Asks::number;
      if (is_any(next, {"do", "can", "to", "should", "could", "would", "must"})) return Asks::steps;
      return Asks::other;
    }
    if (i == 0 && word == "what" && is_any(next, {"is", "are", "s"}) && words.size() <= 7 &&
        !is_any(i + 2 < words.size() ? std::string_view(words[2]) : std::string_view(), {"to", "needed", "used"}) &&
        std::ranges::none_of(words, [](const auto& w) { return is_any(w, {"for", "of", "by", "in", "with"}); }))
      return Asks::definition;
    if (is_any(word, {"what", "which"})) {
      for (std::size_t n = i + 1; n < words.size() && n < i + 4; ++n) {
        if (is_any(words[n], {"year", "years", "century", "date", "decade", "day", "month", "time"})) return Asks::time;
        if (is_any(words[n], {"number", "percentage", "percent", "amount", "population", "size", "fraction"}))
          return Asks::number;
        if (is_any(words[n], {"person", "king", "president", "scientist", "author", "inventor", "name"}))
          return Asks::person;
        if (is_any(words[n], {"country", "countries", "city", "place", "state", "region", "location"}))
          return Asks::place;
      }
      return Asks::other;
    }
  }
  return Asks::other;
}

std::vector<Concept> concepts_of(std::string_view question, const SearchResult& found) {
  std::vector<Concept> concepts;
  const double unseen_weight = std::log(1 + (static_cast<double>(found.passages) + 0.5) / 0.5);
  const std::size_t count = std::min(found.terms.size(), terms_max);
  const auto is_name = [&](const QueryTerm& term) {
    if (term.word.empty()) return false;
    const char c = term.word[0];
    if (c >= '0' && c <= '9') return true;
    // A capital means a name except in the question's first word.
    return c >= 'A' && c <= 'Z' && !question.starts_with(term.word);
  };
  for (std::size_t i = 0; i < count; ++i) {
    const auto& term = found.terms[i];
    if (term.part && !concepts.empty()) {
      concepts.back().terms.push_back(static_cast<std::uint8_t>(i));
      continue;
    }
    concepts.push_back({.weight = term.passages == 0 ? unseen_weight : term.weight,
                        .name = is_name(term),
                        .unseen = term.passages == 0,
                        .terms = {static_cast<std::uint8_t>(i)}});
  }
  for (auto& one : concepts) {
    if (one.terms.size() == 1 || !one.unseen) continue;
    // A compound written otherwise in the documents: what its parts weigh is what it weighs.
    double weight = 0;
    bool unseen = false;
    for (std::size_t n = 1; n < one.terms.size(); ++n) {
      const auto& part = found.terms[one.terms[n]];
      weight = std::max(weight, part.passages == 0 ? unseen_weight : part.weight);
      unseen |= part.passages == 0;
    }
    one.weight = weight;
    one.unseen = unseen;
  }
  return concepts;
}

namespace {

double concept_share(const Concept& one, std::uint64_t exact, std::uint64_t root) {
  const auto share_of = [&](std::uint8_t term) {
    return exact >> term & 1 ? 1.0 : root >> term & 1 ? root_share : 0.0;
  };
  double whole = share_of(one.terms[0]);
  if (one.terms.size() > 1) {
    double parts = 0;
    for (std::size_t n = 1; n < one.terms.size(); ++n) parts += share_of(one.terms[n]);
    whole = std::max(whole, parts / static_cast<double>(one.terms.size() - 1));
  }
  return whole;
}

}  // namespace

double covered(const Evidence& evidence, std::uint64_t exact, std::uint64_t root) {
  if (evidence.weight <= 0) return 0;
  double sum = 0;
  for (const auto& one : evidence.concepts) sum += one.weight * concept_share(one, exact, root);
  return sum / evidence.weight;
}

AnalyzedHit analyze_hit(const Hit& hit, Analyzer& analyzer) {
  AnalyzedHit made;
  const auto take = [&](std::string_view text) {
    AnalyzedHit::Piece piece{.words = static_cast<std::uint32_t>(made.words.size()), .words_end = 0};
    const auto& tokens = analyzer.analyze(text);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const auto& token = tokens[i];
      const auto& stem = token.word->stem;
      const auto small = [](std::uint32_t value) { return std::min(value, std::uint32_t{2'047}) & 2'047u; };
      SeenWord word{.hash = token.word->hash, .begin = small(token.begin), .length = small(token.end - token.begin)};
      word.part = token.part;
      word.stop = token.word->stop;
      word.name = token.capitalized && i > 0;
      const bool digits = !stem.empty() && stem[0] >= '0' && stem[0] <= '9';
      word.number = digits || is_any(stem, {"million", "billion", "half", "dozen", "percent", "hundr", "thousand",
                                            "twice", "singl"});
      word.time = (digits && is_year(stem)) ||
                  is_any(stem, {"januari", "februari", "march", "april", "june", "juli", "august", "septemb", "octob",
                                "novemb", "decemb", "centuri", "1st", "decad"});
      made.words.push_back(word);
    }
    piece.words_end = static_cast<std::uint32_t>(made.words.size());
    return piece;
  };
  made.title = take(hit.title);
  made.path = take(hit.path);
  for (const auto& heading : hit.headings) made.headings.push_back(take(heading));
  for (std::size_t b = 0; b < hit.blocks.size(); ++b) {
    const std::string_view whole = hit.blocks[b].text;
    const auto add = [&](std::string_view text) {
      if (text.empty() || made.units.size() >= units_max) return;
      made.units.push_back({take(text), static_cast<std::uint32_t>(b),
                            static_cast<std::uint32_t>(text.data() - whole.data()),
                            static_cast<std::uint32_t>(text.size())});
    };
    if (hit.blocks[b].kind == BlockKind::prose) {
      for (const auto sentence : split_sentences(whole)) add(sentence);
      continue;
    }
    std::string_view rest = whole;
    if (hit.blocks[b].kind == BlockKind::list && rest.starts_with("- ") && rest.size() > whole_list_bytes_max) {
      // Points that stand side by side can be quoted one by one; steps cannot.
      while (!rest.empty()) {
        auto end = rest.find("\n- ");
        const auto item = rest.substr(0, std::min(end, rest.size()));
        rest.remove_prefix(std::min(rest.size(), item.size() + 1));
        if (item.size() <= unit_bytes_max) add(item);
      }
      continue;
    }
    while (rest.size() > unit_bytes_max) {
      const auto line = rest.rfind('\n', unit_bytes_max);
      std::size_t cut = line == std::string_view::npos || line == 0 ? unit_bytes_max : line;
      while (cut > 1 && (static_cast<std::uint8_t>(rest[cut]) & 0xc0) == 0x80) --cut;
      add(rest.substr(0, cut));
      rest.remove_prefix(cut);
      while (rest.starts_with('\n')) rest.remove_prefix(1);
    }
    add(rest);
  }
  made.words.shrink_to_fit();
  made.headings.shrink_to_fit();
  made.units.shrink_to_fit();
  return made;
}

Evidence gather_evidence(std::string_view question, const SearchResult& found, std::size_t hits_max) {
  Evidence evidence;
  evidence.asks = what_is_asked(question);
  evidence.concepts = concepts_of(question, found);
  for (const auto& one : evidence.concepts) evidence.weight += one.weight;
  Analyzer& analyzer = analyzer_for(found.language);
  const std::size_t terms = std::min(found.terms.size(), terms_max);

  question = question.substr(0, SearchQuery::text_bytes_max);
  std::vector<std::uint32_t> asked;
  for (const auto& token : analyzer.analyze(question)) {
    if (!token.part && asked.size() < question_words_max) asked.push_back(token.word->hash);
  }
  evidence.question_words = asked.size();
  std::vector<std::uint16_t> runs(asked.size() + 1);

  // Most words of a passage are none of the question's, nor of one root with one: told by the half of their hashes
  // that words of a root share, before anything else is compared.
  std::bitset<4'096> roots;
  const auto root_of = [](std::uint32_t hash) { return hash >> 16 & 4'095; };
  for (const auto hash : asked) roots.set(root_of(hash));
  for (std::size_t t = 0; t < terms; ++t) roots.set(root_of(found.terms[t].hash));

  struct Matched {
    std::uint64_t exact = 0;
    std::uint64_t root = 0;
    std::uint64_t adjacent = 0;
    std::uint16_t words = 0;
    std::uint16_t new_words = 0;
    std::uint64_t same_form = 0;
    std::uint16_t run = 0;
    bool name = false;  // a capitalized word, not first, that the question does not have
    bool number = false;
    bool time = false;
  };
  const auto match = [&](std::string_view text, std::span<const SeenWord> words) {
    Matched m;
    std::array<std::uint32_t, terms_max> last{};
    std::uint32_t position = 0;
    std::ranges::fill(runs, std::uint16_t{0});
    bool running = false;
    for (const auto word : words) {
      const bool near = roots.test(root_of(word.hash));
      if (word.part == 0) {
        if (m.words < 0xffff) ++m.words;
        if (near) {
          // Longest common run, one row of the usual table at a time: runs[k] ends at the question's word k.
          running = true;
          for (std::size_t k = asked.size(); k > 0; --k) {
            runs[k] = asked[k - 1] == word.hash ? static_cast<std::uint16_t>(runs[k - 1] + 1) : std::uint16_t{0};
            m.run = std::max(m.run, runs[k]);
          }
        } else if (running) {
          std::ranges::fill(runs, std::uint16_t{0});
          running = false;
        }
      }
      if (word.stop != 0) continue;
      ++position;
      bool ours = false;
      for (std::size_t t = 0; near && t < terms; ++t) {
        const std::uint32_t hash = found.terms[t].hash;
        if (hash == word.hash) {
          ours = true;
          m.exact |= std::uint64_t{1} << t;
          if (word.begin <= text.size() && same_letters(text.substr(word.begin, word.length), found.terms[t].word))
            m.same_form |= std::uint64_t{1} << t;
          last[t] = position;
          if (t > 0 && last[t - 1] != 0 && position - last[t - 1] <= 3) m.adjacent |= std::uint64_t{1} << (t - 1);
          if (t + 1 < terms && last[t + 1] != 0 && position - last[t + 1] <= 3) m.adjacent |= std::uint64_t{1} << t;
        } else if (same_root(hash, word.hash)) {
          m.root |= std::uint64_t{1} << t;
        }
      }
      if (ours || word.part != 0) continue;
      if (m.new_words < 0xffff) ++m.new_words;
      m.name |= word.name != 0;
      m.number |= word.number != 0;
      m.time |= word.time != 0;
    }
    m.root &= ~m.exact;
    return m;
  };

  double pairs_all = 0;
  for (std::size_t t = 0; t + 1 < terms; ++t) pairs_all += std::min(found.terms[t].weight, found.terms[t + 1].weight);
  const std::size_t hits = std::min(found.hits.size(), hits_max);
  for (std::size_t h = 0; h < hits; ++h) {
    const auto& hit = found.hits[h];
    AnalyzedHit made;
    if (!hit.analyzed) made = analyze_hit(hit, analyzer);
    const AnalyzedHit& analyzed = hit.analyzed ? *hit.analyzed : made;
    const auto words_of = [&](const AnalyzedHit::Piece& piece) {
      return std::span(analyzed.words).subspan(piece.words, piece.words_end - piece.words);
    };
    Matched heading = match(hit.title, words_of(analyzed.title));
    double heading_fit = 0;
    for (std::size_t n = 0; n < hit.headings.size(); ++n) {
      const auto m = match(hit.headings[n], words_of(analyzed.headings[n]));
      const auto ours = static_cast<double>(std::popcount(m.exact | m.root));
      heading_fit = ours > 0 ? ours / (ours + static_cast<double>(m.new_words)) : 0;
      heading.exact |= m.exact;
      heading.root |= m.root;
    }
    std::uint64_t exact = heading.exact;
    std::uint64_t root = heading.root;
    std::size_t order = 0;
    for (const auto& piece : analyzed.units) {
      if (evidence.units.size() >= units_max) break;
      const auto& block = hit.blocks[piece.block];
      const auto text = std::string_view(block.text).substr(piece.begin, piece.length);
      const auto m = match(text, words_of(piece));
      exact |= m.exact;
      root |= m.root;
      Unit unit{.hit = h,
                .block = piece.block,
                .order = order++,
                .kind = block.kind,
                .text = text,
                .exact = m.exact,
                .root = m.root,
                .words = m.words,
                .new_words = m.new_words,
                .same_form = m.same_form,
                .run = m.run};
      double pairs = 0;
      for (std::size_t t = 0; m.adjacent >> t != 0 && t + 1 < terms; ++t) {
        if (m.adjacent >> t & 1) pairs += std::min(found.terms[t].weight, found.terms[t + 1].weight);
      }
      unit.adjacency = pairs_all > 0 ? pairs / pairs_all : 0;
      switch (evidence.asks) {
        case Asks::person:
        case Asks::place: unit.fits = m.name; break;
        case Asks::time: unit.fits = m.time; break;
        case Asks::number: unit.fits = m.number; break;
        case Asks::reason:
          unit.fits =
              contains_any(text, {"because", "ecause", "due to", "so that", "therefore", "in order to", " since ",
                                  "to avoid", "to prevent", "to ensure", "reason", "as a result", "otherwise"});
          break;
        case Asks::steps:
          unit.fits = block.kind == BlockKind::code || (block.kind == BlockKind::list && text.starts_with("1."));
          break;
        case Asks::definition: unit.fits = block.kind == BlockKind::prose && defines(text); break;
        case Asks::other: unit.fits = m.new_words > 0; break;
      }
      evidence.units.push_back(unit);
    }
    evidence.hit_exact.push_back(exact);
    evidence.hit_root.push_back(root & ~exact);
    evidence.heading_exact.push_back(heading.exact);
    evidence.heading_fit.push_back(heading_fit);
  }

  for (std::size_t u = 0; u < evidence.units.size(); ++u) {
    auto& unit = evidence.units[u];
    const double own = covered(evidence, unit.exact, unit.root);
    // Sentences lean on what stands around them: the heading names the subject, the sentence before the "it".
    const std::uint64_t head = evidence.heading_exact[unit.hit];
    std::uint64_t around = head;
    if (u > 0 && evidence.units[u - 1].hit == unit.hit) around |= evidence.units[u - 1].exact;
    const double context = covered(evidence, unit.exact | around, unit.root) - own;
    const double passage = covered(evidence, evidence.hit_exact[unit.hit], evidence.hit_root[unit.hit]);
    const double rank = std::exp(1.5 * (found.hits[unit.hit].score - found.hits[0].score));
    // A long block has every word somewhere.
    const double long_share = std::clamp((static_cast<double>(unit.words) - 40) / 120, 0.0, 1.0);
    unit.score = own * (1 - 0.4 * long_share) + 0.4 * context + 0.5 * passage + 0.35 * rank + 0.2 * unit.adjacency +
                 (unit.fits ? 0.12 : 0);
    const double topic = covered(evidence, head, 0) * evidence.heading_fit[unit.hit];
    switch (unit.kind) {
      case BlockKind::prose: break;
      case BlockKind::list: unit.score -= evidence.asks == Asks::steps && unit.fits ? -0.4 * topic : 0.1; break;
      case BlockKind::table: unit.score -= 0.35; break;
      case BlockKind::code: unit.score += evidence.asks == Asks::steps ? 0.1 + 0.5 * topic : -0.3; break;
    }
    // Says nothing that the question does not say: a heading in disguise, or the question itself.
    if (unit.new_words == 0 && unit.kind == BlockKind::prose) unit.score -= 0.5;
    if (unit.text.ends_with('?')) unit.score -= 0.2;
    // Points at what it does not say.
    if (unit.kind == BlockKind::prose && (unit.text.ends_with(':') || unit.text.starts_with("See ")))
      unit.score -= 0.15;
  }
  return evidence;
}

void set_text_signals(std::string_view question, const SearchResult& found, std::span<Signals> signals) {
  const auto evidence = gather_evidence(question, found, found.hits.size());
  if (evidence.weight <= 0) return;
  double names = 0;
  for (const auto& one : evidence.concepts) names += one.name ? one.weight : 0;
  const std::size_t terms = std::min(found.terms.size(), terms_max);
  struct Best {
    const Unit* unit = nullptr;
    double score = 0;
    std::uint64_t same_form = 0;
  };
  std::vector<Best> best(found.hits.size());
  for (const auto& unit : evidence.units) {
    auto& one = best[unit.hit];
    auto& s = signals[unit.hit];
    const auto raise = [&](Signal which, double value) {
      at(s, which) = std::max(at(s, which), static_cast<float>(value));
    };
    const double own = covered(evidence, unit.exact, unit.root);
    const double context = covered(evidence, unit.exact | evidence.heading_exact[unit.hit], unit.root) - own;
    const double score = own + 0.4 * context + 0.2 * unit.adjacency;
    if (one.unit == nullptr || score > one.score) one = {&unit, score, one.same_form};
    one.same_form |= unit.same_form;
    raise(Signal::text_sentence, own);
    raise(Signal::text_context, own + 0.5 * context);
    raise(Signal::text_density, own * 20 / (20 + static_cast<double>(unit.words)));
    if (unit.fits) raise(Signal::text_fit_share, own);
    raise(Signal::text_run,
          static_cast<double>(unit.run) / static_cast<double>(std::max<std::size_t>(evidence.question_words, 1)));
    if (evidence.asks == Asks::definition && unit.fits) raise(Signal::text_definition, own);
  }
  Analyzer& analyzer = analyzer_for(found.language);
  for (std::size_t h = 0; h < found.hits.size(); ++h) {
    const auto& hit = found.hits[h];
    auto& s = signals[h];
    const auto set = [&](Signal which, double value) { at(s, which) = static_cast<float>(value); };
    if (best[h].unit != nullptr) {
      set(Signal::text_adjacency, best[h].unit->adjacency);
      set(Signal::text_fits, best[h].unit->fits ? 1 : 0);
    }
    set(Signal::text_exact, covered(evidence, best[h].same_form, 0));
    double named = 0;
    for (const auto& one : evidence.concepts) {
      if (one.name) named += one.weight * concept_share(one, evidence.hit_exact[h], evidence.hit_root[h]);
    }
    set(Signal::text_names, names > 0 ? named / names : 0);
    double all = 1, lists = 0, tables = 0, code = 0;
    bool steps = false;
    for (const auto& block : hit.blocks) {
      const auto size = static_cast<double>(block.text.size());
      all += size;
      if (block.kind == BlockKind::list) lists += size;
      if (block.kind == BlockKind::table) tables += size;
      if (block.kind == BlockKind::code) code += size;
      steps |= block.kind == BlockKind::code || (block.kind == BlockKind::list && block.text.starts_with("1."));
    }
    set(Signal::text_lists, lists / all);
    set(Signal::text_tables, tables / all);
    set(Signal::text_code, code / all);
    set(Signal::text_steps, evidence.asks == Asks::steps && steps ? 1 : 0);
    std::uint64_t in_path = 0;
    AnalyzedHit made;
    if (!hit.analyzed) made = analyze_hit(hit, analyzer);
    const AnalyzedHit& analyzed = hit.analyzed ? *hit.analyzed : made;
    for (std::size_t w = analyzed.path.words; w < analyzed.path.words_end; ++w) {
      for (std::size_t t = 0; t < terms; ++t) {
        if (analyzed.words[w].hash == found.terms[t].hash) in_path |= std::uint64_t{1} << t;
      }
    }
    set(Signal::path, covered(evidence, in_path, 0));
    set(Signal::side_page, is_side_page(hit.path) && in_path == 0 ? 1 : 0);
  }
}

Features features_of(const Evidence& evidence, const SearchResult& found) {
  Features f{};
  f[0] = 1;
  if (evidence.weight <= 0 || evidence.units.empty()) return f;
  const Unit* best = nullptr;
  for (const auto& unit : evidence.units) {
    const double own = covered(evidence, unit.exact, unit.root);
    f[1] = std::max(f[1], own);
    f[6] = std::max(f[6], unit.adjacency);
    if (best == nullptr || unit.score > best->score) best = &unit;
  }
  double names = 0;
  std::size_t rarest = 0;
  for (std::size_t c = 0; c < evidence.concepts.size(); ++c) {
    if (evidence.concepts[c].name) names += evidence.concepts[c].weight;
    if (evidence.concepts[c].unseen) f[4] += evidence.concepts[c].weight / evidence.weight;
    if (evidence.concepts[c].weight > evidence.concepts[rarest].weight) rarest = c;
  }
  std::uint64_t top_exact = 0;
  std::uint64_t top_root = 0;
  for (std::size_t h = 0; h < evidence.hit_exact.size(); ++h) {
    const auto exact = evidence.hit_exact[h];
    const auto root = evidence.hit_root[h];
    f[2] = std::max(f[2], covered(evidence, exact, root));
    double named = 0;
    for (const auto& one : evidence.concepts) {
      if (one.name) named += one.weight * concept_share(one, exact, root);
    }
    f[3] = std::max(f[3], names > 0 ? named / names : 0.5);
    f[5] = std::max(f[5], concept_share(evidence.concepts[rarest], exact, root));
    if (h < 3) {
      top_exact |= exact;
      top_root |= root;
    }
  }
  f[7] = std::min(6.0, found.hits[0].score) / 4;
  const std::size_t later = std::min<std::size_t>(found.hits.size(), 5) - 1;
  f[8] = found.hits[0].score > 0 ? 1 - found.hits[later].score / found.hits[0].score : 0;
  f[9] = best->fits ? 1 : 0;
  f[10] = std::min(1.0, static_cast<double>(evidence.concepts.size()) / 10);
  // Shares alone do not tell two common words from five rare ones.
  f[12] = std::min(2.0, f[1] * evidence.weight / evidence_weight_usual);
  f[13] = std::min(2.0, f[2] * evidence.weight / evidence_weight_usual);
  f[11] = covered(evidence, top_exact, top_root & ~top_exact);
  return f;
}

double confidence_of(const Features& features) {
  double sum = 0;
  for (std::size_t i = 0; i < features.size(); ++i) sum += model[i] * features[i];
  return 1 / (1 + std::exp(-sum));
}

}  // namespace parley::knowledge
