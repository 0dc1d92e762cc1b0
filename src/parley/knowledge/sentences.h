#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace parley::knowledge {

/// Splits prose into sentences: views into `text`, in order, without the white space between them. Does not split at
/// abbreviations ("e.g.", "Dr.", "U.S."), decimals, dotted names ("config.toml"), initials, or inside brackets and
/// back-quoted code. A sentence is never longer than `sentence_bytes_max`: text without full stops is cut at white
/// space.
std::vector<std::string_view> split_sentences(std::string_view text);

inline constexpr std::size_t sentence_bytes_max = 1'000;

}  // namespace parley::knowledge
