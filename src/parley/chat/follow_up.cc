#include "parley/chat/follow_up.h"

#include <algorithm>
#include <array>

namespace parley::chat {
namespace {

// Words that stand for something named before.
constexpr std::array<std::string_view, 17> referring = {"it",   "its",     "they",  "them",   "their", "this",
                                                        "that", "these",   "those", "one",    "ones",  "same",
                                                        "else", "instead", "again", "either", "both"};
// How a question goes on with what was spoken of.
constexpr std::array<std::string_view, 5> openings = {"and ", "but ", "or ", "what about", "how about"};
// "Why?", "On Windows?", "For how long?" say too little by themselves.
constexpr std::size_t words_of_a_remark_max = 3;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80; }

}  // namespace

std::string search_words(std::string_view question, std::string_view question_before) {
  std::string lower(question);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  std::size_t words = 0;
  bool leans = std::ranges::any_of(openings, [&](std::string_view opening) { return lower.starts_with(opening); });
  for (std::size_t at = 0; at < lower.size();) {
    if (!is_letter(lower[at])) {
      ++at;
      continue;
    }
    auto end = at;
    while (end < lower.size() && is_letter(lower[end])) ++end;
    const auto word = std::string_view(lower).substr(at, end - at);
    ++words;
    leans = leans || std::ranges::find(referring, word) != referring.end();
    at = end;
  }
  leans = leans || words <= words_of_a_remark_max;
  if (!leans || question_before.empty()) return std::string(question);
  return std::string(question_before) + "\n" + std::string(question);
}

}  // namespace parley::chat
