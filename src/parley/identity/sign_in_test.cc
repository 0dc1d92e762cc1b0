#include <tuple>

#include <gtest/gtest.h>

#include "parley/identity/sign_in.h"

namespace parley::identity {
namespace {

TEST(SignIn, is_decided_by_this_table) {
  using enum FirstStep;
  using enum Assurance;
  // step, has a factor, one is required, what the session becomes
  const std::tuple<FirstStep, bool, bool, Assurance> rows[] = {
      {password, false, false, full},
      {password, false, true, enrolment_owed},
      {password, true, false, factor_owed},
      {password, true, true, factor_owed},
      {provider, false, false, full},
      {provider, false, true, enrolment_owed},
      {provider, true, false, factor_owed},
      {provider, true, true, factor_owed},
      {provider_with_factor, false, false, full},
      {provider_with_factor, false, true, full},
      {provider_with_factor, true, false, full},
      {provider_with_factor, true, true, full},
      {passkey, false, false, full},
      {passkey, false, true, full},
      {passkey, true, false, full},
      {passkey, true, true, full},
  };
  for (const auto& [step, has_factor, required, becomes] : rows)
    EXPECT_EQ(decide_sign_in({.step = step, .has_factor = has_factor, .factor_required = required}), becomes)
        << int(step) << has_factor << required;
}

TEST(SignIn, what_a_newer_version_stored_counts_as_the_least) {
  for (const auto each : {Assurance::factor_owed, Assurance::enrolment_owed, Assurance::full})
    EXPECT_EQ(parse_assurance(name(each)), each);
  EXPECT_EQ(parse_assurance("fuller"), Assurance::factor_owed);
  EXPECT_EQ(parse_assurance(""), Assurance::factor_owed);
  EXPECT_EQ(parse_factor_kind("passkey"), FactorKind::passkey);
  EXPECT_FALSE(parse_factor_kind("sms"));
}

}  // namespace
}  // namespace parley::identity
