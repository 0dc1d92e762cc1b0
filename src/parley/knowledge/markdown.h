#pragma once

#include <string_view>

#include "parley/base/result.h"
#include "parley/knowledge/outline.h"

namespace parley::knowledge {

/// Adds the headings and blocks of Markdown (CommonMark with GitHub's tables, and admonitions) to an outline. `text` is
/// decoded and has lost its front matter.
Result<void> read_markdown(std::string_view text, Outline& outline);

}  // namespace parley::knowledge
