#pragma once

#include <string>
#include <string_view>

#include "parley/base/result.h"
#include "parley/knowledge/outline.h"

namespace parley::knowledge {

/// What a page's head says.
struct HtmlHead {
  std::string title;
  std::string description;
};

/// Adds the headings and blocks of a whole page, or of a piece of markup inside Markdown, to an outline.
enum class HtmlExtent { page, fragment };
Result<HtmlHead> read_html(std::string_view html, HtmlExtent extent, Outline& outline);

/// Text of markup that needs no tree: tags, comments, scripts and styles go, entities become characters, ends of blocks
/// become line ends. Linear in its input, whatever that is.
std::string strip_tags(std::string_view html);

/// The lower-cased name of the tag that begins at `html[0]` ('<'), with a '/' in front for an end tag; empty if no tag
/// begins there.
std::string tag_name(std::string_view html);
/// The value of an attribute inside the text of one tag, entities left as they are; empty if it is absent.
std::string_view tag_attribute(std::string_view tag, std::string_view name);
/// Whether HTML knows an element of this name: what is between angle brackets otherwise is a placeholder somebody
/// wrote.
bool is_html_element(std::string_view lower_name);

}  // namespace parley::knowledge
