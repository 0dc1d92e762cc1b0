#include "parley/text/json.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value_stack.hpp>

namespace parley::text {
namespace {

namespace json = boost::json;
using JsonError = json::error_code;

/// Builds the value as json::parser does, and beyond that counts names and reads numbers exactly.
struct Builder {
  static constexpr std::size_t max_object_size = json::object::max_size();
  static constexpr std::size_t max_array_size = json::array::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();

  json::value_stack stack;
  std::size_t names = 0;  ///< of all objects, repeated ones included
  std::string number;     ///< the beginning of a number that came in parts
  bool number_out_of_range = false;

  // The calls that grow the stack may throw bad_alloc, which parse_json catches.
  bool on_document_begin(JsonError&) { return true; }
  bool on_document_end(JsonError&) { return true; }
  bool on_object_begin(JsonError&) { return true; }
  bool on_object_end(std::size_t n, JsonError&) {
    stack.push_object(n);
    return true;
  }
  bool on_array_begin(JsonError&) { return true; }
  bool on_array_end(std::size_t n, JsonError&) {
    stack.push_array(n);
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, JsonError&) {
    stack.push_chars(part);
    return true;
  }
  bool on_key(json::string_view part, std::size_t, JsonError&) {
    ++names;
    stack.push_key(part);
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, JsonError&) {
    stack.push_chars(part);
    return true;
  }
  bool on_string(json::string_view part, std::size_t, JsonError&) {
    stack.push_string(part);
    return true;
  }
  bool on_number_part(json::string_view part, JsonError&) {
    number.append(part.data(), part.size());
    return true;
  }
  bool on_int64(std::int64_t value, json::string_view, JsonError&) {
    number.clear();
    stack.push_int64(value);
    return true;
  }
  bool on_uint64(std::uint64_t value, json::string_view, JsonError&) {
    number.clear();
    stack.push_uint64(value);
    return true;
  }
  bool on_double(double, json::string_view part, JsonError& error) {
    // Boost 1.81 rounds some doubles to a neighbour of the right one; then a number would change each time it is stored
    // and read again.
    number.append(part.data(), part.size());
    double exact = 0;
    const auto read = std::from_chars(number.data(), number.data() + number.size(), exact);
    // from_chars reports underflow as it does overflow; a number too small to tell from nought is nought.
    if (read.ec == std::errc::result_out_of_range && !is_tiny(number)) {
      number_out_of_range = true;
      error = json::error::exponent_overflow;
      return false;
    }
    if (read.ec == std::errc::result_out_of_range) exact = 0;
    number.clear();
    stack.push_double(exact);
    return true;
  }
  bool on_bool(bool value, JsonError&) {
    stack.push_bool(value);
    return true;
  }
  bool on_null(JsonError&) {
    stack.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, JsonError&) { return true; }
  bool on_comment(json::string_view, JsonError&) { return true; }

  /// For a number outside a double's range: whether it is too small rather than too large. The exponent alone does not
  /// tell (a long mantissa outweighs it), so the digits before the point are counted in.
  static bool is_tiny(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    const auto exponent_at = text.find_first_of("eE");
    auto mantissa = text.substr(0, exponent_at);
    long long exponent = 0;
    if (exponent_at != std::string_view::npos) {
      auto digits = text.substr(exponent_at + 1);
      const bool negative = digits.starts_with('-');
      if (negative || digits.starts_with('+')) digits.remove_prefix(1);
      for (const char c : digits) {
        if (exponent < 1'000'000'000'000) exponent = exponent * 10 + (c - '0');
      }
      if (negative) exponent = -exponent;
    }
    const auto point = mantissa.find('.');
    const auto whole = mantissa.substr(0, point);
    if (whole != "0") return exponent + static_cast<long long>(whole.size()) < 0;
    const auto fraction = point == std::string_view::npos ? std::string_view() : mantissa.substr(point + 1);
    const auto zeros = fraction.find_first_not_of('0');
    if (zeros == std::string_view::npos) return true;  // nought with any exponent
    return exponent - static_cast<long long>(zeros) < 0;
  }
};

/// Names actually kept. No deeper than the parser's depth limit.
std::size_t count_names(const json::value& value) {
  std::size_t names = 0;
  if (const auto* object = value.if_object()) {
    names += object->size();
    for (const auto& member : *object) names += count_names(member.value());
  } else if (const auto* array = value.if_array()) {
    for (const auto& item : *array) names += count_names(item);
  }
  return names;
}

std::unexpected<Error> failure_of(const JsonError& error, std::size_t at, bool number_out_of_range) {
  auto detail = fmt::format("{} at byte {}", error.message(), at);
  if (number_out_of_range)
    return fail(Code::invalid_argument, "a number in the JSON is out of range", std::move(detail));
  if (error == json::error::too_deep) {
    return fail(Code::invalid_argument, "the JSON is nested too deeply", std::move(detail));
  }
  return fail(Code::invalid_argument, "malformed JSON", std::move(detail));
}

}  // namespace

Result<json::value> parse_json(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.bytes_max) return fail(Code::too_large, "the JSON is too large");
  try {
    json::parse_options options;
    options.max_depth = limits.depth_max;
    json::basic_parser<Builder> parser(options);
    auto& builder = parser.handler();
    builder.stack.reset();
    JsonError error;
    const auto read = parser.write_some(false, text.data(), text.size(), error);
    if (!error && read < text.size()) error = json::error::extra_data;
    if (error) return failure_of(error, read, builder.number_out_of_range);
    auto value = builder.stack.release();
    // Which of two equal names counts differs from reader to reader: a check would see one and the use the other.
    if (builder.names != count_names(value)) {
      return fail(Code::invalid_argument, "a name is repeated in a JSON object");
    }
    return value;
  } catch (const std::exception& failure) {
    return fail(Code::internal, "the JSON could not be read", failure.what());
  }
}

}  // namespace parley::text
