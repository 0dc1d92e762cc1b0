#include "parley/identity/gate.h"

#include "parley/identity/origin.h"

namespace parley::identity {
namespace {

std::unexpected<Denied> deny(Code code, Literal reason, Literal rule) {
  return std::unexpected(Denied{Error(code, reason), rule});
}

std::unexpected<Denied> deny_scope(Scope scope) {
  return std::unexpected(Denied{
      Error(Code::permission_denied, "the credential does not hold this scope").about(name(scope)), "scope_missing"});
}

}  // namespace

Principal Gate::principal_of(const LocalOperator& who, const ProjectRef& project) {
  std::array<std::uint8_t, 16> id{};
  for (std::size_t i = 0; i < 4; ++i) id[12 + i] = static_cast<std::uint8_t>(who.uid() >> (24 - 8 * i));
  return {.kind = PrincipalKind::local_user,
          .id = Uuid(id),
          .tenant = project.tenant,
          .project = project.project,
          .scopes = ScopeSet::all(),
          .groups = {.extent = ReadableGroups::Extent::all, .names = {}}};
}

bool Gate::worth_reading(const ActionInfo& action, const Principal& who, const Sender& sender) {
  if (who.kind != PrincipalKind::anonymous) return true;
  using enum ActionInfo::Anonymous;
  switch (sender.kind) {
    case Sender::Kind::own_page: return action.anonymous == own_pages || action.anonymous == reading;
    case Sender::Kind::site: return action.anonymous == reading || action.anonymous == chatting;
    case Sender::Kind::program: return action.anonymous == reading;
    case Sender::Kind::hidden: return false;
  }
  std::unreachable();
}

namespace {

using Rule = std::expected<Literal, Denied>;

/// Whether nobody says who this is, where somebody has to.
bool is_unverified(const ActionInfo& action, const Principal& who, const ProjectAccess& access) {
  return access.visitors == ProjectAccess::Visitors::verified && action.unverified != ActionInfo::Unverified::may &&
         !who.identity;
}

Rule decide_anonymous(const ActionInfo& action, const std::optional<ProjectRef>& project, const Sender& sender) {
  const auto no = [] { return deny(Code::unauthenticated, "a credential is needed", "no_credential"); };
  // One answer whether the project is absent, private or closed to this sender: without a credential nothing is told.
  if (!Gate::worth_reading(action, Principal{}, sender) || !project) return no();
  const ProjectAccess& access = *project->access;
  if (access.visibility != Visibility::public_project || is_unverified(action, Principal{}, access)) return no();
  switch (sender.kind) {
    case Sender::Kind::own_page: return "public_project_own_page";
    case Sender::Kind::program:
      if (access.server_reads == ProjectAccess::ServerReads::on) return "public_project_server_reads";
      return no();
    case Sender::Kind::site:
      if (!is_listed(access.origins, sender.origin)) return no();
      if (action.anonymous == ActionInfo::Anonymous::reading) return "public_project_listed_site";
      if (access.biel_compat == ProjectAccess::BielCompat::on) return "biel_compat";
      return no();
    case Sender::Kind::hidden: return no();
  }
  std::unreachable();
}

/// What holds for a public key and for a visitor alike: they are used on pages, so the page decides as well.
std::optional<Denied> page_refused(const Principal& who, const ProjectRef& project, const Sender& sender) {
  const auto refuse = [](Literal reason, Literal rule) { return Denied{Error(Code::permission_denied, reason), rule}; };
  switch (sender.kind) {
    case Sender::Kind::site:
      if (is_listed(project.access->origins, sender.origin)) return std::nullopt;
      return refuse("the project does not list this origin", "origin_not_listed");
    case Sender::Kind::own_page:
      // What our own page gives away by itself it gives away for public projects only.
      if (who.vouched_by || project.access->visibility == Visibility::public_project) return std::nullopt;
      return refuse("this project is private", "private_project");
    case Sender::Kind::program:
    case Sender::Kind::hidden: return refuse("an Origin is needed", "origin_missing");
  }
  std::unreachable();
}

Rule decide_on_project(const ActionInfo& action, const Principal& who, const std::optional<ProjectRef>& project,
                       const Sender& sender) {
  // One answer for "absent" and "not yours", so that asking tells nothing.
  const bool theirs = project && who.tenant == project->tenant && (!who.project || *who.project == project->project);
  if (!theirs) return deny(Code::not_found, "no such project", "outside_credential");
  if (!who.scopes_on(project->project).contains(action.scope)) return deny_scope(action.scope);
  const bool on_pages = who.kind == PrincipalKind::visitor || who.kind == PrincipalKind::public_key;
  if (on_pages && is_unverified(action, who, *project->access))
    return deny(Code::permission_denied, "only for visitors whose identity is verified", "visitor_unverified");
  if (who.kind == PrincipalKind::visitor) {
    if (action.visitors != ActionInfo::Visitors::may)
      return deny(Code::permission_denied, "not for visitors", "not_for_visitors");
    if (auto refused = page_refused(who, *project, sender)) return std::unexpected(*std::move(refused));
  }
  if (who.kind == PrincipalKind::public_key) {
    const bool compat = action.anonymous == ActionInfo::Anonymous::chatting &&
                        project->access->biel_compat == ProjectAccess::BielCompat::on;
    if (action.public_key == ActionInfo::PublicKey::may_not)
      return deny(Code::permission_denied, "not for public keys", "not_for_public_keys");
    if (action.public_key == ActionInfo::PublicKey::trade_for_visitor && !compat)
      return deny(Code::permission_denied, "a public key is traded for a visitor token first", "visitor_needed");
    if (auto refused = page_refused(who, *project, sender)) return std::unexpected(*std::move(refused));
    if (compat) return "biel_compat";
  }
  return "scope_held";
}

}  // namespace

Rule Gate::decide(const ActionInfo& action, const Principal& who, const std::optional<ProjectRef>& project,
                  const Sender& sender) {
  if (who.kind == PrincipalKind::anonymous) return decide_anonymous(action, project, sender);
  // Where a browser has it, a page has it, and so has everybody who opens the page. Recorded as the key's refusal, so
  // that its owner hears of it.
  if (who.kind == PrincipalKind::secret_key && sender.kind != Sender::Kind::program)
    return deny(Code::permission_denied, "a secret key must not be used in a browser; revoke it",
                "secret_key_in_browser");
  if (who.shown == Shown::must_enrol && action.enrolling != ActionInfo::Enrolling::may)
    return deny(Code::permission_denied, "set up a second factor first", "second_factor_needed");
  switch (action.on) {
    case ActionInfo::On::project: return decide_on_project(action, who, project, sender);
    case ActionInfo::On::organisation:
      // A key for one project has no say in what lies outside it.
      if (!who.tenant || who.project)
        return deny(Code::permission_denied, "not for this credential", "outside_credential");
      if (!who.scopes.contains(action.scope)) return deny_scope(action.scope);
      return "scope_held";
    case ActionInfo::On::account:
      if (who.kind != PrincipalKind::member)
        return deny(Code::permission_denied, "only for people who have signed in", "not_a_member");
      return "own_account";
  }
  std::unreachable();
}

}  // namespace parley::identity
