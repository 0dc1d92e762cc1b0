#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

namespace parley::knowledge {

/// The part of a link behind '#' that GitHub makes from a heading: lowered, without punctuation, spaces as '-'.
/// "Why `C++`, & how?" gives "why-c--how". `heading` must be valid UTF-8.
std::string github_slug(std::string_view heading);

/// Anchors of one page. A second "Examples" is "examples-1", as on GitHub; ids that the author gave are kept as given.
class Anchors {
 public:
  std::string from_heading(std::string_view heading);
  std::string from_id(std::string_view id);

 private:
  std::unordered_map<std::string, int> seen_;
};

}  // namespace parley::knowledge
