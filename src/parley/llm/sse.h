#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace parley::llm {

struct SseLimits {
  /// One token's JSON is some hundred bytes; a whole tool call in one event may be some thousand.
  std::size_t event_bytes_max = 256 * 1024;  ///< name and data of one event, its line ends included
};

/// Server-sent events (WHATWG HTML, "event stream") out of bytes that arrive in any pieces. Lines may end in LF, CR LF
/// or CR; a byte order mark at the beginning is skipped; comments, ids and retry times are read past; an event that the
/// end of the stream cuts off is none. Memory is bounded by the limit, whatever arrives.
class SseParser {
 public:
  explicit SseParser(SseLimits limits = {}) : limits_(limits) {}

  struct SseEvent {
    std::string_view name;  ///< empty: a "message"
    std::string_view data;
  };
  enum class Status : std::uint8_t { need_more, event, too_large };
  struct Step {
    Status status = Status::need_more;
    std::size_t consumed = 0;
  };

  /// Reads up to the end of the first event: then `event()` holds it until the next call, and the rest is to be given
  /// again. After `too_large` the stream is of no more use.
  Step feed(std::string_view bytes);
  SseEvent event() const { return {name_, data_}; }
  /// How many lines have been read: whether the other side is alive, though it may have said nothing.
  std::uint64_t lines() const { return lines_; }

 private:
  bool take_line(std::string_view line);

  SseLimits limits_;
  std::string line_, name_, data_;
  std::uint64_t lines_ = 0;
  bool dispatched_ = false;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool failed_ = false;
};

}  // namespace parley::llm
