#pragma once

// For tests and fuzzing: runs the parser over the bytes of one connection.

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/http/request_parser.h"

namespace parley::http {

/// A request as the parser saw it, with where its bytes ended.
struct SeenRequest {
  RequestHead head;
  std::string body;
  std::size_t end = 0;  ///< offset in the stream of the first byte after it
};

struct SeenStream {
  std::vector<SeenRequest> requests;  ///< complete ones
  bool in_request = false;            ///< the stream ended inside one
  bool closed = false;                ///< ended by a request that does not keep the connection
  int refusal_status = 0;
  std::string refusal_reason;
};

/// `next_piece` says how many of the bytes left are fed at once (at least 1).
inline SeenStream run_parser(std::string_view bytes, const std::function<std::size_t(std::size_t)>& next_piece,
                             ParserLimits limits = {}) {
  SeenStream seen;
  RequestParser parser(limits);
  std::string body;
  std::size_t at = 0;
  while (at < bytes.size()) {
    auto piece = bytes.substr(at, std::clamp<std::size_t>(next_piece(bytes.size() - at), 1, bytes.size() - at));
    while (!piece.empty()) {
      const auto step = parser.feed(piece);
      at += step.consumed;
      piece.remove_prefix(step.consumed);
      if (step.event == RequestParser::Event::refused) {
        seen.refusal_status = parser.refusal_status();
        seen.refusal_reason = parser.refusal_reason();
        return seen;
      }
      body.append(step.body);
      if (!parser.is_complete()) continue;
      seen.requests.push_back({parser.head(), std::exchange(body, {}), at});
      if (!parser.wants_keep_alive()) {
        seen.closed = true;
        return seen;
      }
      parser.next_request();
    }
  }
  seen.in_request = parser.has_begun();
  return seen;
}

}  // namespace parley::http
