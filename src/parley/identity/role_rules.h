#pragma once

#include <optional>

#include "parley/base/result.h"
#include "parley/identity/role.h"

namespace parley::identity {

// Who may change who belongs to an organisation. Pure; every store asks here, inside the transaction that makes the
// change, with what the tables say at that moment.

/// What a member is to become; a person who is no member yet has no role, one who is removed gets none.
struct MemberChange {
  Role actor = Role::viewer;  ///< of whoever asks, in this organisation; the operator of the machine counts as the
                              ///< highest
  std::optional<Role> from;
  std::optional<Role> to;
  bool of_oneself = false;
  /// Whether nobody else administers the organisation: disabled accounts do not.
  bool last_administrator = false;
};

/// - The last administrator stays one (`conflict`), whoever asks.
/// - Everybody may leave or take a lower role themselves.
/// - Otherwise members are the matter of maintainers and administrators (`permission_denied`), who give no role above
///   their own; and only administrators make, change or remove administrators.
Result<void> check_member_change(const MemberChange& change);

/// A role on one project, on top of the member's. `invalid_argument` for administrator: there is nothing in a project
/// that a maintainer may not do. Otherwise as for a change of members, of the member's role to the granted one.
Result<void> check_project_grant(Role actor, Role member, Role granted);

/// What concerns everybody's safety, such as requiring a second factor: administrators alone.
Result<void> check_organisation_change(Role actor);

}  // namespace parley::identity
