#include "parley/chat/citation_marks.h"

#include <algorithm>
#include <utility>

namespace parley::chat {

std::string CitationMarks::pass(std::string_view piece) {
  std::string out;
  out.reserve(piece.size());
  for (const char c : piece) take(c, out);
  return out;
}

std::string CitationMarks::finish() { return std::exchange(bracket_, {}); }

void CitationMarks::take(char c, std::string& out) {
  if (c == '`') {
    out += std::exchange(bracket_, {});
    ++ticks_;
    out += c;
    return;
  }
  // A run of backticks ends here: it opens code, closes what as many have opened, or stands inside of it.
  if (ticks_ > 0) {
    if (code_ticks_ == 0) code_ticks_ = ticks_;
    else if (code_ticks_ == ticks_) code_ticks_ = 0;
    ticks_ = 0;
  }
  if (code_ticks_ > 0) {
    out += c;
    return;
  }
  if (c == '[') {
    out += std::exchange(bracket_, "[");
    return;
  }
  if (bracket_.empty()) {
    out += c;
    return;
  }
  bracket_ += c;
  if (c == ']') return close_bracket(out);
  const bool of_citation = (c >= '0' && c <= '9') || c == ',' || c == ' ';
  if (!of_citation || bracket_.size() >= bracket_bytes_max) out += std::exchange(bracket_, {});
}

void CitationMarks::close_bracket(std::string& out) {
  const std::string text = std::exchange(bracket_, {});
  std::string kept;
  for (std::size_t at = 1; at + 1 < text.size();) {
    if (text[at] < '0' || text[at] > '9') {
      ++at;
      continue;
    }
    std::size_t number = 0;
    // Past this it stands for nothing anyway; counting on would wrap round to something that does.
    for (; text[at] >= '0' && text[at] <= '9'; ++at)
      if (number <= passages_) number = number * 10 + static_cast<std::size_t>(text[at] - '0');
    if (number == 0 || number > passages_) continue;
    if (!kept.empty()) kept += ", ";
    kept += std::to_string(new_number(number));
  }
  out += kept.empty() ? text : "[" + kept + "]";
}

std::size_t CitationMarks::new_number(std::size_t number) {
  const auto place = number - 1;
  const auto known = std::ranges::find(cited_, place);
  const auto index = static_cast<std::size_t>(known - cited_.begin());
  if (known == cited_.end()) cited_.push_back(place);
  return index + 1;
}

}  // namespace parley::chat
