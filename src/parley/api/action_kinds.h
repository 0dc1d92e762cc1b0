#pragma once

#include "parley/evidence/action.h"

// Actions that differ in a few words only, said in those words.

namespace parley::api::kinds {

inline constexpr auto reads = ActionInfo::Effect::reads;
inline constexpr auto writes = ActionInfo::Effect::writes;
inline constexpr auto also_enrolling = ActionInfo::Enrolling::may;

/// An action on one's own account. Its scope is without meaning: being signed in is all it takes.
consteval ActionInfo own(Literal name, Literal summary, ActionInfo::Effect effect,
                         ActionInfo::Enrolling enrolling = ActionInfo::Enrolling::may_not) {
  return {.name = name,
          .summary = summary,
          .scope = Scope::project_read,
          .cost = Cost::read,
          .on = ActionInfo::On::account,
          .enrolling = enrolling,
          .effect = effect};
}

/// An action on the project that the request names, for those who look after it.
consteval ActionInfo of_project(Literal name, Literal summary, Scope scope, ActionInfo::Effect effect) {
  return {.name = name, .summary = summary, .scope = scope, .cost = Cost::read, .effect = effect};
}

/// An action on the organisation that the credential belongs to.
consteval ActionInfo of_organisation(Literal name, Literal summary, Scope scope, ActionInfo::Effect effect) {
  return {.name = name,
          .summary = summary,
          .scope = scope,
          .cost = Cost::read,
          .on = ActionInfo::On::organisation,
          .effect = effect};
}

}  // namespace parley::api::kinds
