#include "parley/identity/gate.h"

namespace parley::identity {
namespace {

std::unexpected<Denied> deny(Code code, Literal reason, Literal rule) {
  return std::unexpected(Denied{Error(code, reason), rule});
}

}  // namespace

Principal Gate::principal_of(const LocalOperator& who, const ProjectRef& project) {
  std::array<std::uint8_t, 16> id{};
  for (std::size_t i = 0; i < 4; ++i) id[12 + i] = static_cast<std::uint8_t>(who.uid() >> (24 - 8 * i));
  return {.kind = PrincipalKind::local_user,
          .id = Uuid(id),
          .tenant = project.tenant,
          .project = project.project,
          .scopes = ScopeSet::all()};
}

bool Gate::worth_reading(const ActionInfo& action, const Principal& who, FromOwnPage from) {
  if (who.kind != PrincipalKind::anonymous) return true;
  return action.own_pages == ActionInfo::OwnPages::may && from == FromOwnPage::yes;
}

std::expected<Literal, Denied> Gate::decide(const ActionInfo& action, const Principal& who,
                                            const std::optional<ProjectRef>& project, FromOwnPage from) {
  if (who.kind == PrincipalKind::anonymous) {
    const bool open = project && project->visibility == ProjectRef::Visibility::public_;
    if (open && worth_reading(action, who, from)) return "public_project_own_page";
    return deny(Code::unauthenticated, "a credential is needed", "no_credential");
  }
  // One answer for "absent" and "not yours", so that asking tells nothing.
  const bool theirs = project && who.tenant == project->tenant && (!who.project || *who.project == project->project);
  if (!theirs) return deny(Code::not_found, "no such project", "outside_credential");
  if (!who.scopes.contains(action.scope)) {
    return std::unexpected(
        Denied{Error(Code::permission_denied, "the credential does not hold this scope").about(name(action.scope)),
               "scope_missing"});
  }
  if (who.kind == PrincipalKind::visitor && action.visitors != ActionInfo::Visitors::may)
    return deny(Code::permission_denied, "a visitor cannot vouch for visitors", "visitor_renewal");
  if (who.kind == PrincipalKind::public_key && action.public_key != ActionInfo::PublicKey::may)
    return deny(Code::permission_denied, "a public key is traded for a visitor token first", "visitor_needed");
  return "scope_held";
}

}  // namespace parley::identity
