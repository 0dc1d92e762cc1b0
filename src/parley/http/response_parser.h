#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace parley::http {

struct ResponseHead {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case; as untrusted as the body
  bool keep_alive = false;                                   ///< as far as the head says

  /// The value of the only header of that (lower-case) name. None if absent or sent twice.
  std::optional<std::string_view> header(std::string_view name) const;
};

struct ResponseLimits {
  /// Providers send a few KB of rate counts and cookies; far more is an attack on memory.
  std::size_t head_bytes_max = 32 * 1024;
  std::size_t headers_max = 128;
};

/// The answer to one request that has a body or may have one (so not to HEAD), read as its bytes arrive in any pieces.
/// Strict where readers differ: lines end in CR LF, a length and a chunked body exclude each other, a length is said
/// once, names and values hold what RFC 9110 lets them hold. Interim answers (1xx) are skipped.
class ResponseParser {
 public:
  enum class Event : std::uint8_t {
    need_more,  ///< everything given was taken
    head,       ///< `head()` is complete; give the rest again
    body,       ///< `Step::body` is the next piece; give the rest again
    end,        ///< the answer is over; what was not consumed is not part of it
    refused,    ///< not an answer; the connection is of no more use
  };
  struct Step {
    Event event = Event::need_more;
    std::size_t consumed = 0;
    std::string_view body = {};
  };

  explicit ResponseParser(ResponseLimits limits = {}) : limits_(limits) {}

  Step feed(std::string_view bytes);
  /// The other side has closed. Whether the answer is whole: its body had no other end.
  bool close();

  const ResponseHead& head() const { return head_; }
  bool is_complete() const { return state_ == State::complete; }
  /// Whether the connection can carry another request: the answer is whole and said so itself.
  bool may_continue() const { return is_complete() && head_.keep_alive && framing_ != Framing::until_close; }

 private:
  enum class State : std::uint8_t {
    head,
    length,
    chunk_size,
    chunk,
    chunk_end,
    trailer,
    until_close,
    complete,
    failed
  };
  enum class Framing : std::uint8_t { none, length, chunked, until_close };

  Step feed_head(std::string_view bytes);
  bool read_head();
  bool read_field(std::string_view line);
  bool choose_framing();
  /// Appends to the line that is being collected. True once it is whole (in `line_`, without its end).
  bool collect_line(std::string_view bytes, std::size_t& consumed);
  Step refuse();

  ResponseLimits limits_;
  ResponseHead head_;
  State state_ = State::head;
  Framing framing_ = Framing::none;
  bool http_1_0_ = false;
  int interim_answers_ = 0;
  std::uint64_t left_ = 0;  ///< of the body, or of the chunk
  std::size_t trailer_bytes_ = 0;
  std::string line_;
  std::string head_text_;
};

}  // namespace parley::http
