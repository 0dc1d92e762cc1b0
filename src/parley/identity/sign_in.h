#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/time.h"
#include "parley/base/uuid.h"

namespace parley::identity {

/// How somebody showed which account is theirs.
enum class FirstStep : std::uint8_t {
  password,
  provider,              ///< another service's word for them
  provider_with_factor,  ///< the same, and its word that a second factor was presented there
  passkey,               ///< with user verification: something they have and something they know or are
};

/// What can be presented after the first step.
enum class FactorKind : std::uint8_t { totp, recovery_code, passkey };
std::string_view name(FactorKind kind);
std::optional<FactorKind> parse_factor_kind(std::string_view text);

/// What a session may become, and as what it is stored.
enum class Assurance : std::uint8_t {
  factor_owed,     ///< good for presenting a second factor, and for nothing else
  enrolment_owed,  ///< good for enrolling a second factor, and for nothing else
  full,
};
std::string_view name(Assurance assurance);
/// What is not known is the least.
Assurance parse_assurance(std::string_view text);

struct SignInFacts {
  FirstStep step = FirstStep::password;
  bool has_factor = false;       ///< the account has a confirmed second factor
  bool factor_required = false;  ///< one of its organisations requires one
};

/// The one rule of signing in. It knows no exception, not for the first administrator either: who must have a factor
/// and has none may only enrol one.
///
/// | step                          | has a factor | one is required | becomes        |
/// |-------------------------------|--------------|-----------------|----------------|
/// | passkey, provider_with_factor | either       | either          | full           |
/// | password, provider            | yes          | either          | factor_owed    |
/// | password, provider            | no           | yes             | enrolment_owed |
/// | password, provider            | no           | no              | full           |
Assurance decide_sign_in(const SignInFacts& facts);
/// Whether the step itself counts as a second factor.
bool includes_factor(FirstStep step);

/// Somebody showed just now that an account is theirs. What a session begins with, and only these can make one.
class ProvenAccount {
 public:
  AccountId account() const { return account_; }
  FirstStep step() const { return step_; }

 private:
  friend class AccountStore;     // after a password
  friend class Invitations;      // whoever accepts one has chosen a password a moment ago
  friend class PasskeyStore;     // after an assertion with user verification
  friend class ProviderSignIns;  // after an identity token
  ProvenAccount(AccountId account, FirstStep step) : account_(account), step_(step) {}
  AccountId account_;
  FirstStep step_;
};

/// How long a presented factor allows what asks for a fresh one: long enough to fill in a form.
inline constexpr std::chrono::microseconds factor_fresh_for = std::chrono::minutes(10);

/// The account's second factor was presented just now: what lifts a session, and what removing a factor asks for.
class ProvenFactor {
 public:
  AccountId account() const { return account_; }
  FactorKind kind() const { return kind_; }
  Timestamp at() const { return at_; }

  /// Whether it is this account's and recent. A clock set back makes it stale, not fresh for longer.
  bool is_fresh(AccountId account, Timestamp now) const {
    return account == account_ && now >= at_ && now - at_ < factor_fresh_for;
  }

 private:
  friend class SecondFactors;
  friend class PasskeyStore;
  friend class SessionStore;  // which remembers when one was presented
  ProvenFactor(AccountId account, FactorKind kind, Timestamp at) : account_(account), kind_(kind), at_(at) {}
  AccountId account_;
  FactorKind kind_;
  Timestamp at_;
};

}  // namespace parley::identity
