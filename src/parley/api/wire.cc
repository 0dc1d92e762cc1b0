#include "parley/api/wire.h"

#include <algorithm>

#include "parley/text/percent.h"
#include "parley/text/utf8.h"

namespace parley::api {
namespace detail {

Result<void> read(const boost::json::value& from, const FieldRule& rule, Literal name, std::string& to) {
  const auto* value = from.if_string();
  if (!value) return fail(Error(Code::invalid_argument, "must be text").about(name));
  if (rule.required == Required::yes && value->empty())
    return fail(Error(Code::invalid_argument, "must not be empty").about(name));
  // Legal in JSON, but PostgreSQL stores no text with one, and other readers end a text there.
  if (value->find('\0') != boost::json::string::npos)
    return fail(Error(Code::invalid_argument, "must not hold a NUL character").about(name));
  // Bytes first: a text of more than four bytes for each allowed code point is too long without counting.
  if (value->size() > rule.length_max * 4 || text::length_in_code_points(*value) > rule.length_max)
    return fail(Error(Code::invalid_argument, "is too long").about(name));
  to.assign(value->begin(), value->end());
  return {};
}

Result<void> read(const boost::json::value& from, const FieldRule& rule, Literal name, Secret& to) {
  std::string text;
  PARLEY_TRY(read(from, rule, name, text));
  to = Secret(std::move(text));
  return {};
}

Result<void> read(const boost::json::value& from, const FieldRule&, Literal name, bool& to) {
  const auto* value = from.if_bool();
  if (!value) return fail(Error(Code::invalid_argument, "must be true or false").about(name));
  to = *value;
  return {};
}

Result<void> read(const boost::json::value& from, const FieldRule& rule, Literal name, std::vector<std::string>& to) {
  const auto* values = from.if_array();
  if (!values) return fail(Error(Code::invalid_argument, "must be a list of texts").about(name));
  if (values->empty() && rule.required == Required::yes)
    return fail(Error(Code::invalid_argument, "must not be empty").about(name));
  if (values->size() > rule.count_max) return fail(Error(Code::invalid_argument, "has too many items").about(name));
  const FieldRule each{.required = Required::yes, .length_max = rule.length_max};
  for (const auto& value : *values) PARLEY_TRY(read(value, each, name, to.emplace_back()));
  return {};
}

Result<void> read(const boost::json::value& from, const FieldRule&, Literal name, boost::json::object& to) {
  const auto* object = from.if_object();
  if (!object) return fail(Error(Code::invalid_argument, "must be an object").about(name));
  to = *object;
  return {};
}

boost::json::object schema_of(const FieldRule& rule, const std::string*) {
  return {{"type", "string"}, {"maxLength", rule.length_max}, {"description", rule.doc.view()}};
}

boost::json::object schema_of(const FieldRule& rule, const Secret*) {
  return {{"type", "string"}, {"format", "password"}, {"maxLength", rule.length_max}, {"description", rule.doc.view()}};
}

boost::json::object schema_of(const FieldRule& rule, const boost::json::object*) {
  return {{"type", "object"}, {"description", rule.doc.view()}};
}

boost::json::object schema_of(const FieldRule& rule, const bool*) {
  return {{"type", "boolean"}, {"description", rule.doc.view()}};
}

boost::json::object schema_of(const FieldRule& rule, const std::vector<std::string>*) {
  return {{"type", "array"},
          {"items", {{"type", "string"}, {"maxLength", rule.length_max}}},
          {"maxItems", rule.count_max},
          {"description", rule.doc.view()}};
}

}  // namespace detail

bool is_json_type(std::optional<std::string_view> content_type) {
  if (!content_type) return false;
  std::string_view essence = content_type->substr(0, content_type->find(';'));
  while (essence.ends_with(' ') || essence.ends_with('\t')) essence.remove_suffix(1);
  constexpr std::string_view json = "application/json";
  return std::ranges::equal(essence, json,
                            [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b; });
}

Result<boost::json::object> query_to_object(std::string_view query) {
  boost::json::object object;
  const auto parameters = PARLEY_TRY(text::parse_query(query));
  for (const auto& [name, value] : parameters) {
    if (object.contains(name)) return fail(Code::invalid_argument, "a query parameter was sent twice");
    object.emplace(name, value);
  }
  return object;
}

}  // namespace parley::api
