#pragma once

#include <cstdint>

#include "parley/kv/store.h"

namespace parley::llm {

using kv::Micros;

/// Tokens of one call.
struct Usage {
  std::int64_t input = 0;         ///< all of it, cached ones included
  std::int64_t cached_input = 0;  ///< of it, what the provider had kept and charges less for
  std::int64_t output = 0;        ///< thinking included

  bool operator==(const Usage&) const = default;
};

/// Beyond this no provider's count is believed.
inline constexpr std::int64_t usage_tokens_max = 100'000'000;
/// Ten thousand units for a million tokens: with the bound above, sums of three products stay exact.
inline constexpr Micros price_max = 10'000'000'000;

/// What a million tokens cost.
struct Prices {
  Micros input = 0;
  Micros cached_input = 0;
  Micros output = 0;
};

/// Rounded up to a whole micro, once for the sum. Counts out of range are taken as the nearest in range.
Micros cost_of(const Usage& usage, const Prices& prices);

}  // namespace parley::llm
