#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <boost/json.hpp>

#include "parley/base/literal.h"
#include "parley/base/result.h"
#include "parley/base/secret.h"
#include "parley/base/uuid.h"

// Wire types: a struct and a table of its fields. From the one table come the parser, its limits and the schema in the
// API description, so they cannot disagree.
//
//   struct SearchQuery {
//     std::string q;
//     std::optional<std::string> filter_title;
//     static constexpr auto fields() {
//       return std::tuple{field("q", &SearchQuery::q, {.required = Required::yes, .length_max = 500, .doc = "words"}),
//                         field("filter_title", &SearchQuery::filter_title, {.length_max = 200, .doc = "…"})};
//     }
//   };

namespace parley::api {

enum class Required : bool { no, yes };

/// What a field must be. Lengths are in code points, as people count.
struct FieldRule {
  Required required = Required::no;
  std::size_t length_max = 0;  ///< for text, and each of a list of texts; a text field without one does not compile
  std::size_t count_max = 0;   ///< for a list; likewise
  Literal doc = "";
};

template <class Owner, class T>
struct Field {
  Literal name;
  T Owner::* member;
  FieldRule rule;
};

template <class Owner, class T>
consteval Field<Owner, T> field(Literal name, T Owner::* member, FieldRule rule) {
  constexpr bool is_text = std::is_same_v<T, std::string> || std::is_same_v<T, std::optional<std::string>> ||
                           std::is_same_v<T, Secret> || std::is_same_v<T, std::optional<Secret>>;
  constexpr bool is_list = std::is_same_v<T, std::vector<std::string>>;
  if ((is_text || is_list) && rule.length_max == 0) throw "a text field needs a length_max";
  if (is_list && rule.count_max == 0) throw "a list needs a count_max";
  return {name, member, rule};
}

namespace detail {

/// A list of wire types of their own.
template <class T>
concept WireStruct = requires { T::fields(); };
template <WireStruct T>
Result<void> read(const boost::json::value& from, const FieldRule& rule, Literal name, std::vector<T>& to);

Result<void> read(const boost::json::value& from, const FieldRule& rule, Literal name, std::string& to);
Result<void> read(const boost::json::value& from, const FieldRule& rule, Literal name, Secret& to);
Result<void> read(const boost::json::value& from, const FieldRule& rule, Literal name, bool& to);
Result<void> read(const boost::json::value& from, const FieldRule& rule, Literal name, std::vector<std::string>& to);
/// For what another module reads by itself; the limit on the body is all that holds for it here.
Result<void> read(const boost::json::value& from, const FieldRule& rule, Literal name, boost::json::object& to);
template <class Tag>
Result<void> read(const boost::json::value& from, const FieldRule&, Literal name, Id<Tag>& to) {
  const auto* text = from.if_string();
  const auto id = text ? Id<Tag>::parse(std::string_view(*text)) : std::nullopt;
  if (!id) return fail(Error(Code::invalid_argument, "must be a UUID").about(name));
  to = *id;
  return {};
}
template <class T>
Result<void> read(const boost::json::value& from, const FieldRule& rule, Literal name, std::optional<T>& to) {
  if (from.is_null()) return {};  // null and absent mean the same
  return read(from, rule, name, to.emplace());
}

boost::json::object schema_of(const FieldRule& rule, const std::string*);
template <WireStruct T>
boost::json::object schema_of(const FieldRule& rule, const std::vector<T>*);
boost::json::object schema_of(const FieldRule& rule, const Secret*);
boost::json::object schema_of(const FieldRule& rule, const bool*);
boost::json::object schema_of(const FieldRule& rule, const std::vector<std::string>*);
boost::json::object schema_of(const FieldRule& rule, const boost::json::object*);
template <class Tag>
boost::json::object schema_of(const FieldRule& rule, const Id<Tag>*) {
  return {{"type", "string"}, {"format", "uuid"}, {"description", rule.doc.view()}};
}
template <class T>
boost::json::object schema_of(const FieldRule& rule, const std::optional<T>*) {
  return schema_of(rule, static_cast<const T*>(nullptr));
}

}  // namespace detail

/// Reads a body. `invalid_argument` for an unknown field (it may be a misspelt limit or somebody else's id, so it is
/// not passed over), a missing one, a wrong type, or a text that is too long; the error names the field.
template <class Wire>
Result<Wire> read_wire(const boost::json::object& from) {
  Wire wire;
  std::size_t known = 0;
  Result<void> outcome;
  const auto each = [&](const auto& f) {
    if (!outcome) return;
    const auto* value = from.if_contains(f.name.view());
    if (value) ++known;
    if (!value || value->is_null()) {
      if (f.rule.required == Required::yes) outcome = fail(Error(Code::invalid_argument, "is required").about(f.name));
      return;
    }
    outcome = detail::read(*value, f.rule, f.name, wire.*f.member);
  };
  std::apply([&](const auto&... f) { (each(f), ...); }, Wire::fields());
  if (!outcome) return std::unexpected(std::move(outcome).error());
  if (known != from.size()) return fail(Code::invalid_argument, "an unknown field was sent");
  return wire;
}

namespace detail {

template <WireStruct T>
Result<void> read(const boost::json::value& from, const FieldRule& rule, Literal name, std::vector<T>& to) {
  const auto* list = from.if_array();
  if (!list) return fail(Error(Code::invalid_argument, "must be a list").about(name));
  if (list->size() > rule.count_max) return fail(Error(Code::invalid_argument, "has too many entries").about(name));
  for (const auto& value : *list) {
    const auto* object = value.if_object();
    if (!object) return fail(Error(Code::invalid_argument, "must be a list of objects").about(name));
    to.push_back(PARLEY_TRY(read_wire<T>(*object)));
  }
  return {};
}

}  // namespace detail

/// Whether this is the type of a JSON body: application/json in any case, with parameters or without. Everything else
/// is refused, in particular what another site can make a browser send without asking first.
bool is_json_type(std::optional<std::string_view> content_type);

/// Reads a query string into the same kind of type: every field is text. A name sent twice is refused.
Result<boost::json::object> query_to_object(std::string_view query);

/// JSON Schema of a wire type.
template <class Wire>
boost::json::object schema() {
  boost::json::object properties;
  boost::json::array required;
  const auto each = [&]<class Owner, class T>(const Field<Owner, T>& f) {
    properties[f.name.view()] = detail::schema_of(f.rule, static_cast<const T*>(nullptr));
    if (f.rule.required == Required::yes) required.emplace_back(f.name.view());
  };
  std::apply([&](const auto&... f) { (each(f), ...); }, Wire::fields());
  boost::json::object result{
      {"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
  if (!required.empty()) result["required"] = std::move(required);
  return result;
}

namespace detail {

template <WireStruct T>
boost::json::object schema_of(const FieldRule& rule, const std::vector<T>*) {
  return {{"type", "array"}, {"maxItems", rule.count_max}, {"description", rule.doc.view()}, {"items", schema<T>()}};
}

}  // namespace detail

/// For an action that takes nothing.
struct NoInput {
  static constexpr auto fields() { return std::tuple{}; }
};

}  // namespace parley::api
