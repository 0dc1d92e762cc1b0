#pragma once

// For the fuzz targets of the stream readers.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <vector>

#include "parley/llm/upstream.h"

namespace parley::llm {

inline void require_stream_properties(const Protocol& protocol, std::string_view bytes) {
  struct Seen {
    std::vector<Event> events;
    std::optional<Failure> failure;
    Finish finish = Finish::stop;
    Usage usage;
    bool operator==(const Seen&) const = default;
  };
  const auto read = [&](std::size_t piece) {
    EventStream stream(protocol.reader(), {.event_bytes_max = 4'096});
    Meter meter;
    Seen seen;
    for (std::size_t at = 0; at < bytes.size() && !seen.failure; at += piece)
      seen.failure = stream.feed(bytes.substr(at, piece), meter, seen.events);
    if (!seen.failure) seen.failure = stream.end(seen.events);
    seen.finish = stream.finish();
    seen.usage = meter.usage;
    return seen;
  };
  const auto require = [](bool holds) {
    if (!holds) std::abort();
  };
  const auto whole = read(bytes.size() + 1);
  for (const std::size_t piece : {1, 3, 16}) require(read(piece) == whole);

  std::size_t text = 0, calls = 0;
  for (const auto& event : whole.events) {
    if (const auto* delta = std::get_if<TextDelta>(&event)) {
      text += delta->text.size();
    } else {
      ++calls;
      require(!std::get<ToolCall>(event).name.empty());
    }
  }
  // An escape of six bytes becomes three at most.
  require(text <= bytes.size());
  require(calls <= tool_calls_max);
  require(whole.usage.input >= 0 && whole.usage.input <= usage_tokens_max);
  require(whole.usage.output >= 0 && whole.usage.output <= usage_tokens_max);
}

}  // namespace parley::llm
