#pragma once

#include "parley/api/action_kinds.h"
#include "parley/api/passkeys.h"
#include "parley/api/route.h"
#include "parley/identity/members.h"
#include "parley/identity/names.h"

// Signing in, one's own account, and the people of an organisation. What is decided here is only what belongs to HTTP:
// who may do what is for the gate and for identity/role_rules.h.

namespace parley::api {

// Without a credential: what is in the body, or the session's cookie, is judged by the handler.

struct SignIn {
  static constexpr Literal summary = "Sign in with a password";
  struct Input {
    std::string email;
    Secret password;
    static constexpr auto fields() {
      return std::tuple{
          field("email", &Input::email, {.required = Required::yes, .length_max = 254, .doc = "E-mail address"}),
          field("password", &Input::password, {.required = Required::yes, .length_max = 1'000, .doc = "Password"}),
      };
    }
  };
  static constexpr std::size_t body_bytes_max = 16 * 1024;
  static Async<Reply> handle(Services& services, Context context, Validated<Input> input);
};

struct PresentFactor {
  static constexpr Literal summary = "Present a second factor: to finish signing in, or before something delicate";
  struct Input {
    std::optional<std::string> totp, recovery_code;
    std::optional<boost::json::object> credential;
    static constexpr auto fields() {
      return std::tuple{
          field("totp", &Input::totp, {.length_max = 20, .doc = "Code of an authenticator app"}),
          field("recovery_code", &Input::recovery_code, {.length_max = 50, .doc = "One of the recovery codes"}),
          field("credential", &Input::credential, {.doc = "A passkey's answer, as for /api/v1/session/passkey/"}),
      };
    }
  };
  static constexpr std::size_t body_bytes_max = passkey_body_bytes_max;
  static Async<Reply> handle(Services& services, Context context, Validated<Input> input);
};

struct AskReset {
  static constexpr Literal summary = "Ask for a link to choose a new password";
  struct Input {
    std::string email;
    static constexpr auto fields() {
      return std::tuple{
          field("email", &Input::email, {.required = Required::yes, .length_max = 254, .doc = "E-mail address"})};
    }
  };
  static constexpr std::size_t body_bytes_max = 4 * 1024;
  static Async<Reply> handle(Services& services, Context context, Validated<Input> input);
};

/// A link's secret, and nothing else.
struct LinkInput {
  Secret token;
  static constexpr auto fields() {
    return std::tuple{
        field("token", &LinkInput::token, {.required = Required::yes, .length_max = 200, .doc = "From the link"})};
  }
};

/// A link's secret and a password to choose.
struct LinkAndPasswordInput {
  Secret token;
  std::optional<Secret> password;
  static constexpr auto fields() {
    return std::tuple{
        field("token", &LinkAndPasswordInput::token,
              {.required = Required::yes, .length_max = 200, .doc = "From the link"}),
        field("password", &LinkAndPasswordInput::password, {.length_max = 1'000, .doc = "The password to be"})};
  }
};

struct FinishReset {
  static constexpr Literal summary = "Choose a new password by a link";
  using Input = LinkAndPasswordInput;
  static constexpr std::size_t body_bytes_max = 16 * 1024;
  static Async<Reply> handle(Services& services, Context context, Validated<Input> input);
};

struct ConfirmEmail {
  static constexpr Literal summary = "Confirm an e-mail address by a link";
  using Input = LinkInput;
  static constexpr std::size_t body_bytes_max = 4 * 1024;
  static Async<Reply> handle(Services& services, Context context, Validated<Input> input);
};

struct LookAtInvitation {
  static constexpr Literal summary = "What an invitation is to";
  using Input = LinkInput;
  static constexpr std::size_t body_bytes_max = 4 * 1024;
  static Async<Reply> handle(Services& services, Context context, Validated<Input> input);
};

struct AcceptInvitation {
  static constexpr Literal summary = "Accept an invitation: signed in, or by choosing a password";
  using Input = LinkAndPasswordInput;
  static constexpr std::size_t body_bytes_max = 16 * 1024;
  static Async<Reply> handle(Services& services, Context context, Validated<Input> input);
};

// On one's own account.

struct SeeSession {
  static constexpr ActionInfo info =
      kinds::own("session.read", "Who is signed in, and what is still owed", kinds::reads, kinds::also_enrolling);
};
struct EndSession {
  static constexpr ActionInfo info = kinds::own("session.end", "Sign out", kinds::writes, kinds::also_enrolling);
};
struct ChooseOrganisation {
  static constexpr ActionInfo info =
      kinds::own("session.organisation", "Act for another organisation of one's own", kinds::writes);
};
struct ChangePassword {
  static constexpr ActionInfo info =
      kinds::own("account.password", "Change one's password; ends all other sessions", kinds::writes);
};
struct SeeSessions {
  static constexpr ActionInfo info = kinds::own("account.sessions", "Where one is signed in", kinds::reads);
};
struct EndSessions {
  static constexpr ActionInfo info =
      kinds::own("account.sessions.end", "Sign out elsewhere, one session or all others", kinds::writes);
};
struct SeeFactors {
  static constexpr ActionInfo info =
      kinds::own("account.factors", "One's second factors", kinds::reads, kinds::also_enrolling);
};
struct EnrolFactor {
  static constexpr ActionInfo info =
      kinds::own("account.factor.enrol", "Set up a second factor", kinds::writes, kinds::also_enrolling);
};
struct ManageFactors {
  static constexpr ActionInfo info =
      kinds::own("account.factor.manage", "Remove a second factor, make new recovery codes", kinds::writes);
};

// On the organisation.

struct SeeMembers {
  static constexpr ActionInfo info =
      kinds::of_organisation("members.list", "Who belongs to the organisation", Scope::members_read, kinds::reads);
};
struct ManageMembers {
  static constexpr ActionInfo info = kinds::of_organisation("members.change", "Change roles and grants, remove members",
                                                            Scope::members_manage, kinds::writes);
};
struct Invite {
  static constexpr ActionInfo info = kinds::of_organisation("members.invite", "Invite people, withdraw invitations",
                                                            Scope::members_manage, kinds::writes);
};
struct SeeInvitations {
  static constexpr ActionInfo info =
      kinds::of_organisation("members.invitations", "Pending invitations", Scope::members_manage, kinds::reads);
};
struct SeeOrganisation {
  static constexpr ActionInfo info =
      kinds::of_organisation("organisation.read", "The organisation's settings", Scope::members_read, kinds::reads);
};
struct ChangeOrganisation {
  static constexpr ActionInfo info = kinds::of_organisation(
      "organisation.change", "Change what holds for the whole organisation", Scope::organisation_manage, kinds::writes);
};
struct SeeProjects {
  static constexpr ActionInfo info =
      kinds::of_organisation("projects.list", "The organisation's projects", Scope::project_read, kinds::reads);
};

/// A project as people and programs are told from where it may be reached.
boost::json::object to_json(const ProjectRef& project);

namespace actions {

struct GetSession : JsonAction<SeeSession> {
  static Async<Reply> handle(Services& services, Context context, Authorized<SeeSession> permit,
                             Validated<NoInput> input);
};

struct DeleteSession : JsonAction<EndSession> {
  static Async<Reply> handle(Services& services, Context context, Authorized<EndSession> permit,
                             Validated<NoInput> input);
};

struct OrganisationChoice {
  TenantId organisation;
  static constexpr auto fields() {
    return std::tuple{
        field("organisation", &OrganisationChoice::organisation, {.required = Required::yes, .doc = "Its id"})};
  }
};
struct PutOrganisationOfSession : JsonAction<ChooseOrganisation, OrganisationChoice> {
  static Async<Reply> handle(Services& services, Context context, Authorized<ChooseOrganisation> permit,
                             Validated<OrganisationChoice> input);
};

struct PasswordChange {
  Secret old_password, new_password;
  static constexpr auto fields() {
    return std::tuple{
        field("old", &PasswordChange::old_password,
              {.required = Required::yes, .length_max = 1'000, .doc = "The one in use"}),
        field("new", &PasswordChange::new_password,
              {.required = Required::yes, .length_max = 1'000, .doc = "The one to be"}),
    };
  }
};
struct PostPassword : JsonAction<ChangePassword, PasswordChange> {
  static Async<Reply> handle(Services& services, Context context, Authorized<ChangePassword> permit,
                             Validated<PasswordChange> input);
};

struct ListSessions : JsonAction<SeeSessions> {
  static Async<Reply> handle(Services& services, Context context, Authorized<SeeSessions> permit,
                             Validated<NoInput> input);
};

struct DeleteSessionById : JsonAction<EndSessions> {
  static Async<Reply> handle(Services& services, Context context, Authorized<EndSessions> permit,
                             Validated<NoInput> input);
};

struct DeleteOtherSessions : JsonAction<EndSessions> {
  static Async<Reply> handle(Services& services, Context context, Authorized<EndSessions> permit,
                             Validated<NoInput> input);
};

struct GetFactors : JsonAction<SeeFactors> {
  static Async<Reply> handle(Services& services, Context context, Authorized<SeeFactors> permit,
                             Validated<NoInput> input);
};

struct BeginTotp : JsonAction<EnrolFactor> {
  static Async<Reply> handle(Services& services, Context context, Authorized<EnrolFactor> permit,
                             Validated<NoInput> input);
};

struct CodeInput {
  std::string code;
  static constexpr auto fields() {
    return std::tuple{
        field("code", &CodeInput::code, {.required = Required::yes, .length_max = 20, .doc = "The app's first code"})};
  }
};
struct ConfirmTotp : JsonAction<EnrolFactor, CodeInput> {
  static Async<Reply> handle(Services& services, Context context, Authorized<EnrolFactor> permit,
                             Validated<CodeInput> input);
};

struct DeleteTotp : JsonAction<ManageFactors> {
  static Async<Reply> handle(Services& services, Context context, Authorized<ManageFactors> permit,
                             Validated<NoInput> input);
};

struct MakeRecoveryCodes : JsonAction<ManageFactors> {
  static Async<Reply> handle(Services& services, Context context, Authorized<ManageFactors> permit,
                             Validated<NoInput> input);
};

struct ListMembers : JsonAction<SeeMembers> {
  static Async<Reply> handle(Services& services, Context context, Authorized<SeeMembers> permit,
                             Validated<NoInput> input);
};

struct GrantInput {
  std::string project, role;
  static constexpr auto fields() {
    return std::tuple{
        field("project", &GrantInput::project, {.required = Required::yes, .length_max = 100, .doc = "Slug"}),
        field("role", &GrantInput::role, {.required = Required::yes, .length_max = 20, .doc = "viewer to maintainer"}),
    };
  }
};
struct MemberInput {
  std::string role;
  std::optional<std::vector<GrantInput>> grants;
  std::optional<std::vector<std::string>> groups;
  static constexpr auto fields() {
    return std::tuple{
        field("groups", &MemberInput::groups,
              {.length_max = identity::group_name_bytes_max,
               .count_max = identity::groups_held_max,
               .doc = "All groups whose documents they read; by administrators; not given: as they are"}),
        field("role", &MemberInput::role,
              {.required = Required::yes, .length_max = 20, .doc = "viewer, editor, maintainer or administrator"}),
        field(
            "grants", &MemberInput::grants,
            {.count_max = identity::grants_per_member_max, .doc = "Roles on single projects; not given: as they are"}),
    };
  }
};
struct PutMember : JsonAction<ManageMembers, MemberInput> {
  static Async<Reply> handle(Services& services, Context context, Authorized<ManageMembers> permit,
                             Validated<MemberInput> input);
};

struct DeleteMember : JsonAction<ManageMembers> {
  static Async<Reply> handle(Services& services, Context context, Authorized<ManageMembers> permit,
                             Validated<NoInput> input);
};

struct ListInvitations : JsonAction<SeeInvitations> {
  static Async<Reply> handle(Services& services, Context context, Authorized<SeeInvitations> permit,
                             Validated<NoInput> input);
};

struct InvitationInput {
  std::string email, role;
  std::optional<std::string> project, project_role;
  static constexpr auto fields() {
    return std::tuple{
        field("email", &InvitationInput::email, {.required = Required::yes, .length_max = 254, .doc = "To whom"}),
        field("role", &InvitationInput::role, {.required = Required::yes, .length_max = 20, .doc = "As what"}),
        field("project", &InvitationInput::project, {.length_max = 100, .doc = "Slug of a project to grant more on"}),
        field("project_role", &InvitationInput::project_role, {.length_max = 20, .doc = "The role there"}),
    };
  }
};
struct PostInvitation : JsonAction<Invite, InvitationInput> {
  static Async<Reply> handle(Services& services, Context context, Authorized<Invite> permit,
                             Validated<InvitationInput> input);
};

struct DeleteInvitation : JsonAction<Invite> {
  static Async<Reply> handle(Services& services, Context context, Authorized<Invite> permit, Validated<NoInput> input);
};

struct GetOrganisation : JsonAction<SeeOrganisation> {
  static Async<Reply> handle(Services& services, Context context, Authorized<SeeOrganisation> permit,
                             Validated<NoInput> input);
};

struct OrganisationInput {
  bool require_second_factor = false;
  static constexpr auto fields() {
    return std::tuple{field("require_second_factor", &OrganisationInput::require_second_factor,
                            {.required = Required::yes, .doc = "Of every member"})};
  }
};
struct PutOrganisation : JsonAction<ChangeOrganisation, OrganisationInput> {
  static Async<Reply> handle(Services& services, Context context, Authorized<ChangeOrganisation> permit,
                             Validated<OrganisationInput> input);
};

struct ListProjects : JsonAction<SeeProjects> {
  static Async<Reply> handle(Services& services, Context context, Authorized<SeeProjects> permit,
                             Validated<NoInput> input);
};

}  // namespace actions
}  // namespace parley::api
