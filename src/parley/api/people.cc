#include "parley/api/people.h"

#include "parley/api/letters.h"
#include "parley/api/recorder.h"
#include "parley/api/services.h"
#include "parley/api/session.h"
#include "parley/api/signing_in.h"
#include "parley/http/cookie.h"
#include "parley/identity/account_links.h"
#include "parley/identity/account_store.h"
#include "parley/identity/invitations.h"
#include "parley/identity/members.h"
#include "parley/identity/second_factors.h"
#include "parley/identity/tenant_store.h"

namespace parley::api {

namespace json = boost::json;

namespace {

using identity::Assurance;

/// The CSRF token that goes with the session of this request.
Result<std::string> csrf_of(const Context& context) {
  const auto cookie = PARLEY_TRY(http::find_cookie(*context.head, session_cookie));
  if (!cookie) return fail(Code::unauthenticated, "nobody is signed in");
  return PARLEY_TRY(identity::parse_session_token(*cookie)).csrf_token();
}

}  // namespace

Async<Reply> SignIn::handle(Services& services, Context context, Validated<Input> input) {
  PARLEY_CO_TRY(co_await admit_try(services, context, input->email));
  auto account = co_await services.people.accounts.verify_password(input->email, input->password);
  if (!account) co_return refuse_try(services, std::move(account).error(), "password_refused");
  auto session = PARLEY_CO_TRY(
      co_await services.people.sessions.begin(*std::move(account), {.client = client_of(context), .tenant = {}}));
  // The token is told only with the reply, so the record still comes before the effect.
  PARLEY_CO_TRY(
      co_await record_on_account(services, context.request, session.session->account, "session.begin", "password"));
  co_return co_await begun(services, std::move(session));
}

Async<Reply> PresentFactor::handle(Services& services, Context context, Validated<Input> input) {
  auto session = PARLEY_CO_TRY(co_await require_open_session(services, context));
  if (input->totp.has_value() + input->recovery_code.has_value() + input->credential.has_value() != 1)
    co_return fail(Code::invalid_argument, "give one of totp, recovery_code and credential");
  if (input->credential) co_return co_await raise_by_passkey(services, context, std::move(session), *input->credential);
  PARLEY_CO_TRY(co_await admit_try(services, context, session->account.to_string()));
  auto factor = input->totp ? co_await services.people.factors.verify_totp(session, *input->totp)
                            : co_await services.people.factors.verify_recovery_code(session, *input->recovery_code);
  if (!factor) co_return refuse_try(services, std::move(factor).error(), "factor_refused");
  const AccountId account = session->account;
  auto raised = PARLEY_CO_TRY(co_await services.people.sessions.raise(std::move(session), *std::move(factor)));
  PARLEY_CO_TRY(co_await record_on_account(services, context.request, account, "session.raise",
                                           input->totp ? Literal("totp") : Literal("recovery_code")));
  co_return co_await begun(services, std::move(raised));
}

Async<Reply> AskReset::handle(Services& services, Context context, Validated<Input> input) {
  PARLEY_CO_TRY(co_await admit_try(services, context, input->email));
  auto letter = PARLEY_CO_TRY(co_await services.people.links.create_reset(input->email));
  // Sent by itself, afterwards: whether there is a letter must not be told by how long the answer takes.
  if (letter) services.people.letters.send_reset(std::move(*letter));
  co_return Reply::json(202, json::object{{"status", "if there is such an account, a letter is on its way"}});
}

Async<Reply> FinishReset::handle(Services& services, Context context, Validated<Input> input) {
  if (!input->password) co_return fail(Error(Code::invalid_argument, "is required").about("password"));
  PARLEY_CO_TRY(co_await admit_try(services, context, no_account));
  auto account = co_await services.people.links.require_reset(input->token);
  if (!account) co_return refuse_try(services, std::move(account).error(), "link_refused");
  PARLEY_CO_TRY(co_await record_on_account(services, context.request, *account, "account.password.reset", "link"));
  PARLEY_CO_TRY(co_await services.people.links.reset_password(input->token, *input->password));
  co_return Reply::json(200, json::object());
}

Async<Reply> ConfirmEmail::handle(Services& services, Context context, Validated<Input> input) {
  PARLEY_CO_TRY(co_await admit_try(services, context, no_account));
  auto account = co_await services.people.links.confirm(input->token);
  if (!account) co_return refuse_try(services, std::move(account).error(), "link_refused");
  co_return Reply::json(200, json::object());
}

Async<Reply> LookAtInvitation::handle(Services& services, Context context, Validated<Input> input) {
  PARLEY_CO_TRY(co_await admit_try(services, context, no_account));
  auto offered = co_await services.people.invitations.find(input->token);
  if (!offered) co_return refuse_try(services, std::move(offered).error(), "link_refused");
  co_return Reply::json(200, json::object{{"organisation", offered->organisation},
                                          {"email", offered->email},
                                          {"role", identity::name(offered->role)},
                                          {"has_account", offered->has_account}});
}

Async<Reply> AcceptInvitation::handle(Services& services, Context context, Validated<Input> input) {
  PARLEY_CO_TRY(co_await admit_try(services, context, no_account));
  const auto offered = PARLEY_CO_TRY(co_await services.people.invitations.find(input->token));
  if (input->password) {
    PARLEY_CO_TRY(co_await services.trail.write(context.request, Principal{.tenant = offered.tenant}, "members.join",
                                                "invitation", trail::Object("tenant", offered.tenant)));
    auto account =
        PARLEY_CO_TRY(co_await services.people.invitations.accept_with_new_account(input->token, *input->password));
    auto session = PARLEY_CO_TRY(co_await services.people.sessions.begin(
        std::move(account), {.client = client_of(context), .tenant = offered.tenant}));
    co_return co_await begun(services, std::move(session));
  }
  auto session = PARLEY_CO_TRY(co_await require_full_session(services, context));
  PARLEY_CO_TRY(co_await services.trail.write(context.request, person(session->account, offered.tenant), "members.join",
                                              "invitation", trail::Object("account", session->account)));
  PARLEY_CO_TRY(co_await services.people.invitations.accept(session, input->token));
  co_return Reply::json(
      200, json::object{{"needs", needs(session->assurance).view()}, {"csrf", PARLEY_CO_TRY(csrf_of(context))}});
}

namespace actions {

namespace {

Async<json::object> describe(Services& services, Context context, identity::OpenSession session) {
  const auto account = PARLEY_CO_TRY(co_await services.people.accounts.load(session->account));
  const auto kinds = PARLEY_CO_TRY(co_await services.people.factors.kinds_of(session->account));
  json::object body{{"needs", needs(session->assurance).view()},
                    {"csrf", PARLEY_CO_TRY(csrf_of(context))},
                    {"account", json::object{{"id", account.id.to_string()},
                                             {"email", account.email},
                                             {"confirmed", account.confirmed_at.has_value()}}},
                    {"organisation", nullptr},
                    {"organisations", json::array()},
                    {"scopes", json::array()},
                    {"factors", names_of(kinds)},
                    {"factor_fresh", services.people.sessions.fresh_factor(session).has_value()},
                    {"mail", services.people.letters.reaches_people()}};
  if (session->assurance != Assurance::full) co_return body;
  for (const auto& membership : PARLEY_CO_TRY(co_await services.people.members.list_of(session->account))) {
    const auto tenant = PARLEY_CO_TRY(co_await services.people.tenants.load(membership.tenant));
    json::object row{{"id", tenant.id.to_string()}, {"name", tenant.name}, {"role", identity::name(membership.role)}};
    if (session->tenant == membership.tenant) {
      for (const auto& info : all_scopes())
        if (identity::scopes_of(membership.role).contains(info.scope))
          body["scopes"].as_array().emplace_back(info.name.view());
      json::object mine = row;
      mine["requires_second_factor"] = tenant.requires_second_factor;
      body["organisation"] = std::move(mine);
    }
    body["organisations"].as_array().push_back(std::move(row));
  }
  co_return body;
}

}  // namespace

Async<Reply> GetSession::handle(Services& services, Context context, Authorized<SeeSession>, Validated<NoInput>) {
  auto session = PARLEY_CO_TRY(co_await require_open_session(services, context));
  co_return Reply::json(200, PARLEY_CO_TRY(co_await describe(services, context, std::move(session))));
}

Async<Reply> DeleteSession::handle(Services& services, Context context, Authorized<EndSession>, Validated<NoInput>) {
  const auto session = PARLEY_CO_TRY(co_await require_open_session(services, context));
  PARLEY_CO_TRY(co_await services.people.sessions.end(session->account, session->id));
  Reply reply{.status = 204, .body = {}, .headers = {}};
  drop_cookie(reply, session_cookie);
  co_return reply;
}

Async<Reply> PutOrganisationOfSession::handle(Services& services, Context context, Authorized<ChooseOrganisation>,
                                              Validated<OrganisationChoice> input) {
  auto session = PARLEY_CO_TRY(co_await require_full_session(services, context));
  session =
      PARLEY_CO_TRY(co_await services.people.sessions.switch_organisation(std::move(session), input->organisation));
  co_return Reply::json(200, PARLEY_CO_TRY(co_await describe(services, context, std::move(session))));
}

Async<Reply> PostPassword::handle(Services& services, Context context, Authorized<ChangePassword> permit,
                                  Validated<PasswordChange> input) {
  auto session = PARLEY_CO_TRY(co_await require_full_session(services, context));
  // The old password is guessed at here as well as at the door.
  PARLEY_CO_TRY(co_await admit_try(services, context, session->account.to_string()));
  PARLEY_CO_TRY(co_await record_on_account(services, context.request, session->account, ChangePassword::info.name,
                                           permit.rule()));
  PARLEY_CO_TRY(
      co_await services.people.accounts.change_password(std::move(session), input->old_password, input->new_password));
  co_return Reply::json(200, json::object{{"csrf", PARLEY_CO_TRY(csrf_of(context))}});
}

Async<Reply> ListSessions::handle(Services& services, Context context, Authorized<SeeSessions>, Validated<NoInput>) {
  const auto mine = PARLEY_CO_TRY(co_await require_full_session(services, context));
  json::array rows;
  for (const auto& session : PARLEY_CO_TRY(co_await services.people.sessions.list(mine->account)))
    rows.push_back(json::object{{"id", session.id.to_string()},
                                {"client", session.client},
                                {"created_at", to_rfc3339(session.created_at)},
                                {"last_seen_at", to_rfc3339(session.last_seen_at)},
                                {"current", session.id == mine->id}});
  co_return Reply::json(200, json::object{{"sessions", std::move(rows)}});
}

Async<Reply> DeleteSessionById::handle(Services& services, Context context, Authorized<EndSessions>,
                                       Validated<NoInput>) {
  const auto mine = PARLEY_CO_TRY(co_await require_full_session(services, context));
  const auto id = PARLEY_CO_TRY(id_in<identity::SessionId>(context));
  PARLEY_CO_TRY(co_await services.people.sessions.end(mine->account, id));
  co_return Reply{.status = 204, .body = {}, .headers = {}};
}

Async<Reply> DeleteOtherSessions::handle(Services& services, Context context, Authorized<EndSessions>,
                                         Validated<NoInput>) {
  auto mine = PARLEY_CO_TRY(co_await require_full_session(services, context));
  PARLEY_CO_TRY(co_await services.people.sessions.end_all_but(std::move(mine)));
  co_return Reply{.status = 204, .body = {}, .headers = {}};
}

Async<Reply> GetFactors::handle(Services& services, Context context, Authorized<SeeFactors>, Validated<NoInput>) {
  const auto session = PARLEY_CO_TRY(co_await require_open_session(services, context));
  json::array factors;
  for (const auto kind : PARLEY_CO_TRY(co_await services.people.factors.kinds_of(session->account)))
    factors.push_back(json::object{{"kind", identity::name(kind)}});
  const auto left = PARLEY_CO_TRY(co_await services.people.factors.recovery_codes_left(session->account));
  json::array passkeys;
  for (const auto& passkey : PARLEY_CO_TRY(co_await services.people.passkeys.list(session->account))) {
    json::object row{{"id", passkey.id.to_string()},
                     {"name", passkey.name},
                     {"created_at", to_rfc3339(passkey.created_at)},
                     {"last_used_at", nullptr}};
    if (passkey.last_used_at) row["last_used_at"] = to_rfc3339(*passkey.last_used_at);
    passkeys.push_back(std::move(row));
  }
  co_return Reply::json(
      200,
      json::object{{"factors", std::move(factors)}, {"recovery_codes_left", left}, {"passkeys", std::move(passkeys)}});
}

Async<Reply> BeginTotp::handle(Services& services, Context context, Authorized<EnrolFactor>, Validated<NoInput>) {
  auto session = PARLEY_CO_TRY(co_await require_open_session(services, context));
  std::optional<identity::ProvenFactor> fresh;
  if (auto factor = services.people.sessions.fresh_factor(session)) fresh = *std::move(factor);
  const auto enrolment = PARLEY_CO_TRY(co_await services.people.factors.begin_totp(std::move(session), fresh));
  co_return Reply::json(200, json::object{{"secret", enrolment.text.reveal()},
                                          {"uri", enrolment.uri.reveal()},
                                          {"qr", enrolment.qr_svg.reveal()}});
}

Async<Reply> ConfirmTotp::handle(Services& services, Context context, Authorized<EnrolFactor> permit,
                                 Validated<CodeInput> input) {
  auto session = PARLEY_CO_TRY(co_await require_open_session(services, context));
  PARLEY_CO_TRY(co_await admit_try(services, context, session->account.to_string()));
  PARLEY_CO_TRY(
      co_await record_on_account(services, context.request, session->account, EnrolFactor::info.name, permit.rule()));
  auto enrolled = co_await services.people.factors.confirm_totp(session, input->code);
  if (!enrolled) co_return refuse_try(services, std::move(enrolled).error(), "factor_refused");
  co_await tell_owner(services, session->account, "an authenticator app was set up");
  json::array codes;
  for (const auto& code : enrolled->recovery_codes) codes.emplace_back(code.reveal());
  auto raised = PARLEY_CO_TRY(co_await services.people.sessions.raise(std::move(session), enrolled->factor));
  co_return co_await begun(services, std::move(raised), {{"recovery_codes", std::move(codes)}});
}

Async<Reply> DeleteTotp::handle(Services& services, Context context, Authorized<ManageFactors> permit,
                                Validated<NoInput>) {
  auto session = PARLEY_CO_TRY(co_await require_full_session(services, context));
  const auto factor = PARLEY_CO_TRY(services.people.sessions.fresh_factor(session));
  PARLEY_CO_TRY(
      co_await record_on_account(services, context.request, session->account, "account.factor.remove", permit.rule()));
  const AccountId account = session->account;
  PARLEY_CO_TRY(co_await services.people.factors.remove_totp(std::move(session), factor));
  co_await tell_owner(services, account, "the authenticator app was removed");
  co_return Reply{.status = 204, .body = {}, .headers = {}};
}

Async<Reply> MakeRecoveryCodes::handle(Services& services, Context context, Authorized<ManageFactors> permit,
                                       Validated<NoInput>) {
  auto session = PARLEY_CO_TRY(co_await require_full_session(services, context));
  const auto factor = PARLEY_CO_TRY(services.people.sessions.fresh_factor(session));
  PARLEY_CO_TRY(
      co_await record_on_account(services, context.request, session->account, "account.recovery_codes", permit.rule()));
  const auto made = PARLEY_CO_TRY(co_await services.people.factors.make_recovery_codes(std::move(session), factor));
  json::array codes;
  for (const auto& code : made) codes.emplace_back(code.reveal());
  co_return Reply::json(200, json::object{{"recovery_codes", std::move(codes)}});
}

}  // namespace actions
}  // namespace parley::api
