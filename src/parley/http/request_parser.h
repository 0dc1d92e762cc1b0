#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "parley/base/literal.h"
#include "parley/http/message.h"

namespace parley::http {

struct ParserLimits {
  std::size_t header_bytes_max = 16 * 1024;  ///< request line and headers: 431
  std::size_t target_bytes_max = 8 * 1024;   ///< 414
  std::size_t headers_max = 100;             ///< 431
};

/// Bytes to requests, without a socket. Written by hand rather than over Beast's parser, which takes bare LF, folded
/// headers and absolute targets: two readers of one byte stream that disagree on where a request ends is how requests
/// are smuggled past a proxy, so here there is one framing or a refusal.
///
/// What it accepts is a deterministic function of the bytes: feeding them in other pieces gives the same events.
///
///     parser.feed(bytes) -> head -> (body ...) -> complete, then parser.next_request()
class RequestParser {
 public:
  explicit RequestParser(ParserLimits limits) : limits_(limits) {}

  enum class Event : std::uint8_t {
    need_more,  ///< all bytes were consumed
    head,       ///< head() is valid; a body may follow
    body,       ///< `Step::body` is a piece of it
    complete,   ///< the request has ended; bytes after it belong to the next
    refused,    ///< refusal_status(); nothing after it can be understood
  };
  struct Step {
    Event event;
    std::size_t consumed;   ///< of the bytes given
    std::string_view body;  ///< points into the bytes given
  };

  /// Takes bytes up to the next event. After `complete` or `refused` it takes nothing more.
  Step feed(std::string_view bytes);

  /// After `complete`: ready for the next request on the connection.
  void next_request();
  /// Gives back memory kept for the next request.
  void shrink();

  const RequestHead& head() const { return head_; }
  RequestHead& head() { return head_; }

  bool has_begun() const { return head_bytes_ > 0 || !line_.empty(); }  ///< a byte of this request has arrived
  bool is_complete() const { return state_ == State::complete; }
  bool is_http_1_0() const { return http_1_0_; }
  bool is_chunked() const { return chunked_; }
  bool wants_keep_alive() const { return http_1_0_ ? keep_alive_named_ && !close_named_ : !close_named_; }
  bool asks_for_upgrade() const { return upgrade_named_ && !http_1_0_; }
  bool expects_continue() const { return expects_continue_ && !http_1_0_; }
  std::uint64_t body_bytes_left() const { return body_left_; }  ///< of a declared length, or of the current chunk

  int refusal_status() const { return refusal_status_; }
  std::string_view refusal_reason() const { return refusal_reason_; }  ///< literal text, for logs and tests

 private:
  enum class State : std::uint8_t {
    request_line,
    headers,
    fixed_body,
    chunk_size,
    chunk_data,
    chunk_end,
    last_line,
    complete,
    refused
  };

  bool refuse(int status, Literal reason);
  bool parse_request_line(std::string_view line);
  bool parse_header_line(std::string_view line);
  bool finish_head();
  bool note_connection(std::string_view value);
  bool parse_chunk_size(std::string_view line);
  std::size_t line_bytes_max() const;
  bool refuse_long_line();

  ParserLimits limits_;
  State state_ = State::request_line;
  bool http_1_0_ = false;
  bool chunked_ = false;
  bool close_named_ = false;
  bool keep_alive_named_ = false;
  bool upgrade_named_ = false;
  bool expects_continue_ = false;
  bool empty_line_skipped_ = false;
  std::uint16_t single_seen_ = 0;
  int refusal_status_ = 0;
  std::string_view refusal_reason_;
  std::size_t head_bytes_ = 0;
  std::uint64_t body_left_ = 0;
  std::string line_;  ///< the beginning of a line whose end has not arrived
  RequestHead head_;
};

}  // namespace parley::http
