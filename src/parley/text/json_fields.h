#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "parley/base/result.h"

namespace parley::text {

/// A field's name as a template argument, so that an error can name the field and still be literal text.
template <std::size_t N>
struct FieldName {
  char text[N]{};
  consteval FieldName(const char (&name)[N]) { std::copy_n(name, N, text); }  // NOLINT(google-explicit-constructor)
  constexpr std::string_view view() const { return {text, N - 1}; }
};

namespace detail {
template <FieldName name, FieldName problem>
struct FieldMessage {
  static constexpr auto text = [] {
    std::array<char, name.view().size() + problem.view().size() + 3> out{};
    auto* at = std::copy(name.view().begin(), name.view().end(), out.data());
    at = std::copy_n(": ", 2, at);
    std::copy(problem.view().begin(), problem.view().end(), at);
    return out;
  }();
};
}  // namespace detail

struct StringLimits {
  std::size_t code_points_max;      ///< no default: every text has a limit somebody thought about
  std::size_t code_points_min = 0;  ///< 1 where an empty text makes no sense
};

struct IntRange {
  std::int64_t min;
  std::int64_t max;
};

/// Typed access to the fields of a JSON object from outside. Each accessor checks one field; `finish` tells of fields
/// nobody asked for. Every refusal is `invalid_argument` with a literal reason such as "query: is required".
///
///     auto fields = PARLEY_TRY(JsonFields::of(value));
///     auto query  = PARLEY_TRY(fields.required_string<"query">({.code_points_max = 2'000, .code_points_min = 1}));
///     auto limit  = PARLEY_TRY(fields.optional_int<"limit">({1, 50}));
///     PARLEY_TRY(fields.finish());
///
/// An optional field that is null counts as absent. Strings that hold U+0000 are refused: PostgreSQL cannot store it
/// and C libraries end there. The value must outlive this object.
class JsonFields {
 public:
  static Result<JsonFields> of(const boost::json::value& value) {
    const auto* object = value.if_object();
    if (!object) return fail(Code::invalid_argument, "a JSON object is expected");
    return JsonFields(*object);
  }

  template <FieldName name>
  Result<std::string> required_string(StringLimits limits) {
    return required<name>(optional_string<name>(limits));
  }
  template <FieldName name>
  Result<std::optional<std::string>> optional_string(StringLimits limits) {
    const auto* value = find(name.view());
    if (!value) return std::nullopt;
    const auto* text = value->if_string();
    if (!text) return refuse<name, "must be a string">();
    switch (check(std::string_view(text->data(), text->size()), limits)) {
      case StringProblem::none: return std::string(text->data(), text->size());
      case StringProblem::too_long: return refuse<name, "is too long">();
      case StringProblem::too_short: return refuse<name, "must not be empty">();
      case StringProblem::zero_character: return refuse<name, "holds a zero character">();
    }
    return refuse<name, "must be a string">();
  }

  template <FieldName name>
  Result<bool> required_bool() {
    return required<name>(optional_bool<name>());
  }
  template <FieldName name>
  Result<std::optional<bool>> optional_bool() {
    const auto* value = find(name.view());
    if (!value) return std::nullopt;
    const auto* flag = value->if_bool();
    if (!flag) return refuse<name, "must be true or false">();
    return *flag;
  }

  template <FieldName name>
  Result<std::int64_t> required_int(IntRange range) {
    return required<name>(optional_int<name>(range));
  }
  template <FieldName name>
  Result<std::optional<std::int64_t>> optional_int(IntRange range) {
    const auto* value = find(name.view());
    if (!value) return std::nullopt;
    if (value->is_uint64()) return refuse<name, "is out of range">();  // Boost keeps one only beyond int64
    const auto* number = value->if_int64();
    if (!number) return refuse<name, "must be a whole number">();
    if (*number < range.min || *number > range.max) return refuse<name, "is out of range">();
    return *number;
  }

  /// For a number that need not be whole; always finite.
  template <FieldName name>
  Result<std::optional<double>> optional_number(double min, double max) {
    const auto* value = find(name.view());
    if (!value) return std::nullopt;
    if (!value->is_number()) return refuse<name, "must be a number">();
    const auto number = value->template to_number<double>();
    if (number < min || number > max) return refuse<name, "is out of range">();
    return number;
  }

  /// Never null in the result.
  template <FieldName name>
  Result<const boost::json::array*> required_array(std::size_t items_max) {
    return required<name>(optional_array<name>(items_max));
  }
  template <FieldName name>
  Result<std::optional<const boost::json::array*>> optional_array(std::size_t items_max) {
    const auto* value = find(name.view());
    if (!value) return std::nullopt;
    const auto* array = value->if_array();
    if (!array) return refuse<name, "must be an array">();
    if (array->size() > items_max) return refuse<name, "has too many items">();
    return array;
  }

  template <FieldName name>
  Result<JsonFields> required_object() {
    return required<name>(optional_object<name>());
  }
  template <FieldName name>
  Result<std::optional<JsonFields>> optional_object() {
    const auto* value = find(name.view());
    if (!value) return std::nullopt;
    const auto* object = value->if_object();
    if (!object) return refuse<name, "must be an object">();
    return JsonFields(*object);
  }

  /// The field as it is, for what has a shape of its own; none when absent or null.
  template <FieldName name>
  const boost::json::value* optional_value() {
    return find(name.view());
  }

  /// Refuses fields that no accessor was called for: a misspelt option must not be taken for an absent one. The names
  /// are in the detail alone, as the client chose them.
  Result<> finish() const;
  /// The same names, for an API that must ignore what it does not know (OpenAI's clients send new fields every month).
  std::vector<std::string> unknown() const;

 private:
  enum class StringProblem { none, too_long, too_short, zero_character };

  explicit JsonFields(const boost::json::object& object) : object_(&object) {}

  const boost::json::value* find(std::string_view name);
  static StringProblem check(std::string_view text, StringLimits limits);

  template <FieldName name, FieldName problem>
  static std::unexpected<Error> refuse() {
    return fail(Code::invalid_argument, Literal(detail::FieldMessage<name, problem>::text.data()));
  }
  template <FieldName name, class T>
  static Result<T> required(Result<std::optional<T>> found) {
    if (!found) return std::unexpected(std::move(found).error());
    if (!*found) return refuse<name, "is required">();
    return std::move(**found);
  }

  const boost::json::object* object_;
  std::vector<std::string_view> asked_;  ///< names of accessors called: literals, so views suffice
};

}  // namespace parley::text
