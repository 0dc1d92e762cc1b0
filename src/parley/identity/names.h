#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"
#include "parley/evidence/principal.h"

namespace parley::identity {

/// One line that a terminal and a list can show as it is.
bool is_line_of_text(std::string_view text);

/// Of one key, member, visitor or issuer. More than these are a group of their own; together they keep a visitor's
/// token within a header's size.
inline constexpr std::size_t groups_held_max = 32;
inline constexpr std::size_t group_name_bytes_max = 64;

/// Names of groups as they are held: each once, sorted. `invalid_argument` for too many, an empty or long
/// one, or one that is not a line of text.
Result<std::vector<std::string>> checked_group_names(const std::vector<std::string>& names);

/// Those of `named` that `of` takes in.
std::vector<std::string> groups_within(const std::vector<std::string>& named, const ReadableGroups& of);

/// One on each line, as tables keep them; empty for none.
std::string lines_from(const std::vector<std::string>& lines);
std::vector<std::string> lines_of(std::string_view text);

}  // namespace parley::identity
