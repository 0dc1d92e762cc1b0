#include "parley/api/providers.h"

#include <algorithm>

#include "parley/api/recorder.h"
#include "parley/api/services.h"
#include "parley/api/session.h"
#include "parley/api/signing_in.h"
#include "parley/identity/members.h"
#include "parley/identity/oidc_sign_in.h"
#include "parley/identity/second_factors.h"
#include "parley/identity/tenant_store.h"
#include "parley/log/log.h"
#include "parley/text/percent.h"

namespace parley::api {

namespace json = boost::json;

namespace {

Reply redirect(std::string address) {
  // 303: whatever brought the browser here, it goes on by asking for a page.
  Reply reply{
      .status = 303, .kind = Reply::Kind::page, .content_type = "text/html; charset=utf-8", .body = {}, .headers = {}};
  reply.headers.push_back({"Location", std::move(address)});
  return reply;
}

/// How far a sign-in got: the same code means something else before the provider's word on a person held.
enum class Stage : std::uint8_t { asking_provider, person_named };

/// Words that the sign-in page knows: neither what a provider says nor what a person is called gets into an address.
Literal problem_of(Code code, Stage stage) {
  if (code == Code::unauthenticated) return "refused";
  if (code == Code::rate_limited) return "limit";
  if (stage == Stage::person_named && code == Code::permission_denied) return "not-let-in";
  if (stage == Stage::person_named && code == Code::conflict) return "known-address";
  return "unavailable";
}

/// Back to the sign-in page, which says what happened.
Reply tell(const Context& context, const Error& error, Stage stage, std::string_view to) {
  // Why it failed is for whoever sets a provider up to find out; who was not let in, and with which address, is not for
  // the log.
  const bool nameless = stage == Stage::asking_provider || error.code() == Code::unauthenticated;
  log::write(log::Level::warning, "provider_sign_in_failed",
             {{"request_id", context.request},
              {"reason", error.reason()},
              log::Field::operator_text("detail", nameless ? error.operator_detail() : std::string())});
  std::string address = "/sign-in?problem=";
  address += problem_of(error.code(), stage).view();
  if (to != return_path("")) (address += "&to=") += text::percent_encode(to);
  Reply reply = redirect(std::move(address));
  drop_cookie(reply, ticket_cookie);
  return reply;
}

std::string asked_path(const Context& context) {
  const auto parameters = text::parse_query(context.head->query);
  if (!parameters) return return_path("");
  const auto found = std::ranges::find(*parameters, "to", &text::QueryParameter::name);
  return return_path(found == parameters->end() ? std::string_view() : std::string_view(found->value));
}

Async<identity::ProviderRequest> begin(Services& services, Context context, identity::SignInProviderId id,
                                       std::string to) {
  PARLEY_CO_TRY(co_await admit_try(services, context, no_account));
  const auto provider = PARLEY_CO_TRY(co_await services.people.providers.load_any(id));
  co_return co_await services.people.providers.begin(provider.tenant, provider.id, "", std::move(to));
}

/// Whom a provider's word is about is not known before it holds; which organisation's trail is concerned is.
struct Concerned {
  std::optional<TenantId> tenant;
};

/// What the sign-in has changed, on the trail of the provider's organisation. That it was about to is there already.
Async<> record_changes(Services& services, RequestId request, identity::ProviderProof proof) {
  const auto record = [&](Literal action, Literal rule) {
    return services.trail.write(request, person(proof.account, proof.tenant), action, rule,
                                trail::Object("account", proof.account));
  };
  using Made = identity::ProviderProof::Made;
  if (proof.made == Made::account) PARLEY_CO_TRY(co_await record("account.create", "provider"));
  if (proof.made == Made::link) PARLEY_CO_TRY(co_await record("account.provider.link", "provider"));
  if (!proof.role_before) PARLEY_CO_TRY(co_await record("members.join", "provider"));
  else if (*proof.role_before != proof.role) PARLEY_CO_TRY(co_await record("members.change", "provider_groups"));
  co_return Result<void>();
}

Async<identity::ProviderProof> finish(Services& services, Context context, Concerned* concerned) {
  PARLEY_CO_TRY(co_await admit_try(services, context, no_account));
  auto ticket = PARLEY_CO_TRY(require_ticket(context));
  auto before = [&services, request = context.request, concerned](const identity::SignInProvider& provider) {
    concerned->tenant = provider.tenant;
    return services.trail.write(request, Principal{.tenant = provider.tenant}, "provider.sign_in", "id_token",
                                trail::Object("provider", provider.id));
  };
  auto proof = PARLEY_CO_TRY(
      co_await services.people.providers.finish("", std::move(ticket), context.head->query, std::move(before)));
  // A role that was given or changed a moment ago counts at once.
  services.people.members.forget(proof.account, proof.tenant);
  PARLEY_CO_TRY(co_await record_changes(services, context.request, proof));
  co_return proof;
}

Async<Reply> go_on(Services& services, Context context, identity::ProviderProof proof) {
  if (proof.asked_to_link) {
    // Whoever asked is signed in, by a cookie that stayed behind when the provider sent them here.
    if (proof.made == identity::ProviderProof::Made::link)
      co_await tell_owner(services, proof.account, "a sign-in provider was linked");
    Reply back = redirect("/account");
    drop_cookie(back, ticket_cookie);
    co_return back;
  }
  auto session = PARLEY_CO_TRY(co_await services.people.sessions.begin(
      proof.proven.value(), {.client = client_of(context), .tenant = proof.tenant}));
  PARLEY_CO_TRY(co_await record_on_account(services, context.request, proof.account, "session.begin",
                                           proof.used_factor ? Literal("provider_with_factor") : Literal("provider")));
  const std::string to = return_path(proof.return_to);
  // What is still owed is asked for by the sign-in page.
  Reply reply = redirect(
      session.session->assurance == identity::Assurance::full ? to : "/sign-in?to=" + text::percent_encode(to));
  put_session(reply, session.token);
  drop_cookie(reply, ticket_cookie);
  co_return reply;
}

}  // namespace

namespace actions {

namespace {

/// A further way in is added, or one taken away: whoever has a second factor has shown it just now.
Async<> require_shown(Services& services, identity::FullSession session) {
  const auto kinds = PARLEY_CO_TRY(co_await services.people.factors.kinds_of(session->account));
  if (!kinds.empty()) PARLEY_CO_TRY(services.people.sessions.fresh_factor(session));
  co_return Result<void>();
}

}  // namespace

Async<Reply> ListLinkedProviders::handle(Services& services, Context context, Authorized<SeeLinkedProviders>,
                                         Validated<NoInput>) {
  const auto session = PARLEY_CO_TRY(co_await require_full_session(services, context));
  json::array linked, offered;
  const auto mine = PARLEY_CO_TRY(co_await services.people.providers.identities_of(session->account));
  for (const auto& identity : mine)
    linked.push_back(json::object{{"id", identity.provider.to_string()},
                                  {"name", identity.provider_name},
                                  {"created_at", to_rfc3339(identity.created_at)},
                                  {"last_used_at", to_rfc3339(identity.last_used_at)}});
  if (session->tenant && services.people.providers.can_begin())
    for (const auto& provider : PARLEY_CO_TRY(co_await services.people.providers.list(*session->tenant)))
      if (std::ranges::find(mine, provider.id, &identity::LinkedIdentity::provider) == mine.end())
        offered.push_back(json::object{{"id", provider.id.to_string()}, {"name", provider.name}});
  co_return Reply::json(200, json::object{{"linked", std::move(linked)}, {"offered", std::move(offered)}});
}

Async<Reply> PostLinkedProvider::handle(Services& services, Context context, Authorized<LinkProvider> permit,
                                        Validated<ProviderChoice> input) {
  const auto session = PARLEY_CO_TRY(co_await require_full_session(services, context));
  if (!services.people.providers.can_begin())
    co_return fail(Code::unsupported, "signing in elsewhere needs the server to have a public address");
  if (!session->tenant) co_return fail(Code::not_found, "there is no such sign-in provider");
  PARLEY_CO_TRY(co_await require_shown(services, session));
  PARLEY_CO_TRY(
      co_await record_on_account(services, context.request, session->account, LinkProvider::info.name, permit.rule()));
  const auto begun = PARLEY_CO_TRY(
      co_await services.people.providers.begin(*session->tenant, input->provider, "", "/account", session->account));
  Reply reply = Reply::json(200, json::object{{"address", begun.address}});
  put_ticket(reply, begun.ticket, TicketFor::sign_in_back);
  co_return reply;
}

Async<Reply> DeleteLinkedProvider::handle(Services& services, Context context, Authorized<LinkProvider> permit,
                                          Validated<NoInput>) {
  const auto session = PARLEY_CO_TRY(co_await require_full_session(services, context));
  const auto id = PARLEY_CO_TRY(id_in<identity::SignInProviderId>(context));
  PARLEY_CO_TRY(co_await require_shown(services, session));
  PARLEY_CO_TRY(co_await record_on_account(services, context.request, session->account, "account.provider.unlink",
                                           permit.rule()));
  PARLEY_CO_TRY(co_await services.people.providers.unlink(session->account, id));
  co_await tell_owner(services, session->account, "a sign-in provider was unlinked");
  co_return Reply{.status = 204, .body = {}, .headers = {}};
}

}  // namespace actions

std::string return_path(std::string_view to) {
  constexpr std::string_view demo = "/demo/";
  constexpr std::size_t slug_bytes_max = 100;
  for (const std::string_view page : {"/account", "/members", "/keys"})
    if (to == page) return std::string(to);
  if (to.starts_with(demo)) {
    const auto slug = to.substr(demo.size());
    const bool plain = std::ranges::all_of(slug, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
    if (plain && !slug.empty() && slug.size() <= slug_bytes_max) return std::string(to);
  }
  return "/account";
}

Async<Reply> ListProviders::handle(Services& services, Context context, Validated<Input> input) {
  json::array rows;
  if (input->organisation && services.people.providers.can_begin()) {
    // Names of organisations could be tried here.
    PARLEY_CO_TRY(co_await admit_try(services, context, no_account));
    if (const auto tenant = PARLEY_CO_TRY(co_await services.people.tenants.find_by_name(*input->organisation)))
      for (const auto& provider : PARLEY_CO_TRY(co_await services.people.providers.list(tenant->id)))
        rows.push_back(json::object{{"id", provider.id.to_string()},
                                    {"name", provider.name},
                                    {"start", "/sign-in/with/" + provider.id.to_string()}});
  }
  co_return Reply::json(200, json::object{{"providers", std::move(rows)}});
}

Async<Reply> start_at_provider(Services& services, Context context) {
  const auto id = PARLEY_CO_TRY(id_in<identity::SignInProviderId>(context));
  const std::string to = asked_path(context);
  const auto begun = co_await begin(services, context, id, to);
  if (!begun) co_return tell(context, begun.error(), Stage::asking_provider, to);
  Reply reply = redirect(begun->address);
  put_ticket(reply, begun->ticket, TicketFor::sign_in_back);
  co_return reply;
}

Async<Reply> return_from_provider(Services& services, Context context) {
  Concerned concerned;
  auto proof = co_await finish(services, context, &concerned);
  if (!proof) {
    const Error& error = proof.error();
    const auto stage = concerned.tenant ? Stage::person_named : Stage::asking_provider;
    if (concerned.tenant)
      PARLEY_CO_TRY(co_await services.trail.refused(context.request, Principal{.tenant = concerned.tenant},
                                                    "session.begin", problem_of(error.code(), stage)));
    else services.trail.count_anonymous_refusal("provider_refused");
    co_return tell(context, error, stage, return_path(""));
  }
  auto reply = co_await go_on(services, context, *std::move(proof));
  if (!reply) co_return tell(context, reply.error(), Stage::person_named, return_path(""));
  co_return reply;
}

}  // namespace parley::api
