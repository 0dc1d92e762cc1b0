#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"

namespace parley::knowledge {

/// A word as the index knows it. Lives in the `Analyzer` that made it.
struct Word {
  std::string stem;         ///< lower case, accents folded, irregular forms resolved, stemmed
  std::uint32_t hash = 0;   ///< of `stem`: the upper half of its first letters, the lower half of the rest
  bool stop = false;        ///< says nothing about what a text is about ("the", "how")
  bool number = false;      ///< begins with a digit
  std::uint32_t place = 0;  ///< among the words of its analyzer, counted from 0, for tables of one's own about them
};

/// The upper half of a hash depends on no more than this many leading letters, so that words of one root ("immune",
/// "immunity") can be recognised where the stemmer keeps them apart.
inline constexpr std::size_t root_letters = 5;

/// 0 and 1 never occur as a hash: the stored token streams use them as marks.
std::uint32_t hash_of_stem(std::string_view stem);

/// True for hashes of two different stems that share their first `root_letters` letters (and, once in 65,536, by
/// accident). Numbers and shorter stems share a root with nothing.
inline bool same_root(std::uint32_t a, std::uint32_t b) { return a >> 16 == b >> 16 && a != b; }

/// True for the hash of an English function word ("the", "how").
bool is_stop_hash(std::uint32_t hash);

/// One word of a text.
struct Token {
  const Word* word = nullptr;    ///< valid until the next call of the same analyzer
  std::uint32_t begin = 0;       ///< bytes of the text it was made from
  std::uint32_t end = 0;         ///< one past its last byte
  bool part = false;             ///< piece of an identifier or hyphenated word whose whole came just before
  bool starts_sentence = false;  ///< follows a full stop, question or exclamation mark, or a line end
  bool capitalized = false;      ///< written with a leading capital letter
};

/// Turns text into words, the same way for what is indexed and what is asked. Any bytes are accepted: what is not
/// UTF-8 separates words. Identifiers and compounds ("maxConnections", "e-mail", "debits_posted") give the whole
/// without its separators, then the parts; Chinese and Japanese give overlapping pairs of characters.
///
/// Not for use by two threads at once (it caches stems); one costs a few kilobytes until it has seen text.
class Analyzer {
 public:
  /// Words cost time and an attacker chooses their length: longer ones are cut.
  static constexpr std::size_t word_bytes_max = 64;

  /// A language name as Snowball spells it ("english", "german") or "none". Unknown: invalid_argument.
  static Result<Analyzer> make(std::string_view language);

  Analyzer(Analyzer&&) noexcept;
  Analyzer& operator=(Analyzer&&) noexcept;
  ~Analyzer();

  /// What becomes of the words of earlier calls. They are forgotten now and then, since the cache of them is bounded;
  /// `kept` lets it grow by the words of one text, so it is for pieces of one thing after a first call without.
  enum class Earlier : std::uint8_t { may_go, kept };

  /// The words of `text` in order. The returned reference is valid until the next call, and so are its words, unless
  /// that call says `kept`.
  const std::vector<Token>& analyze(std::string_view text, Earlier earlier = Earlier::may_go);

  const std::string& language() const;

 private:
  struct State;
  explicit Analyzer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace parley::knowledge
