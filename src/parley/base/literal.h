#pragma once

#include <string_view>

namespace parley {

/// Text that stood in the program's source. Nothing that arrived at run time can become one, so a `Literal` is safe to
/// show to anybody: it cannot carry a key, a path, a query or another tenant's words.
class Literal {
 public:
  consteval Literal(const char* text) : text_(text) {}  // NOLINT(google-explicit-constructor): reads as the text it is

  constexpr std::string_view view() const { return text_; }
  constexpr operator std::string_view() const { return text_; }  // NOLINT(google-explicit-constructor)

 private:
  std::string_view text_;
};

}  // namespace parley
