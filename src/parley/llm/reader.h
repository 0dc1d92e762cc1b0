#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "parley/llm/model.h"
#include "parley/llm/sse.h"

namespace parley::llm {

/// What one answer may take of our memory and of a listener's patience. A model that goes on for ever is cut.
inline constexpr std::size_t answer_text_bytes_max = 4 * 1024 * 1024;
/// A page of arguments for each of a handful of calls; more is a model gone astray.
inline constexpr std::size_t tool_calls_max = 64;
inline constexpr std::size_t tool_bytes_max = 512 * 1024;  ///< names and arguments of all calls together

/// The events of one provider's stream, turned into ours. Pure: no I/O, no clock.
class StreamReader {
 public:
  virtual ~StreamReader() = default;
  /// Takes one server-sent event. Appends what it means to `events`, and counts in `meter`. A failure ends the stream.
  virtual std::optional<Failure> take(std::string_view name, std::string_view data, Meter& meter,
                                      std::vector<Event>& events) = 0;
  /// The bytes have ended. A failure if the answer has not; else what was held back is appended.
  virtual std::optional<Failure> end(std::vector<Event>& events) = 0;
  /// Whether the provider has said that nothing follows.
  virtual bool done() const = 0;
  virtual Finish finish() const = 0;
};

/// A provider's bytes to events: the parser of frames before the reader of their contents.
class EventStream {
 public:
  EventStream(std::unique_ptr<StreamReader> reader, SseLimits limits = {})
      : reader_(std::move(reader)), parser_(limits) {}

  /// Any pieces of the stream give the same events. After a failure the stream is of no more use.
  std::optional<Failure> feed(std::string_view bytes, Meter& meter, std::vector<Event>& events);
  std::optional<Failure> end(std::vector<Event>& events) { return reader_->end(events); }
  bool done() const { return reader_->done(); }
  Finish finish() const { return reader_->finish(); }
  std::uint64_t lines() const { return parser_.lines(); }

 private:
  std::unique_ptr<StreamReader> reader_;
  SseParser parser_;
  std::size_t text_bytes_ = 0;
};

/// Tool calls whose parts arrive mixed.
class ToolCallBuilder {
 public:
  /// The call of this number, made if it is new. Null if there are too many.
  ToolCall* at(std::int64_t index);
  /// The call begun last; null without one.
  ToolCall* last() { return calls_.empty() ? nullptr : &calls_.back().call; }
  /// A number that no call has.
  std::int64_t next_index() const;
  /// Appends within the bound of all calls together. False beyond it.
  bool append(std::string& to, std::string_view text);
  bool empty() const { return calls_.empty(); }
  /// Hands the calls over in the order of their beginning. False if one has no name.
  bool finish(std::vector<Event>& events);

 private:
  struct Entry {
    std::int64_t index;
    ToolCall call;
  };
  std::vector<Entry> calls_;
  std::size_t bytes_ = 0;
};

// Fields of an object that somebody else wrote: absent and of another type are the same.
const boost::json::object* find_object(const boost::json::object& in, std::string_view name);
std::optional<std::string_view> find_text(const boost::json::object& in, std::string_view name);
std::optional<std::int64_t> find_number(const boost::json::object& in, std::string_view name);
/// A count of tokens, 0 to `usage_tokens_max`.
std::optional<std::int64_t> find_tokens(const boost::json::object& in, std::string_view name);

}  // namespace parley::llm
