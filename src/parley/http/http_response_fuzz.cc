// However an answer's bytes are torn, the same head, body and end come out; and the body is never longer than what was
// given.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "parley/http/response_parser.h"

namespace {

using parley::http::ResponseParser;

struct Seen {
  int status = 0;
  std::string body;
  bool refused = false;
  bool complete = false;
  bool may_continue = false;
  bool operator==(const Seen&) const = default;
};

Seen read(std::string_view bytes, std::size_t piece) {
  ResponseParser parser({.head_bytes_max = 300, .headers_max = 8});
  Seen seen;
  bool head_seen = false;
  for (std::size_t at = 0; at < bytes.size() && !seen.refused && !parser.is_complete(); at += piece) {
    auto rest = bytes.substr(at, piece);
    while (true) {
      const auto step = parser.feed(rest);
      if (step.consumed > rest.size()) std::abort();
      rest.remove_prefix(step.consumed);
      seen.body += step.body;
      if (step.event == ResponseParser::Event::refused) seen.refused = true;
      if (step.event == ResponseParser::Event::head) {
        if (head_seen) std::abort();
        head_seen = true;
      }
      if (step.event != ResponseParser::Event::head && step.event != ResponseParser::Event::body) break;
    }
  }
  seen.complete = parser.close();
  if (head_seen) seen.status = parser.head().status;
  seen.may_continue = parser.may_continue();
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes =
      size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data), size);
  const Seen whole = read(bytes, bytes.size() + 1);
  if (whole.body.size() > size) std::abort();
  for (const std::size_t piece : {1, 2, 7}) {
    const Seen torn = read(bytes, piece);
    if (!(torn == whole)) std::abort();
  }
  return 0;
}
