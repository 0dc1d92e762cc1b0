#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "parley/base/literal.h"
#include "parley/base/uuid.h"

namespace parley::log {

enum class Level : std::uint8_t { debug, info, warning, error };

/// One field of a log line. Only these kinds exist: numbers, ids, and text that stood in the program's source or that
/// an operator wrote. There is no constructor from std::string, so message text, tokens, headers and paths a client
/// chose cannot be logged by oversight; `operator_text` marks the one exception, errors of libraries, and is bounded.
class Field {
 public:
  // Templates, so that {"n", 3} is not ambiguous and {"why", "because"} is not a pointer taken for true.
  template <std::integral Number>
    requires(!std::same_as<Number, bool>)
  Field(Literal name, Number value) : name_(name), value_(clamp(value)) {}
  template <std::floating_point Number>
  Field(Literal name, Number value) : name_(name), value_(double{value}) {}
  template <std::same_as<bool> Flag>
  Field(Literal name, Flag value) : name_(name), value_(value) {}
  Field(Literal name, Literal value) : name_(name), value_(std::string(value.view())) {}
  template <class Tag>
  Field(Literal name, const Id<Tag>& id) : name_(name), value_(id.to_string()) {}

  /// Text for the operator: the detail of an error, a file name on this machine. Cut at 1,000 bytes, control characters
  /// escaped by the JSON encoding.
  static Field operator_text(Literal name, std::string_view text);

  std::string_view name() const { return name_; }
  const std::variant<std::int64_t, double, bool, std::string>& value() const { return value_; }

 private:
  template <class Number>
  static std::int64_t clamp(Number value) {
    constexpr auto max = std::numeric_limits<std::int64_t>::max();
    return std::cmp_greater(value, max) ? max : static_cast<std::int64_t>(value);
  }

  // A type of its own, or a literal could become either.
  struct OperatorText {
    std::string text;
  };
  Field(Literal name, OperatorText text) : name_(name), value_(std::move(text.text)) {}

  Literal name_;
  std::variant<std::int64_t, double, bool, std::string> value_;
};

/// Writes one JSON line: {"at":"…","level":"info","event":"request",…fields}. Safe from any thread; never blocks an
/// event loop for longer than copying the line; lines that a full queue drops are counted and the count is logged.
void write(Level level, Literal event, std::initializer_list<Field> fields);

/// Standard output by default (the server); standard error for commands, whose output is their answer.
enum class Sink { standard_output, standard_error, none };
void set_sink(Sink sink);
/// To an open descriptor, which must stay open until another sink is set: how a test reads what was logged.
void set_sink_descriptor(int descriptor);
void set_level(Level level);
/// Waits until everything written so far has been handed to the sink.
void flush();

}  // namespace parley::log
