#include <algorithm>

#include "parley/admission/admission.h"
#include "parley/admission/slots.h"
#include "parley/api/actions.h"
#include "parley/api/openapi.h"
#include "parley/api/pages.h"
#include "parley/api/recorder.h"
#include "parley/api/services.h"
#include "parley/api/web_files.h"
#include "parley/chat/turns.h"
#include "parley/identity/identity_token_issuers.h"
#include "parley/identity/key_store.h"
#include "parley/identity/origin.h"
#include "parley/identity/project.h"
#include "parley/identity/project_directory.h"
#include "parley/identity/set_up.h"
#include "parley/identity/tenant_door.h"
#include "parley/identity/visitor_token.h"
#include "parley/knowledge/library.h"
#include "parley/log/log.h"
#include "parley/text/json.h"

namespace parley::api {

namespace json = boost::json;

namespace {

json::array to_json(const std::vector<chat::Citation>& citations) {
  json::array array;
  for (const auto& c : citations) {
    json::object source{{"title", c.title}, {"url", c.url}};
    if (!c.quote.empty()) source["quote"] = c.quote;
    array.push_back(std::move(source));
  }
  return array;
}

/// Of somebody whose own server says what it is, the page does not say otherwise.
std::optional<std::string> email_of(const Principal& who, std::optional<std::string> said) {
  return who.identity && who.identity->email ? who.identity->email : std::move(said);
}

/// Who the visitor is whom this token speaks of. One that does not hold is a bad credential, and on record as one.
Async<identity::VerifiedVisitor> require_identity(Services& services, Context context, Principal who,
                                                  ProjectRef project, std::string token) {
  auto visitor = co_await services.issuers.verify(project.tenant, project.project, std::move(token));
  if (visitor || visitor.error().code() != Code::unauthenticated) co_return visitor;
  // Whoever set the site up looks here, since the answer tells nothing: the difference is in texts of ours alone.
  log::write(log::Level::info, "identity_token_refused",
             {{"request_id", context.request},
              {"tenant", project.tenant},
              {"project", project.project},
              log::Field::operator_text("detail", visitor.error().operator_detail())});
  constexpr Literal rule = "identity_invalid";
  if (who.kind == PrincipalKind::secret_key)
    (void)co_await services.trail.note(context.request, std::move(who), MintVisitor::info.name, rule,
                                       trail::Decision::refused);
  else services.trail.count_anonymous_refusal(rule);
  co_return visitor;
}

}  // namespace

namespace actions {

Async<Reply> GetProject::handle(Services& services, Context, Authorized<Permission> permit, Validated<Input>) {
  const auto session = services.door.open(permit);
  const ProjectId id = permit.project().project;
  const auto project = PARLEY_CO_TRY(
      co_await session.read([&](db::TenantReader& reader) { return identity::load_project(reader, id); }));
  const auto settings = identity::page_settings(project);
  const bool is_private = permit.project().access->visibility == Visibility::private_project;
  json::array suggested(settings.suggested_questions.begin(), settings.suggested_questions.end());
  co_return Reply::json(200, json::object{{"name", project.name},
                                          {"whitelabel", false},
                                          {"suggested_questions", std::move(suggested)},
                                          {"initial_message", settings.initial_message},
                                          {"filters", json::array()},
                                          {"think_mode", false},
                                          {"is_private", is_private},
                                          {"mcp_enabled", false},
                                          {"mcp_server_name", ""},
                                          {"mcp_metadata_tag", ""}});
}

Async<Reply> Search::handle(Services& services, Context, Authorized<Permission> permit, Validated<Input> input) {
  const auto hits = PARLEY_CO_TRY(co_await services.library.search(permit, input->q));
  json::array results;
  for (const auto& hit : hits) {
    results.push_back(json::object{{"title", hit.title},
                                   {"page_title", hit.page_title},
                                   {"fragment", hit.fragment},
                                   {"url", hit.url},
                                   {"score", hit.score},
                                   {"domain", hit.domain},
                                   {"is_title_match", hit.is_title_match}});
  }
  co_return Reply::json(200, json::object{{"results", std::move(results)}});
}

Async<Reply> SendMessage::handle(Services& services, Context context, Authorized<Permission> permit,
                                 Validated<Input> input) {
  const admission::Target target{permit.project().tenant, permit.project().project, input->chat_uuid};
  const auto refused = co_await services.admission.admit_target(admission::Work::chat, permit.who(), target);
  if (refused) co_return fail(refused->error());
  // From here on it costs: a place to run in, shared out fairly between organisations, held until it is answered.
  const auto slot = PARLEY_CO_TRY(co_await services.slots.enter(permit.tenant()));
  chat::Question question{.message = Untrusted<>(input->message, Origin::user),
                          .chat = input->chat_uuid,
                          .page_url = input->url,
                          .email = email_of(permit.who(), input->email),
                          .metadata = input->metadata,
                          .request = context.request};
  const auto answer =
      PARLEY_CO_TRY(co_await services.turns.ask(std::move(permit), std::move(question), context.deltas));
  json::object body{{"user_message_id", answer.user_message.to_string()},
                    {"ai_message", json::object{{"from", "ai"},
                                                {"message", answer.text},
                                                {"messageId", answer.ai_message.to_string()},
                                                {"isPartial", false},
                                                {"incomplete", answer.incomplete},
                                                {"timestamp", to_rfc3339(answer.at)},
                                                {"sources", to_json(answer.citations)}}},
                    {"chat_uuid", answer.chat.to_string()},
                    {"answered", answer.answered}};
  co_return Reply::json(answer.new_chat ? 201 : 200, body);
}

Async<Reply> CreateVisitor::handle(Services& services, Context context, Authorized<Permission> permit,
                                   Validated<Input> input) {
  const Principal& who = permit.who();
  identity::VisitorPass pass{.visitor = crypto::random_uuid(services.random),
                             .tenant = permit.tenant(),
                             .project = permit.project().project,
                             .scopes = who.scopes,
                             .origin = context.sender.origin};
  // A page of ours stands for a public project, so for what a public key may hold, whoever has signed in there: nobody
  // vouches for the token, so it would outlive their role.
  if (who.kind == PrincipalKind::anonymous || who.kind == PrincipalKind::member) pass.scopes = ScopeSet::public_keys();
  if (who.kind == PrincipalKind::secret_key) {
    // A server's request says nothing of the page that will use the token, and a token good on any page is none.
    if (!input->origin) co_return fail(Error(Code::invalid_argument, "is needed with a secret key").about("origin"));
    pass.origin = PARLEY_CO_TRY(identity::parse_origin(*input->origin));
    if (!identity::is_listed(permit.project().access->origins, pass.origin))
      co_return fail(Code::permission_denied, "the project does not list this origin");
  } else if (input->origin) {
    co_return fail(Error(Code::invalid_argument, "is for secret keys alone").about("origin"));
  }
  if (!input->identity_token && permit.project().access->visitors == ProjectAccess::Visitors::verified) {
    Error error = Error(Code::permission_denied, "is needed in this project").about("identity_token");
    co_return std::unexpected(
        co_await detail::refuse(services, context, Permission::info, who, {std::move(error), "visitor_unverified"}));
  }
  std::optional<Timestamp> not_after;
  if (input->identity_token) {
    auto verifying =
        require_identity(services, context, who, permit.project(), std::string(input->identity_token->reveal()));
    auto visitor = PARLEY_CO_TRY(co_await std::move(verifying));
    const auto key = PARLEY_CO_TRY(co_await services.door.key(permit));
    pass.visitor = identity::visitor_id_of(visitor, pass.project, *key);
    pass.groups = std::move(visitor.groups);
    pass.identity = VerifiedIdentity{visitor.issuer, std::move(visitor.subject), std::move(visitor.email)};
    // What the site's server has said holds for as long as it said so, and must be said again then.
    not_after = visitor.holds_until();
  }
  if (who.kind == PrincipalKind::secret_key || who.kind == PrincipalKind::public_key) {
    const auto key = PARLEY_CO_TRY(co_await services.keys.load(permit.tenant(), KeyId(who.id)));
    pass.vouched_by = identity::VisitorPass::Voucher{key.id, key.digest};
  }
  const auto minted = services.visitor_tokens.mint(pass, not_after);
  co_return Reply::json(201, json::object{{"token", minted.token},
                                          {"expires_in", minted.expires_in.count()},
                                          {"visitor", pass.visitor.to_string()},
                                          {"verified", pass.identity.has_value()}});
}

}  // namespace actions

namespace pages {

Async<Reply> liveness(Services&, Context) { co_return Reply::json(200, json::object{{"status", "ok"}}); }

Async<Reply> readiness(Services& services, Context) {
  const bool ready = services.health.ready();
  co_return Reply::json(ready ? 200 : 503, json::object{{"status", ready ? "ready" : "not ready"}});
}

Async<Reply> description(Services&, Context) {
  // The same for the life of the program.
  static const std::string text = json::serialize(openapi());
  co_return Reply{.body = text, .headers = {}};
}

Async<Reply> home(Services& services, Context) { co_return Reply::html(200, services.web.page("home.html")); }

Async<Reply> demo(Services& services, Context context) {
  // The same page for every slug, known or not: whether a project exists is told by what the page asks for, not by it.
  Reply page = Reply::html(200, services.web.page("demo.html"));
  const auto project = PARLEY_CO_TRY(co_await services.projects.find_public(std::string(context.parameter)));
  // A public project's page may stand in a frame on the sites that may ask it. Others look like one that is not there.
  if (project) page.frame_ancestors = project->access->origins;
  co_return page;
}

Async<Reply> asset(Services& services, Context context) {
  const WebFile* file = services.web.find_asset(context.parameter);
  if (!file) co_return fail(Code::not_found, "no such address");
  co_return Reply{.kind = Reply::Kind::asset, .content_type = file->content_type, .body = file->bytes, .headers = {}};
}

Async<Reply> set_up(Services& services, Context) { co_return Reply::html(200, services.web.page("setup.html")); }

}  // namespace pages

Async<Reply> SetUpFirst::handle(Services& services, Context context, Validated<Input> input) {
  const auto made = PARLEY_CO_TRY(
      co_await services.set_up.run(Secret(input->token), input->organisation, input->email, Secret(input->password)));
  PARLEY_CO_TRY(co_await services.trail.set_up(context.request, made.tenant, made.account));
  co_return Reply::json(201, json::object{{"account", made.account.to_string()}, {"tenant", made.tenant.to_string()}});
}

}  // namespace parley::api
