#include "parley/knowledge/terms.h"

#include <xapian.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace parley::knowledge {
namespace {

// A cache that only grows would let a stream of invented words fill memory; the common words of a corpus fit in this.
constexpr std::size_t cached_words_max = 60'000;

/// Words by what they were made from: the hottest place of an ingestion, which looks up every word of every text. So it
/// is one probe into a small table, then one comparison, and not a chain of nodes. What is added stays where it is.
class WordCache {
 public:
  struct Entry {
    std::string key;
    Word word;
    bool known = false;  // whether `word` was filled in
  };

  /// The entry of `key`, new if there was none.
  Entry& operator[](std::string_view key) {
    const std::uint64_t hash = hash_of(key);
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    std::size_t at = hash & mask_;
    // Somebody may choose words that collide. Then some are kept twice, and none costs more than this.
    for (int probe = 0; probe < probes_max && slots_[at].number != 0; ++probe) {
      if (slots_[at].tag == tag && entries_[slots_[at].number - 1].key == key) return entries_[slots_[at].number - 1];
      at = (at + 1) & mask_;
    }
    if (entries_.size() * 2 >= slots_.size()) grow();
    auto& entry = entries_.emplace_back();
    entry.key = key;
    entry.word.place = static_cast<std::uint32_t>(entries_.size() - 1);
    place(hash, static_cast<std::uint32_t>(entries_.size()));
    return entry;
  }
  std::size_t size() const { return entries_.size(); }
  void clear() {
    entries_.clear();
    slots_.assign(slots_min, {});
    mask_ = slots_min - 1;
  }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t number = 0;  // of the entry, counted from 1; 0: free
  };
  static constexpr std::size_t slots_min = 256;
  static constexpr int probes_max = 32;

  static std::uint64_t hash_of(std::string_view key) {
    constexpr std::uint64_t odd = 0x9e3779b97f4a7c15ull;
    const auto read = [](const char* from, auto bits) {
      std::memcpy(&bits, from, sizeof bits);
      return std::uint64_t{bits};
    };
    std::uint64_t hash = key.size() * odd;
    const auto mix = [&hash](std::uint64_t bits) {
      hash = (hash ^ bits) * odd;
      hash ^= hash >> 29;
    };
    for (; key.size() > 8; key.remove_prefix(8)) mix(read(key.data(), std::uint64_t{}));
    if (key.size() >= 4)
      mix(read(key.data(), std::uint32_t{}) << 32 | read(key.data() + key.size() - 4, std::uint32_t{}));
    else if (!key.empty())
      mix(static_cast<std::uint64_t>(static_cast<std::uint8_t>(key[0])) << 16 |
          static_cast<std::uint64_t>(static_cast<std::uint8_t>(key[key.size() / 2])) << 8 |
          static_cast<std::uint8_t>(key.back()));
    mix(hash >> 32);
    return hash;
  }
  void place(std::uint64_t hash, std::uint32_t number) {
    std::size_t at = hash & mask_;
    for (int probe = 0; probe < probes_max && slots_[at].number != 0; ++probe) at = (at + 1) & mask_;
    slots_[at] = {static_cast<std::uint32_t>(hash >> 32), number};
  }
  void grow() {
    slots_.assign(slots_.size() * 4, {});
    mask_ = slots_.size() - 1;
    for (std::size_t i = 0; i < entries_.size(); ++i)
      place(hash_of(entries_[i].key), static_cast<std::uint32_t>(i + 1));
  }

  std::deque<Entry> entries_;
  std::vector<Slot> slots_ = std::vector<Slot>(slots_min);
  std::size_t mask_ = slots_min - 1;
};
using WordSet = std::unordered_set<std::string_view>;

// Function words, question words, and the verbs questions are framed with. Terms of a domain stay out of it.
const WordSet& english_stop_words() {
  static const WordSet words = {
      "a",       "about",   "above",     "after",     "again",    "against",  "all",     "also",       "am",
      "an",      "and",     "any",       "are",       "as",       "at",       "be",      "because",    "been",
      "before",  "being",   "below",     "between",   "both",     "but",      "by",      "can",        "cannot",
      "could",   "did",     "do",        "does",      "doing",    "don",      "dont",    "doesnt",     "didnt",
      "down",    "during",  "each",      "either",    "etc",      "ever",     "every",   "few",        "for",
      "from",    "further", "get",       "gets",      "got",      "had",      "has",     "have",       "having",
      "he",      "her",     "here",      "hers",      "herself",  "him",      "himself", "his",        "how",
      "however", "i",       "if",        "im",        "in",       "into",     "is",      "isnt",       "it",
      "its",     "itself",  "just",      "let",       "ll",       "may",      "me",      "might",      "mine",
      "more",    "most",    "much",      "must",      "my",       "myself",   "neither", "no",         "nor",
      "not",     "now",     "of",        "off",       "on",       "once",     "only",    "or",         "other",
      "our",     "ours",    "ourselves", "out",       "over",     "own",      "please",  "re",         "s",
      "same",    "shall",   "shant",     "she",       "should",   "so",       "some",    "such",       "t",
      "than",    "that",    "thats",     "the",       "their",    "theirs",   "them",    "themselves", "then",
      "there",   "these",   "they",      "this",      "those",    "through",  "thus",    "to",         "too",
      "under",   "until",   "up",        "upon",      "us",       "ve",       "very",    "was",        "wasnt",
      "we",      "were",    "what",      "whats",     "when",     "where",    "whether", "which",      "while",
      "who",     "whom",    "whose",     "why",       "will",     "with",     "within",  "without",    "wont",
      "would",   "yet",     "you",       "your",      "yours",    "yourself", "many",    "d",          "m",
      "o",       "one",     "ones",      "something", "anything", "someone",  "anyone",  "whatever",   "whose"};
  return words;
}

// Forms no suffix rule reaches. Left out: forms that are as often another word ("found", "left", "saw", "lay", "felt").
const std::unordered_map<std::string_view, std::string_view>& english_irregular_forms() {
  static const std::unordered_map<std::string_view, std::string_view> forms = {{"arose", "arise"},
                                                                               {"arisen", "arise"},
                                                                               {"ate", "eat"},
                                                                               {"eaten", "eat"},
                                                                               {"awoke", "awake"},
                                                                               {"became", "become"},
                                                                               {"began", "begin"},
                                                                               {"begun", "begin"},
                                                                               {"bent", "bend"},
                                                                               {"bitten", "bite"},
                                                                               {"blew", "blow"},
                                                                               {"blown", "blow"},
                                                                               {"bought", "buy"},
                                                                               {"broke", "break"},
                                                                               {"broken", "break"},
                                                                               {"brought", "bring"},
                                                                               {"built", "build"},
                                                                               {"came", "come"},
                                                                               {"caught", "catch"},
                                                                               {"chose", "choose"},
                                                                               {"chosen", "choose"},
                                                                               {"dealt", "deal"},
                                                                               {"died", "die"},
                                                                               {"dies", "die"},
                                                                               {"dying", "die"},
                                                                               {"death", "die"},
                                                                               {"dead", "die"},
                                                                               {"drank", "drink"},
                                                                               {"drawn", "draw"},
                                                                               {"drew", "draw"},
                                                                               {"driven", "drive"},
                                                                               {"drove", "drive"},
                                                                               {"fallen", "fall"},
                                                                               {"fell", "fall"},
                                                                               {"fed", "feed"},
                                                                               {"fought", "fight"},
                                                                               {"flew", "fly"},
                                                                               {"flown", "fly"},
                                                                               {"flies", "fly"},
                                                                               {"forbade", "forbid"},
                                                                               {"forbidden", "forbid"},
                                                                               {"forgot", "forget"},
                                                                               {"forgotten", "forget"},
                                                                               {"froze", "freeze"},
                                                                               {"frozen", "freeze"},
                                                                               {"gave", "give"},
                                                                               {"given", "give"},
                                                                               {"goes", "go"},
                                                                               {"gone", "go"},
                                                                               {"went", "go"},
                                                                               {"grew", "grow"},
                                                                               {"grown", "grow"},
                                                                               {"growth", "grow"},
                                                                               {"heard", "hear"},
                                                                               {"held", "hold"},
                                                                               {"hidden", "hide"},
                                                                               {"kept", "keep"},
                                                                               {"knew", "know"},
                                                                               {"known", "know"},
                                                                               {"laid", "lay"},
                                                                               {"lain", "lie"},
                                                                               {"led", "lead"},
                                                                               {"lent", "lend"},
                                                                               {"lost", "lose"},
                                                                               {"loss", "lose"},
                                                                               {"losses", "lose"},
                                                                               {"made", "make"},
                                                                               {"meant", "mean"},
                                                                               {"met", "meet"},
                                                                               {"paid", "pay"},
                                                                               {"proven", "prove"},
                                                                               {"proof", "prove"},
                                                                               {"ran", "run"},
                                                                               {"rang", "ring"},
                                                                               {"ridden", "ride"},
                                                                               {"rode", "ride"},
                                                                               {"risen", "rise"},
                                                                               {"said", "say"},
                                                                               {"sang", "sing"},
                                                                               {"sat", "sit"},
                                                                               {"sought", "seek"},
                                                                               {"seen", "see"},
                                                                               {"sent", "send"},
                                                                               {"shaken", "shake"},
                                                                               {"shook", "shake"},
                                                                               {"shown", "show"},
                                                                               {"slept", "sleep"},
                                                                               {"slid", "slide"},
                                                                               {"sold", "sell"},
                                                                               {"sale", "sell"},
                                                                               {"sales", "sell"},
                                                                               {"spent", "spend"},
                                                                               {"spoke", "speak"},
                                                                               {"spoken", "speak"},
                                                                               {"sprang", "spring"},
                                                                               {"stolen", "steal"},
                                                                               {"stood", "stand"},
                                                                               {"struck", "strike"},
                                                                               {"stuck", "stick"},
                                                                               {"sung", "sing"},
                                                                               {"sunk", "sink"},
                                                                               {"sworn", "swear"},
                                                                               {"swore", "swear"},
                                                                               {"taken", "take"},
                                                                               {"took", "take"},
                                                                               {"taught", "teach"},
                                                                               {"told", "tell"},
                                                                               {"thought", "think"},
                                                                               {"threw", "throw"},
                                                                               {"thrown", "throw"},
                                                                               {"torn", "tear"},
                                                                               {"understood", "understand"},
                                                                               {"undertaken", "undertake"},
                                                                               {"undertook", "undertake"},
                                                                               {"withdrawn", "withdraw"},
                                                                               {"withdrew", "withdraw"},
                                                                               {"woken", "wake"},
                                                                               {"won", "win"},
                                                                               {"wore", "wear"},
                                                                               {"worn", "wear"},
                                                                               {"wove", "weave"},
                                                                               {"woven", "weave"},
                                                                               {"written", "write"},
                                                                               {"wrote", "write"},
                                                                               {"children", "child"},
                                                                               {"feet", "foot"},
                                                                               {"geese", "goose"},
                                                                               {"indices", "index"},
                                                                               {"indexes", "index"},
                                                                               {"matrices", "matrix"},
                                                                               {"men", "man"},
                                                                               {"mice", "mouse"},
                                                                               {"people", "person"},
                                                                               {"persons", "person"},
                                                                               {"teeth", "tooth"},
                                                                               {"vertices", "vertex"},
                                                                               {"women", "woman"},
                                                                               {"wives", "wife"},
                                                                               {"lives", "life"},
                                                                               {"halves", "half"},
                                                                               {"criteria", "criterion"},
                                                                               {"phenomena", "phenomenon"},
                                                                               {"analyses", "analysis"},
                                                                               {"wider", "wide"},
                                                                               {"larger", "large"},
                                                                               {"largest", "large"},
                                                                               {"bigger", "big"},
                                                                               {"biggest", "big"},
                                                                               {"smaller", "small"},
                                                                               {"smallest", "small"},
                                                                               {"longer", "long"},
                                                                               {"longest", "long"},
                                                                               {"highest", "high"},
                                                                               {"higher", "high"},
                                                                               {"lower", "low"},
                                                                               {"lowest", "low"},
                                                                               {"older", "old"},
                                                                               {"oldest", "old"},
                                                                               {"newer", "new"},
                                                                               {"newest", "new"},
                                                                               {"earlier", "early"},
                                                                               {"earliest", "early"},
                                                                               {"faster", "fast"},
                                                                               {"fastest", "fast"},
                                                                               {"slower", "slow"},
                                                                               {"slowest", "slow"},
                                                                               {"greater", "great"},
                                                                               {"greatest", "great"},
                                                                               {"length", "long"},
                                                                               {"width", "wide"},
                                                                               {"depth", "deep"},
                                                                               {"height", "high"},
                                                                               {"strength", "strong"},
                                                                               {"stronger", "strong"},
                                                                               {"strongest", "strong"},
                                                                               {"chosen", "choose"},
                                                                               {"choice", "choose"},
                                                                               {"choices", "choose"},
                                                                               {"belief", "believe"},
                                                                               {"beliefs", "believe"},
                                                                               {"birth", "born"},
                                                                               {"success", "succeed"},
                                                                               {"descent", "descend"},
                                                                               {"descendant", "descend"},
                                                                               {"descendants", "descend"},
                                                                               {"arrival", "arrive"},
                                                                               {"refusal", "refuse"},
                                                                               {"removal", "remove"},
                                                                               {"approval", "approve"},
                                                                               {"speech", "speak"},
                                                                               {"flight", "fly"},
                                                                               {"flights", "fly"},
                                                                               {"written", "write"},
                                                                               {"two", "2"},
                                                                               {"three", "3"},
                                                                               {"four", "4"},
                                                                               {"five", "5"},
                                                                               {"six", "6"},
                                                                               {"seven", "7"},
                                                                               {"eight", "8"},
                                                                               {"nine", "9"},
                                                                               {"ten", "10"},
                                                                               {"eleven", "11"},
                                                                               {"twelve", "12"},
                                                                               {"first", "1st"},
                                                                               {"third", "3rd"},
                                                                               {"fourth", "4th"},
                                                                               {"fifth", "5th"},
                                                                               {"sixth", "6th"},
                                                                               {"seventh", "7th"},
                                                                               {"eighth", "8th"},
                                                                               {"ninth", "9th"},
                                                                               {"tenth", "10th"}};
  return forms;
}

enum : std::uint8_t { separator, lower, upper, digit, joiner };

constexpr std::array<std::uint8_t, 128> classes = [] {
  std::array<std::uint8_t, 128> table{};
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = lower;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = upper;
  for (char c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = digit;
  for (const char c : {'-', '_', '\'', '.', ','}) table[static_cast<std::size_t>(c)] = joiner;
  return table;
}();

struct CodePoint {
  std::uint32_t value = 0;
  std::uint32_t bytes = 1;
  bool valid = false;
};

// Strict enough for words: a malformed or cut sequence is one separator byte.
CodePoint decode(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[at + i]); };
  const std::uint32_t lead = byte(0);
  const std::uint32_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + bytes > text.size()) return {};
  std::uint32_t value = lead & (0x7fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3f);
  }
  if (value < (bytes == 4 ? 0x10000u : bytes == 3 ? 0x800u : 0x80u) || value > 0x10ffff) return {};
  return {value, bytes, true};
}

bool is_cjk(std::uint32_t c) {
  return (c >= 0x3040 && c <= 0x30ff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0x9fff) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x2ffff);
}

// Latin letters without their accents, U+00E0 to U+017F, so that "cafe" finds "café". A space means: leave it.
constexpr std::string_view folded_latin =
    "aaaaaa ceeeeiiiidnooooo ouuuuy y"  // e0..ff
    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii  jjkkklllllll"
    "lllnnnnnnnnnoooooo  rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";  // 154..17f (shifted)

void append_folded(std::uint32_t c, std::string& out) {
  c = Xapian::Unicode::tolower(c);
  if (c == 0xdf) {
    out += "ss";
    return;
  }
  if (c == 0x153) {
    out += "oe";
    return;
  }
  if (c == 0xe6) {
    out += "ae";
    return;
  }
  if (c >= 0xe0 && c <= 0x17f && folded_latin[c - 0xe0] != ' ') {
    out += folded_latin[c - 0xe0];
    return;
  }
  Xapian::Unicode::append_utf8(out, c);
}

bool is_word_character(std::uint32_t c) {
  // Combining marks join their letter; the narrow set of punctuation Xapian counts as word characters does not.
  return Xapian::Unicode::is_wordchar(c) && Xapian::Unicode::get_category(c) != Xapian::Unicode::CONNECTOR_PUNCTUATION;
}

bool is_ordinal_suffix(std::string_view letters) {
  return letters == "st" || letters == "nd" || letters == "rd" || letters == "th" || letters == "s";
}

}  // namespace

std::uint32_t hash_of_stem(std::string_view stem) {
  const auto fnv = [](std::string_view text) {
    std::uint64_t h = 14695981039346656037ull;
    for (const char c : text) h = (h ^ static_cast<std::uint8_t>(c)) * 1099511628211ull;
    return h ^ h >> 32;
  };
  // "1914" and "19145" have no root in common, nor have "in" and "ink": their upper half is of the whole stem.
  const bool has_root = stem.size() >= root_letters && (stem[0] < '0' || stem[0] > '9');
  const auto root = static_cast<std::uint32_t>(has_root ? fnv(stem.substr(0, root_letters)) : fnv(stem) >> 20) & 0xffff;
  auto rest = static_cast<std::uint32_t>(fnv(stem)) & 0xffff;
  if (root == 0 && rest < 2) rest = 2;
  return root << 16 | rest;
}

struct Analyzer::State {
  std::string language;
  Xapian::Stem stemmer;
  bool english = false;
  WordCache words;
  std::vector<Token> tokens;
  std::string whole;                                           // of the run being read, folded
  std::vector<std::uint32_t> whole_ends;                       // where parts end in `whole`
  std::vector<std::pair<std::uint32_t, std::uint32_t>> spans;  // bytes of each part in the text

  const Word* word(std::string_view folded) {
    folded = folded.substr(0, std::min(folded.size(), word_bytes_max));
    auto& entry = words[folded];
    Word& made = entry.word;
    if (entry.known) return &made;
    entry.known = true;
    made.number = folded[0] >= '0' && folded[0] <= '9';
    if (english) {
      made.stop = english_stop_words().contains(folded);
      const auto& forms = english_irregular_forms();
      const auto form = forms.find(folded);
      made.stem = form == forms.end() ? std::string(folded) : std::string(form->second);
    } else {
      made.stem = folded;
    }
    const bool stems = std::ranges::none_of(made.stem, [](char c) { return c >= '0' && c <= '9'; });
    if (stems) made.stem = stemmer(made.stem);
    made.hash = hash_of_stem(made.stem);
    return &made;
  }
};

bool is_stop_hash(std::uint32_t hash) {
  static const std::unordered_set<std::uint32_t> hashes = [] {
    std::unordered_set<std::uint32_t> made;
    const Xapian::Stem stem("english");
    for (const auto word : english_stop_words()) made.insert(hash_of_stem(stem(std::string(word))));
    return made;
  }();
  return hashes.contains(hash);
}

Analyzer::Analyzer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Analyzer::Analyzer(Analyzer&&) noexcept = default;
Analyzer& Analyzer::operator=(Analyzer&&) noexcept = default;
Analyzer::~Analyzer() = default;

const std::string& Analyzer::language() const { return state_->language; }

Result<Analyzer> Analyzer::make(std::string_view language) {
  auto state = std::make_unique<State>();
  state->language = language;
  state->english = language == "english";
  try {
    state->stemmer = Xapian::Stem(std::string(language));
  } catch (const Xapian::Error& error) {
    return fail(Code::invalid_argument, "no such language", error.get_msg());
  }
  return Analyzer(std::move(state));
}

const std::vector<Token>& Analyzer::analyze(std::string_view text, Earlier earlier) {
  State& s = *state_;
  if (earlier == Earlier::may_go && s.words.size() > cached_words_max) s.words.clear();
  s.tokens.clear();
  bool sentence = true;
  std::size_t i = 0;
  const std::size_t size = std::min<std::size_t>(text.size(), 0xffff'ffffu);
  text = text.substr(0, size);

  const auto emit = [&](std::string_view folded, std::size_t begin, std::size_t end, bool part, bool capital) {
    s.tokens.push_back(
        {s.word(folded), static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end), part, sentence, capital});
    sentence = false;
  };
  const auto class_at = [&](std::size_t at) -> std::uint8_t {
    return at < size && static_cast<std::uint8_t>(text[at]) < 128 ? classes[static_cast<std::size_t>(text[at])]
                                                                  : std::uint8_t{separator};
  };

  while (i < size) {
    const auto c = static_cast<std::uint8_t>(text[i]);
    if (c < 128) {
      const std::uint8_t kind = classes[c];
      if (kind == separator || kind == joiner) {
        if (c == '\n' ||
            ((c == '.' || c == '!' || c == '?') && (i + 1 == size || text[i + 1] == ' ' || text[i + 1] == '"')))
          sentence = true;
        ++i;
        continue;
      }
    } else {
      const CodePoint point = decode(text, i);
      if (point.valid && is_cjk(point.value)) {
        // Overlapping pairs: no dictionary is needed and a pair is rare enough to mean something.
        std::size_t at = i;
        std::size_t previous = i;
        std::uint32_t count = 0;
        for (CodePoint p = point; p.valid && is_cjk(p.value);) {
          if (count > 0) emit(text.substr(previous, at + p.bytes - previous), previous, at + p.bytes, false, false);
          previous = at;
          at += p.bytes;
          ++count;
          p = at < size && static_cast<std::uint8_t>(text[at]) >= 128 ? decode(text, at) : CodePoint{};
        }
        if (count == 1) emit(text.substr(i, at - i), i, at, false, false);
        i = at;
        continue;
      }
      if (!point.valid || !is_word_character(point.value)) {
        if (point.valid && (point.value == 0x3002 || point.value == 0xff01 || point.value == 0xff1f)) sentence = true;
        i += point.bytes;
        continue;
      }
    }

    // Most words are small letters, the first perhaps a capital, between separators: one part, nothing to fold.
    if (c < 128 && classes[c] != digit) {
      std::size_t last = i + 1;
      while (class_at(last) == lower) ++last;
      const auto follows = class_at(last);
      const auto beyond = class_at(last + 1);
      const bool plain =
          last >= size ||
          (static_cast<std::uint8_t>(text[last]) < 128 &&
           (follows == separator || (follows == joiner && (beyond == separator || beyond == joiner) &&
                                     (last + 1 >= size || static_cast<std::uint8_t>(text[last + 1]) < 128))));
      if (plain) {
        if (classes[c] == lower) {
          emit(text.substr(i, last - i), i, last, false, false);
        } else {
          s.whole.assign(text, i, last - i);
          s.whole[0] = static_cast<char>(c + 32);
          emit(s.whole, i, last, false, true);
        }
        i = last;
        continue;
      }
    }

    // A run of letters and digits with single joiners inside.
    s.whole.clear();
    s.whole_ends.clear();
    s.spans.clear();
    const std::size_t begin = i;
    std::size_t part_begin = i;
    std::uint8_t before = separator;
    const bool capital =
        class_at(i) == upper || (c >= 128 && Xapian::Unicode::tolower(decode(text, i).value) != decode(text, i).value);
    const auto end_part = [&](std::size_t at) {
      if (!s.whole.empty() && (s.whole_ends.empty() || s.whole_ends.back() != s.whole.size())) {
        s.whole_ends.push_back(static_cast<std::uint32_t>(s.whole.size()));
        s.spans.emplace_back(static_cast<std::uint32_t>(part_begin), static_cast<std::uint32_t>(at));
      }
    };
    std::size_t end = i;
    while (i < size) {
      const auto b = static_cast<std::uint8_t>(text[i]);
      if (b >= 128) {
        const CodePoint point = decode(text, i);
        if (point.valid && (point.value == 0x2019)) {  // typographic apostrophe
          if (class_at(i + 3) != lower && class_at(i + 3) != upper) break;
          if (class_at(i + 3) == lower && text[i + 3] == 's' && class_at(i + 4) != lower) {
            i += 4;
            break;
          }
          end_part(i);
          i += 3;
          part_begin = i;
          before = separator;
          continue;
        }
        if (!point.valid || is_cjk(point.value) || !is_word_character(point.value)) break;
        append_folded(point.value, s.whole);
        i += point.bytes;
        end = i;
        before = lower;
        continue;
      }
      const std::uint8_t kind = classes[b];
      if (kind == separator) break;
      if (kind == joiner) {
        const std::uint8_t next = class_at(i + 1);
        const bool next_is_word = next == lower || next == upper || next == digit ||
                                  (i + 1 < size && static_cast<std::uint8_t>(text[i + 1]) >= 128 && b != ',');
        if (!next_is_word) break;
        if (b == ',' && !(before == digit && next == digit)) break;
        if (b == '\'' && text[i + 1] == 's' && class_at(i + 2) != lower && class_at(i + 2) != upper) {
          i += 2;  // the possessive says nothing
          break;
        }
        if (before == digit && next == digit && (b == '.' || b == ',')) {
          if (b == '.') s.whole += '.';
          ++i;
          continue;
        }
        end_part(end);
        ++i;
        part_begin = i;
        before = separator;
        continue;
      }
      // Borders inside a word: aB, ABc, a1, 1a.
      const bool border = (kind == upper && (before == lower || before == digit)) ||
                          (kind == lower && before == digit) ||
                          (kind == digit && (before == lower || before == upper)) ||
                          (kind == lower && before == upper && i >= part_begin + 2 && class_at(i - 1) == upper);
      if (border) {
        if (kind == lower && before == upper) {
          // "HTTPServer": the last capital begins the next part.
          const char moved = s.whole.back();
          s.whole.pop_back();
          end_part(i - 1);
          part_begin = i - 1;
          s.whole += moved;
        } else {
          end_part(i);
          part_begin = i;
        }
      }
      s.whole += static_cast<char>(b >= 'A' && b <= 'Z' ? b + 32 : b);
      before = kind;
      ++i;
      end = i;
    }
    end_part(end);
    if (s.whole.empty()) continue;
    const auto part_text = [&](std::size_t n) {
      const std::size_t from = n == 0 ? 0 : s.whole_ends[n - 1];
      return std::string_view(s.whole).substr(from, s.whole_ends[n] - from);
    };
    const bool ordinal =
        s.whole_ends.size() == 2 && part_text(0)[0] >= '0' && part_text(0)[0] <= '9' && is_ordinal_suffix(part_text(1));
    const bool numbers = s.whole_ends.size() > 1 &&
                         std::ranges::all_of(s.whole, [](char b) { return (b >= '0' && b <= '9') || b == '.'; });
    // "1914-1918" is two numbers, not the number 19141918.
    if (!numbers) emit(s.whole, begin, end, false, capital);
    if (s.whole_ends.size() > 1 && !ordinal) {
      for (std::size_t n = 0; n < s.whole_ends.size(); ++n) {
        const auto part = part_text(n);
        // A lone letter of an identifier matches half the corpus; a lone digit is a number worth finding.
        if (part.size() == 1 && (part[0] < '0' || part[0] > '9')) continue;
        emit(part, s.spans[n].first, s.spans[n].second, !numbers, capital);
      }
    }
  }
  return s.tokens;
}

}  // namespace parley::knowledge
