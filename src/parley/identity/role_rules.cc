#include "parley/identity/role_rules.h"

namespace parley::identity {

Result<void> check_member_change(const MemberChange& change) {
  const auto involves_administrator = change.from == Role::administrator || change.to == Role::administrator;
  if (change.last_administrator && change.from == Role::administrator && change.to != Role::administrator)
    return fail(Code::conflict, "an organisation keeps at least one administrator");
  if (change.of_oneself && change.from && (!change.to || *change.to <= *change.from)) return {};
  if (change.actor < Role::maintainer)
    return fail(Code::permission_denied, "only maintainers and administrators may change members");
  if (involves_administrator && change.actor != Role::administrator)
    return fail(Code::permission_denied, "only administrators may make, change or remove administrators");
  if (change.to && *change.to > change.actor)
    return fail(Code::permission_denied, "nobody can give a role above their own");
  return {};
}

Result<void> check_project_grant(Role actor, Role member, Role granted) {
  if (granted == Role::administrator)
    return fail(Code::invalid_argument, "a project has maintainers, editors and viewers");
  return check_member_change({.actor = actor, .from = member, .to = granted});
}

Result<void> check_organisation_change(Role actor) {
  if (actor != Role::administrator) return fail(Code::permission_denied, "only administrators may change this");
  return {};
}

}  // namespace parley::identity
