// Any tearing of a stream gives the same events, and what the parser holds stays within its bound.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parley/llm/sse.h"

namespace {

using parley::llm::SseParser;

constexpr std::size_t event_bytes_max = 200;

struct Seen {
  std::vector<std::pair<std::string, std::string>> events;
  bool too_large = false;
  bool operator==(const Seen&) const = default;
};

Seen read(std::string_view bytes, std::size_t piece) {
  SseParser parser({.event_bytes_max = event_bytes_max});
  Seen seen;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    auto rest = bytes.substr(at, piece);
    while (!rest.empty()) {
      const auto step = parser.feed(rest);
      if (step.consumed == 0 || step.consumed > rest.size()) {
        if (step.status != SseParser::Status::too_large) std::abort();
      }
      if (step.status == SseParser::Status::too_large) {
        seen.too_large = true;
        return seen;
      }
      rest.remove_prefix(step.consumed);
      if (step.status != SseParser::Status::event) continue;
      const auto event = parser.event();
      if (event.name.size() + event.data.size() > event_bytes_max) std::abort();
      seen.events.emplace_back(event.name, event.data);
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes =
      size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data), size);
  const auto whole = read(bytes, bytes.size() + 1);
  for (const std::size_t piece : {1, 2, 5}) {
    const auto torn = read(bytes, piece);
    if (!(torn == whole)) std::abort();
  }
  return 0;
}
