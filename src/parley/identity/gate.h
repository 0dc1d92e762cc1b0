#pragma once

#include <expected>
#include <optional>

#include "parley/base/result.h"
#include "parley/evidence/proofs.h"

namespace parley::identity {

/// Where a request says it comes from, as far as a browser vouches for it.
enum class FromOwnPage : bool { no, yes };

/// A refusal and the rule that made it, for the trail.
struct Denied {
  Error error;
  Literal rule;
};

/// Decides who may do what. The only maker of `Authorized`. Pure: no I/O, no clock; safe from any thread.
///
/// | caller             | the project                     | rule                                              |
/// |--------------------|---------------------------------|---------------------------------------------------|
/// | none               | public, asked from our own page | allowed, if the action may be done by own pages   |
/// | none               | anything else                   | unauthenticated, whether or not the project exists|
/// | key, visitor       | another tenant's, other project | not_found, as for a project that does not exist   |
/// | key, visitor       | theirs                          | allowed if the scope is held, else permission_denied |
/// | public key         | theirs                          | the same, and only what a public key may do itself |
class Gate {
 public:
  /// `project` is none when the slug is not known: the caller must not be able to tell that from a project of another
  /// tenant, so both are decided here.
  template <Action A>
  static std::expected<Authorized<A>, Denied> authorize(const Admitted& caller, std::optional<ProjectRef> project,
                                                        FromOwnPage from) {
    const auto rule = decide(A::info, caller.who(), project, from);
    if (!rule) return std::unexpected(rule.error());
    return Authorized<A>(caller.who(), *std::move(project), *rule);
  }

  /// For the command line of this machine: everything, on any project.
  template <Action A>
  static Authorized<A> authorize(const LocalOperator& who, ProjectRef project) {
    Principal principal = principal_of(who, project);
    return Authorized<A>(std::move(principal), std::move(project), "local_operator");
  }

  /// Could any project make this caller allowed? Asked before a body is read, so that a caller without a credential
  /// cannot make the server read one.
  static bool worth_reading(const ActionInfo& action, const Principal& who, FromOwnPage from);

 private:
  static Principal principal_of(const LocalOperator& who, const ProjectRef& project);
  static std::expected<Literal, Denied> decide(const ActionInfo& action, const Principal& who,
                                               const std::optional<ProjectRef>& project, FromOwnPage from);
};

}  // namespace parley::identity
