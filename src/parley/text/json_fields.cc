#include "parley/text/json_fields.h"

#include "parley/text/utf8.h"

namespace parley::text {

const boost::json::value* JsonFields::find(std::string_view name) {
  asked_.push_back(name);
  const auto* value = object_->if_contains(name);
  return value && !value->is_null() ? value : nullptr;
}

JsonFields::StringProblem JsonFields::check(std::string_view text, StringLimits limits) {
  const auto length = length_in_code_points(text);
  if (length > limits.code_points_max) return StringProblem::too_long;
  if (length < limits.code_points_min) return StringProblem::too_short;
  if (text.contains('\0')) return StringProblem::zero_character;
  return StringProblem::none;
}

std::vector<std::string> JsonFields::unknown() const {
  std::vector<std::string> names;
  for (const auto& member : *object_) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::ranges::find(asked_, name) == asked_.end()) names.emplace_back(name);
  }
  return names;
}

Result<> JsonFields::finish() const {
  const auto names = unknown();
  if (names.empty()) return {};
  return fail(Code::invalid_argument, "the JSON object has an unknown field", names.front());
}

}  // namespace parley::text
