#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace parley::knowledge {

/// What a page says about itself in its head. Empty where it says nothing.
struct PageFacts {
  std::string title;
  std::string address;  ///< `slug`, `permalink` or `url`: where the site puts this page, relative to its root
  std::string description;
  std::vector<std::string> keywords;
  std::optional<double> boost;      ///< `biel:boost_score`
  std::vector<std::string> groups;  ///< who may read it; knowledge/groups.h
  /// `groups` stands there in a form that is not read: the page must not be taken for one that everybody may read.
  bool groups_unreadable = false;
};

/// Takes the front matter (YAML between `---` lines, TOML between `+++` lines) off the front of `text`, which moves
/// behind it. Reads the plain forms that documentation uses: `key: value`, quoted values, `[a, b]` and `- a` lists,
/// folded texts. What is written otherwise is skipped, never an error: a page is worth reading without its head. Only
/// `groups` is not skipped.
PageFacts take_front_matter(std::string_view& text);

}  // namespace parley::knowledge
