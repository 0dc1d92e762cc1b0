#pragma once

#include <cstdint>
#include <string_view>

#include "parley/llm/model.h"

namespace parley::llm {

// Every provider cuts text into tokens in its own way, and none of them is here. The estimate is the same everywhere
// and for ever, so that what fits today fits tomorrow; it errs to the side of too many.

/// In quarters of a token: letters, digits and blanks of ASCII one, its signs two, other letters two to eight by how
/// many bytes they take.
std::int64_t token_quarters(std::string_view text);
/// At least one for a text that is not empty.
std::int64_t estimate_tokens(std::string_view text);
/// With what each message costs beside its text.
std::int64_t estimate_tokens(const Message& message);
/// All of it, tools included.
std::int64_t estimate_tokens(const Request& request);

/// No tokeniser in use makes more tokens of a text than it has bytes. For what must not be too little: money.
std::int64_t tokens_max(const Request& request);

}  // namespace parley::llm
