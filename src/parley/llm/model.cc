#include "parley/llm/model.h"

#include <algorithm>
#include <utility>

namespace parley::llm {

Literal name(Failure failure) {
  switch (failure) {
    case Failure::address_refused: return "address_refused";
    case Failure::unreachable: return "unreachable";
    case Failure::timed_out: return "timed_out";
    case Failure::key_missing: return "key_missing";
    case Failure::key_refused: return "key_refused";
    case Failure::rate_limited: return "rate_limited";
    case Failure::overloaded: return "overloaded";
    case Failure::provider_broken: return "provider_broken";
    case Failure::request_refused: return "request_refused";
    case Failure::too_long: return "too_long";
    case Failure::bad_answer: return "bad_answer";
    case Failure::interrupted: return "interrupted";
    case Failure::circuit_open: return "circuit_open";
    case Failure::listener_failed: return "listener_failed";
    case Failure::cancelled: return "cancelled";
  }
  std::unreachable();
}

Literal name(Finish finish) {
  switch (finish) {
    case Finish::stop: return "stop";
    case Finish::length: return "length";
    case Finish::tool_calls: return "tool_calls";
    case Finish::withheld: return "withheld";
  }
  std::unreachable();
}

Usage Meter::payable() const {
  if (reported) return usage;
  if (!accepted) return {};
  // Whatever is known of a count that never came: at least what arrived was made, and the question was read.
  return {.input = std::max(usage.input, input_tokens_guess),
          .cached_input = usage.cached_input,
          .output = std::max(usage.output, (output_quarters + 3) / 4)};
}

Micros cost_of(const Usage& usage, const Prices& prices) {
  const auto tokens = [](std::int64_t count) { return std::clamp<std::int64_t>(count, 0, usage_tokens_max); };
  const auto price = [](Micros amount) { return std::clamp<Micros>(amount, 0, price_max); };
  const auto input = tokens(usage.input);
  const auto cached = std::min(tokens(usage.cached_input), input);
  const auto sum = (input - cached) * price(prices.input) + cached * price(prices.cached_input) +
                   tokens(usage.output) * price(prices.output);
  constexpr std::int64_t million = 1'000'000;
  return sum / million + (sum % million != 0 ? 1 : 0);
}

}  // namespace parley::llm
