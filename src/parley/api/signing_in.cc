#include "parley/api/signing_in.h"

#include "parley/admission/admission.h"
#include "parley/api/letters.h"
#include "parley/api/recorder.h"
#include "parley/api/services.h"
#include "parley/api/session.h"
#include "parley/identity/account_store.h"
#include "parley/identity/client_label.h"
#include "parley/identity/members.h"
#include "parley/identity/second_factors.h"
#include "parley/log/log.h"

namespace parley::api {

namespace json = boost::json;

using identity::Assurance;

Literal needs(Assurance assurance) {
  switch (assurance) {
    case Assurance::full: return "nothing";
    case Assurance::factor_owed: return "factor";
    case Assurance::enrolment_owed: return "enrolment";
  }
  std::unreachable();
}

json::array names_of(const std::vector<identity::FactorKind>& kinds) {
  json::array names;
  for (const auto kind : kinds) names.emplace_back(identity::name(kind));
  return names;
}

std::string client_of(const Context& context) {
  return identity::client_label(context.head->header("User-Agent").value_or(""));
}

Principal person(AccountId account, TenantId tenant) {
  return {.kind = PrincipalKind::member, .id = account.uuid(), .tenant = tenant};
}

Async<> record_on_account(Services& services, RequestId request, AccountId account, Literal action, Literal rule) {
  for (const auto& membership : PARLEY_CO_TRY(co_await services.people.members.list_of(account)))
    PARLEY_CO_TRY(co_await services.trail.write(request, person(account, membership.tenant), action, rule,
                                                trail::Object("account", account)));
  co_return Result<void>();
}

std::unexpected<Error> refuse_try(Services& services, Error error, Literal rule) {
  if (error.code() == Code::unauthenticated) services.trail.count_anonymous_refusal(rule);
  return std::unexpected(std::move(error));
}

Async<> admit_try(Services& services, const Context& context, std::string subject) {
  const auto refused = co_await services.admission.admit_log_in(*context.from, std::move(subject));
  if (refused) co_return fail(refused->error());
  co_return Result<void>();
}

Async<Reply> begun(Services& services, identity::BegunSession session, json::object more) {
  const auto kinds = PARLEY_CO_TRY(co_await services.people.factors.kinds_of(session.session->account));
  const auto presented = PARLEY_CO_TRY(identity::parse_session_token(session.token.reveal()));
  more["needs"] = needs(session.session->assurance).view();
  more["factors"] = names_of(kinds);
  more["csrf"] = presented.csrf_token();
  Reply reply = Reply::json(200, more);
  put_session(reply, session.token);
  co_return reply;
}

Async<> record_refusal_on_account(Services& services, RequestId request, AccountId account, Literal action,
                                  Literal rule) {
  for (const auto& membership : PARLEY_CO_TRY(co_await services.people.members.list_of(account)))
    PARLEY_CO_TRY(co_await services.trail.refused(request, person(account, membership.tenant), action, rule));
  co_return Result<void>();
}

asio::awaitable<void> tell_owner(Services& services, AccountId account, Literal what) {
  auto owner = co_await services.people.accounts.load(account);
  if (owner) services.people.letters.send_notice(std::move(owner->email), what);
  else log::write(log::Level::error, "letter_not_sent", {{"reason", owner.error().reason()}});
}

}  // namespace parley::api
