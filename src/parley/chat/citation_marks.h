#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace parley::chat {

/// Turns the numbers by which a model cites passages into those of the sources that a reader sees, while the text
/// arrives: "[7]" becomes "[1]" if passage 7 is the first that is cited. Numbers that stand for no passage of the
/// prompt are none: beside one that does they are left out, and a bracket without any is text like other ("items[0]").
/// Text in backticks is not looked into.
///
/// The same text gives the same result however it is torn into pieces.
class CitationMarks {
 public:
  /// `passages`: how many the prompt holds, numbered from 1.
  explicit CitationMarks(std::size_t passages) : passages_(passages) {}

  /// What may be shown of the text so far. Holds back an open bracket, at most `bracket_bytes_max`.
  std::string pass(std::string_view piece);
  /// What was held back, once no more comes.
  std::string finish();

  /// Places of the cited passages, from 0, in the order of their new numbers.
  const std::vector<std::size_t>& cited() const { return cited_; }

  /// Room for "[10, 11, 12]"; longer brackets are not citations.
  static constexpr std::size_t bracket_bytes_max = 32;

 private:
  void take(char c, std::string& out);
  void close_bracket(std::string& out);
  std::size_t new_number(std::size_t number);

  const std::size_t passages_;
  std::vector<std::size_t> cited_;
  std::string bracket_;         ///< from '[' on, while it may be a citation
  std::size_t ticks_ = 0;       ///< backticks just read
  std::size_t code_ticks_ = 0;  ///< that opened the code we are in; 0: none
};

}  // namespace parley::chat
