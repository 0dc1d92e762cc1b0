#include "parley/knowledge/sentences.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace parley::knowledge {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 128;
}
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

char to_lower(char c) { return is_upper(c) ? static_cast<char>(c + 32) : c; }

// Words whose full stop belongs to them. Those that often end a sentence too ("etc.", "inc.") are decided by what
// follows, not by this list.
constexpr std::array<std::string_view, 46> abbreviations = {
    "mr",  "mrs", "ms",  "dr", "prof",   "sr",  "jr",  "st",  "gen", "col",  "lt",   "capt", "sgt", "rev", "hon", "vs",
    "viz", "cf",  "eg",  "ie", "al",     "ca",  "c",   "no",  "nos", "fig",  "figs", "eq",   "sec", "ch",  "vol", "pp",
    "p",   "ed",  "eds", "op", "approx", "est", "jan", "feb", "aug", "sept", "oct",  "nov",  "dec", "dept"};

bool ends_with_abbreviation(std::string_view text, std::size_t stop) {
  std::size_t begin = stop;
  while (begin > 0 && (is_letter(text[begin - 1]) || text[begin - 1] == '.')) --begin;
  std::array<char, 8> word{};
  std::size_t size = 0;
  std::size_t letters_since_dot = 0;
  bool dotted = false;
  for (std::size_t i = begin; i < stop; ++i) {
    if (text[i] == '.') {
      dotted = true;
      letters_since_dot = 0;
      continue;
    }
    ++letters_since_dot;
    if (size == word.size()) return false;
    word[size++] = to_lower(text[i]);
  }
  if (size == 0) return false;
  if (size == 1 && is_upper(text[stop - 1])) return true;  // an initial: "J. Smith"
  if (dotted && letters_since_dot == 1) return true;       // "e.g", "U.S"
  const std::string_view found(word.data(), size);
  return std::ranges::find(abbreviations, found) != abbreviations.end();
}

}  // namespace

std::vector<std::string_view> split_sentences(std::string_view text) {
  std::vector<std::string_view> sentences;
  std::size_t begin = 0;
  const auto end_sentence = [&](std::size_t end) {
    std::size_t last = end;
    while (last > begin && is_space(text[last - 1])) --last;
    if (last > begin) sentences.push_back(text.substr(begin, last - begin));
    begin = end;
    while (begin < text.size() && is_space(text[begin])) ++begin;
  };
  bool in_code = false;
  int brackets = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    if (i - std::min(i, begin) >= sentence_bytes_max) {
      // Cut behind the last white space, else before a whole UTF-8 character.
      std::size_t cut = i;
      while (cut > begin + sentence_bytes_max / 2 && !is_space(text[cut - 1])) --cut;
      if (!is_space(text[cut - 1])) {
        cut = i;
        while (cut > begin + 1 && (static_cast<std::uint8_t>(text[cut]) & 0xc0) == 0x80) --cut;
      }
      end_sentence(cut);
      in_code = false;
      brackets = 0;
      i = std::max(i, begin);
      continue;
    }
    const char c = text[i];
    if (c == '`') in_code = !in_code;
    if (!in_code && c == '(') ++brackets;
    if (!in_code && c == ')' && brackets > 0) --brackets;
    // The ideographic full stop and its kin need no space behind them.
    if (text.substr(i, 3) == "\xe3\x80\x82" || text.substr(i, 3) == "\xef\xbc\x81" ||
        text.substr(i, 3) == "\xef\xbc\x9f") {
      i += 3;
      end_sentence(i);
      continue;
    }
    if (c == '\n' && i + 1 < text.size() && text[i + 1] == '\n') {
      end_sentence(i);
      in_code = false;
      brackets = 0;
      i = std::max(i + 1, begin);
      continue;
    }
    if (in_code || (c != '.' && c != '!' && c != '?')) {
      ++i;
      continue;
    }
    std::size_t after = i + 1;
    while (after < text.size() && (text[after] == '.' || text[after] == '!' || text[after] == '?')) ++after;
    while (after < text.size() &&
           (text[after] == '"' || text[after] == '\'' || text[after] == ')' || text[after] == ']' ||
            text[after] == '*' || text[after] == '_' || text.substr(after, 3) == "\xe2\x80\x9d")) {
      if (text[after] == ')' && brackets > 0) --brackets;
      after += text.substr(after, 3) == "\xe2\x80\x9d" ? 3 : 1;
    }
    if (after < text.size() && !is_space(text[after])) {  // "3.14", "config.toml", "example.org/x"
      i = after;
      continue;
    }
    std::size_t next = after;
    while (next < text.size() && is_space(text[next])) ++next;
    bool splits = brackets == 0;
    if (splits && next < text.size()) {
      char first = text[next];
      for (std::size_t n = next;
           n < text.size() && (first == '"' || first == '(' || first == '*' || first == '`' || first == '_');)
        first = ++n < text.size() ? text[n] : ' ';
      if (is_lower(first)) splits = false;  // "approx. six", "etc. and"
      if (c == '.' && ends_with_abbreviation(text, i)) splits = false;
      if (c == '.' && i > 0 && is_digit(text[i - 1]) && i - begin <= 3) splits = false;  // "1. First step"
    }
    if (splits) {
      end_sentence(after);
      i = std::max(after, begin);
    } else {
      i = after;
    }
  }
  end_sentence(text.size());
  return sentences;
}

}  // namespace parley::knowledge
