#pragma once

#include <expected>
#include <optional>

#include "parley/base/result.h"
#include "parley/evidence/proofs.h"
#include "parley/evidence/sender.h"

namespace parley::identity {

/// A refusal and the rule that made it, for the trail.
struct Denied {
  Error error;
  Literal rule;
};

/// Decides who may do what. The only maker of `Authorized`. Pure: no I/O, no clock; safe from any thread.
///
/// docs/access.md has the rules as a table, which the tests read.
class Gate {
 public:
  /// `project` is none when the slug is not known: the caller must not be able to tell that from a project of another
  /// tenant, so both are decided here.
  template <Action A>
    requires(A::info.on == ActionInfo::On::project)
  static std::expected<Authorized<A>, Denied> authorize(const Admitted& caller, std::optional<ProjectRef> project,
                                                        const Sender& sender) {
    const auto rule = decide(A::info, caller.who(), project, sender);
    if (!rule) return std::unexpected(rule.error());
    return Authorized<A>(caller.who(), std::move(project), *rule);
  }

  /// On the caller's own organisation or account.
  template <Action A>
    requires(A::info.on != ActionInfo::On::project)
  static std::expected<Authorized<A>, Denied> authorize(const Admitted& caller, const Sender& sender) {
    const auto rule = decide(A::info, caller.who(), std::nullopt, sender);
    if (!rule) return std::unexpected(rule.error());
    return Authorized<A>(caller.who(), std::nullopt, *rule);
  }

  /// For the command line of this machine: everything, on any project.
  template <Action A>
    requires(A::info.on == ActionInfo::On::project)
  static Authorized<A> authorize(const LocalOperator& who, ProjectRef project) {
    Principal principal = principal_of(who, project);
    return Authorized<A>(std::move(principal), std::move(project), "local_operator");
  }

  /// Could any project make this caller allowed? Asked before a body is read, so that a caller without a credential
  /// cannot make the server read one.
  static bool worth_reading(const ActionInfo& action, const Principal& who, const Sender& sender);

 private:
  static Principal principal_of(const LocalOperator& who, const ProjectRef& project);
  static std::expected<Literal, Denied> decide(const ActionInfo& action, const Principal& who,
                                               const std::optional<ProjectRef>& project, const Sender& sender);
};

}  // namespace parley::identity
