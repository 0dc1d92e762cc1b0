#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace parley {

/// Where a piece of text came from. Kept with the text, because what it may do depends on it.
enum class Origin { user, passage, page, tool_result };

/// Text that somebody else wrote: a question, a passage, a page, what a tool answered. It has no conversion to
/// std::string and no formatter, so it cannot be appended to a prompt, a query or a log line by oversight; the places
/// that may use it call `quote_with` (which frames it) or `reveal` (which a reviewer can search for).
template <class Text = std::string>
class Untrusted {
 public:
  Untrusted(Text text, Origin origin) : text_(std::move(text)), origin_(origin) {}

  Origin origin() const { return origin_; }
  bool empty() const { return std::string_view(text_).empty(); }

  /// The bare text. For storing it, matching on it, or showing it to the person it came from.
  const Text& reveal() const { return text_; }

  /// Hands the text and its origin to something that frames it so that it cannot end its own quotation.
  template <class Quote>
  auto quote_with(Quote&& quote) const {
    return std::forward<Quote>(quote)(std::string_view(text_), origin_);
  }

 private:
  Text text_;
  Origin origin_;
};

}  // namespace parley
