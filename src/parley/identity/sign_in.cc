#include "parley/identity/sign_in.h"

#include <utility>

namespace parley::identity {

std::string_view name(FactorKind kind) {
  switch (kind) {
    case FactorKind::totp: return "totp";
    case FactorKind::recovery_code: return "recovery_code";
    case FactorKind::passkey: return "passkey";
  }
  std::unreachable();
}

std::optional<FactorKind> parse_factor_kind(std::string_view text) {
  for (const auto kind : {FactorKind::totp, FactorKind::recovery_code, FactorKind::passkey})
    if (name(kind) == text) return kind;
  return std::nullopt;
}

std::string_view name(Assurance assurance) {
  switch (assurance) {
    case Assurance::factor_owed: return "factor_owed";
    case Assurance::enrolment_owed: return "enrolment_owed";
    case Assurance::full: return "full";
  }
  std::unreachable();
}

Assurance parse_assurance(std::string_view text) {
  for (const auto assurance : {Assurance::enrolment_owed, Assurance::full})
    if (name(assurance) == text) return assurance;
  return Assurance::factor_owed;
}

bool includes_factor(FirstStep step) { return step == FirstStep::passkey || step == FirstStep::provider_with_factor; }

Assurance decide_sign_in(const SignInFacts& facts) {
  if (includes_factor(facts.step)) return Assurance::full;
  if (facts.has_factor) return Assurance::factor_owed;
  return facts.factor_required ? Assurance::enrolment_owed : Assurance::full;
}

}  // namespace parley::identity
