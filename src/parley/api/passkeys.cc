#include "parley/api/passkeys.h"

#include "parley/api/recorder.h"
#include "parley/api/services.h"
#include "parley/api/session.h"
#include "parley/api/signing_in.h"
#include "parley/identity/second_factors.h"
#include "parley/log/log.h"
#include "parley/text/json.h"

namespace parley::api {

namespace json = boost::json;

namespace {

Result<Reply> with_options(const identity::PasskeyRequest& request) {
  Reply reply = Reply::json(200, json::object{{"publicKey", PARLEY_TRY(text::parse_json(request.options))}});
  put_ticket(reply, request.ticket, TicketFor::own_page);
  return reply;
}

/// Whoever has the copy may be asking, or the owner: neither gets in with it, and the organisations hear of it.
Async<> refuse_copied(Services& services, Context context, identity::PasskeyProof proof, Literal action) {
  if (!proof.copied) co_return Result<void>();
  log::write(log::Level::warning, "passkey_copied",
             {{"request_id", context.request}, {"account", proof.account}, {"passkey", proof.passkey}});
  PARLEY_CO_TRY(co_await record_refusal_on_account(services, context.request, proof.account, action, "passkey_copied"));
  co_return fail(Code::unauthenticated, "the passkey was not accepted");
}

/// By which tries of one passkey are counted together; a text that is none is refused soon after.
std::string subject_of(const json::object& credential) {
  const auto* id = credential.if_contains("id");
  return id && id->is_string() ? "passkey " + std::string(id->get_string()) : std::string();
}

Async<Reply> sign_in_by_passkey(Services& services, Context context, json::object credential) {
  const auto ticket = PARLEY_CO_TRY(require_ticket(context));
  PARLEY_CO_TRY(co_await admit_try(services, context, subject_of(credential)));
  auto proof = co_await services.people.passkeys.finish_sign_in("", ticket, json::serialize(credential));
  if (!proof) co_return refuse_try(services, std::move(proof).error(), "passkey_refused");
  PARLEY_CO_TRY(co_await refuse_copied(services, context, *proof, "session.begin"));
  auto session = PARLEY_CO_TRY(
      co_await services.people.sessions.begin(proof->proven.value(), {.client = client_of(context), .tenant = {}}));
  // The token is told only with the reply, so the record still comes before the effect.
  PARLEY_CO_TRY(co_await record_on_account(services, context.request, proof->account, "session.begin", "passkey"));
  Reply reply = PARLEY_CO_TRY(co_await begun(services, std::move(session)));
  drop_cookie(reply, ticket_cookie);
  co_return reply;
}

}  // namespace

Async<Reply> BeginPasskey::handle(Services& services, Context context, Validated<Input>) {
  auto session = PARLEY_CO_TRY(co_await find_open_session(services, context));
  if (session)
    co_return with_options(PARLEY_CO_TRY(co_await services.people.passkeys.begin_factor(*std::move(session))));
  co_return with_options(PARLEY_CO_TRY(services.people.passkeys.begin_sign_in()));
}

Async<Reply> PresentPasskey::handle(Services& services, Context context, Validated<Input> input) {
  auto session = PARLEY_CO_TRY(co_await find_open_session(services, context));
  if (session) co_return co_await raise_by_passkey(services, context, *std::move(session), input->credential);
  co_return co_await sign_in_by_passkey(services, context, input->credential);
}

Async<Reply> raise_by_passkey(Services& services, Context context, identity::OpenSession session,
                              json::object credential) {
  const AccountId account = session->account;
  const auto ticket = PARLEY_CO_TRY(require_ticket(context));
  PARLEY_CO_TRY(co_await admit_try(services, context, account.to_string()));
  auto proof = co_await services.people.passkeys.finish_factor(session, ticket, json::serialize(credential));
  if (!proof) co_return refuse_try(services, std::move(proof).error(), "factor_refused");
  PARLEY_CO_TRY(co_await refuse_copied(services, context, *proof, "session.raise"));
  auto raised = PARLEY_CO_TRY(co_await services.people.sessions.raise(std::move(session), proof->factor.value()));
  PARLEY_CO_TRY(co_await record_on_account(services, context.request, account, "session.raise", "passkey"));
  Reply reply = PARLEY_CO_TRY(co_await begun(services, std::move(raised)));
  drop_cookie(reply, ticket_cookie);
  co_return reply;
}

namespace actions {

Async<Reply> BeginPasskeyRegistration::handle(Services& services, Context context, Authorized<AddPasskey>,
                                              Validated<NoInput>) {
  auto session = PARLEY_CO_TRY(co_await require_open_session(services, context));
  std::optional<identity::ProvenFactor> fresh;
  if (auto factor = services.people.sessions.fresh_factor(session)) fresh = *std::move(factor);
  co_return with_options(
      PARLEY_CO_TRY(co_await services.people.passkeys.begin_registration(std::move(session), fresh)));
}

Async<Reply> PostPasskey::handle(Services& services, Context context, Authorized<AddPasskey> permit,
                                 Validated<PasskeyInput> input) {
  auto session = PARLEY_CO_TRY(co_await require_open_session(services, context));
  const AccountId account = session->account;
  const auto ticket = PARLEY_CO_TRY(require_ticket(context));
  PARLEY_CO_TRY(co_await admit_try(services, context, account.to_string()));
  PARLEY_CO_TRY(co_await record_on_account(services, context.request, account, AddPasskey::info.name, permit.rule()));
  auto made = co_await services.people.passkeys.finish_registration(session, ticket, json::serialize(input->credential),
                                                                    input->name);
  if (!made) co_return refuse_try(services, std::move(made).error(), "passkey_refused");
  auto raised = PARLEY_CO_TRY(co_await services.people.sessions.raise(std::move(session), made->factor));
  json::object more{{"id", made->passkey.id.to_string()}};
  // For when the passkey is lost, which may be all they have.
  if (PARLEY_CO_TRY(co_await services.people.factors.recovery_codes_left(account)) == 0) {
    auto full = PARLEY_CO_TRY(identity::SessionStore::as_full(raised.session));
    json::array codes;
    for (const auto& code :
         PARLEY_CO_TRY(co_await services.people.factors.make_recovery_codes(std::move(full), made->factor)))
      codes.emplace_back(code.reveal());
    more["recovery_codes"] = std::move(codes);
  }
  co_await tell_owner(services, account, "a passkey was added");
  Reply reply = PARLEY_CO_TRY(co_await begun(services, std::move(raised), std::move(more)));
  reply.status = 201;
  drop_cookie(reply, ticket_cookie);
  co_return reply;
}

Async<Reply> PutPasskey::handle(Services& services, Context context, Authorized<ManagePasskeys> permit,
                                Validated<PasskeyNameInput> input) {
  const auto session = PARLEY_CO_TRY(co_await require_full_session(services, context));
  const auto id = PARLEY_CO_TRY(id_in<identity::PasskeyId>(context));
  PARLEY_CO_TRY(
      co_await record_on_account(services, context.request, session->account, "account.passkey.rename", permit.rule()));
  PARLEY_CO_TRY(co_await services.people.passkeys.rename(session->account, id, input->name));
  co_return Reply{.status = 204, .body = {}, .headers = {}};
}

Async<Reply> DeletePasskey::handle(Services& services, Context context, Authorized<ManagePasskeys> permit,
                                   Validated<NoInput>) {
  const auto session = PARLEY_CO_TRY(co_await require_full_session(services, context));
  const auto id = PARLEY_CO_TRY(id_in<identity::PasskeyId>(context));
  const auto factor = PARLEY_CO_TRY(services.people.sessions.fresh_factor(session));
  PARLEY_CO_TRY(
      co_await record_on_account(services, context.request, session->account, "account.passkey.remove", permit.rule()));
  PARLEY_CO_TRY(co_await services.people.passkeys.remove(factor, id));
  co_await tell_owner(services, session->account, "a passkey was removed");
  co_return Reply{.status = 204, .body = {}, .headers = {}};
}

}  // namespace actions
}  // namespace parley::api
