#include <algorithm>

#include "parley/admission/admission.h"
#include "parley/api/actions.h"
#include "parley/api/openapi.h"
#include "parley/api/pages.h"
#include "parley/api/recorder.h"
#include "parley/api/services.h"
#include "parley/api/web_files.h"
#include "parley/chat/turns.h"
#include "parley/identity/project.h"
#include "parley/identity/set_up.h"
#include "parley/identity/tenant_door.h"
#include "parley/identity/visitor_token.h"
#include "parley/knowledge/library.h"
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

}  // namespace

namespace actions {

Async<Reply> GetProject::handle(Services& services, Context, Authorized<Permission> permit, Validated<Input>) {
  const auto session = services.door.open(permit);
  const ProjectId id = permit.project().project;
  const auto project = PARLEY_CO_TRY(
      co_await session.read([&](db::TenantReader& reader) { return identity::load_project(reader, id); }));
  const auto settings = identity::page_settings(project);
  const bool is_private = permit.project().visibility == ProjectRef::Visibility::private_;
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
  chat::Question question{.message = Untrusted<>(input->message, Origin::user),
                          .chat = input->chat_uuid,
                          .page_url = input->url,
                          .email = input->email,
                          .metadata = input->metadata,
                          .request = context.request};
  const auto answer =
      PARLEY_CO_TRY(co_await services.turns.ask(std::move(permit), std::move(question), context.deltas));
  json::object body{{"user_message_id", answer.user_message.to_string()},
                    {"ai_message", json::object{{"from", "ai"},
                                                {"message", answer.text},
                                                {"messageId", answer.ai_message.to_string()},
                                                {"isPartial", false},
                                                {"timestamp", to_rfc3339(answer.at)},
                                                {"sources", to_json(answer.citations)}}},
                    {"chat_uuid", answer.chat.to_string()},
                    {"answered", answer.answered}};
  co_return Reply::json(answer.new_chat ? 201 : 200, body);
}

Async<Reply> CreateVisitor::handle(Services& services, Context, Authorized<Permission> permit, Validated<Input>) {
  // A page of ours that asks without a credential stands for a public project, so for what a public key may hold.
  const ScopeSet scopes = permit.who().kind == PrincipalKind::anonymous ? ScopeSet::public_keys() : permit.who().scopes;
  const auto minted = services.visitor_tokens.mint(permit.project(), scopes);
  co_return Reply::json(201, json::object{{"token", minted.token},
                                          {"expires_in", minted.expires_in.count()},
                                          {"visitor", minted.visitor.to_string()}});
}

}  // namespace actions

namespace pages {

Async<Reply> liveness(Services&, Context, std::string) { co_return Reply::json(200, json::object{{"status", "ok"}}); }

Async<Reply> readiness(Services& services, Context, std::string) {
  const bool ready = services.health.ready();
  co_return Reply::json(ready ? 200 : 503, json::object{{"status", ready ? "ready" : "not ready"}});
}

Async<Reply> description(Services&, Context, std::string) {
  // The same for the life of the program.
  static const std::string text = json::serialize(openapi());
  co_return Reply{.body = text, .headers = {}};
}

Async<Reply> home(Services& services, Context, std::string) {
  co_return Reply::html(200, services.web.page("home.html"));
}

Async<Reply> demo(Services& services, Context, std::string) {
  // The same page for every slug, known or not: whether a project exists is told by what the page asks for, not by it.
  co_return Reply::html(200, services.web.page("demo.html"));
}

Async<Reply> asset(Services& services, Context context, std::string) {
  const WebFile* file = services.web.find_asset(context.parameter);
  if (!file) co_return fail(Code::not_found, "no such address");
  co_return Reply{.kind = Reply::Kind::asset, .content_type = file->content_type, .body = file->bytes, .headers = {}};
}

Async<Reply> set_up_form(Services& services, Context, std::string) {
  co_return Reply::html(200, services.web.page("setup.html"));
}

namespace {

struct SetUpInput {
  std::string token, organisation, email, password;
  static constexpr auto fields() {
    return std::tuple{
        field("token", &SetUpInput::token, {.required = Required::yes, .length_max = 200, .doc = "From the link"}),
        field("organisation", &SetUpInput::organisation,
              {.required = Required::yes, .length_max = 100, .doc = "Name of the first tenant"}),
        field("email", &SetUpInput::email, {.required = Required::yes, .length_max = 254, .doc = "E-mail address"}),
        field("password", &SetUpInput::password, {.required = Required::yes, .length_max = 1'000, .doc = "Password"}),
    };
  }
};

}  // namespace

Async<Reply> set_up(Services& services, Context context, std::string body) {
  // Another site's page may not fill in this form, and its browser would say that it is not ours.
  const auto site = context.head->header("Sec-Fetch-Site");
  if (site && *site != "same-origin")
    co_return fail(Code::permission_denied, "only this server's own page may do this");
  if (!is_json_type(context.head->header("Content-Type")))
    co_return fail(Code::unsupported, "the body must be application/json");
  const auto value = PARLEY_CO_TRY(text::parse_json(body));
  const auto* object = value.if_object();
  if (!object) co_return fail(Code::invalid_argument, "the body must be a JSON object");
  auto input = PARLEY_CO_TRY(read_wire<SetUpInput>(*object));
  const auto made =
      PARLEY_CO_TRY(co_await services.set_up.run(Secret(std::move(input.token)), std::move(input.organisation),
                                                 std::move(input.email), Secret(std::move(input.password))));
  PARLEY_CO_TRY(co_await services.trail.set_up(context.request, made.tenant, made.account));
  co_return Reply::json(201, json::object{{"account", made.account.to_string()}, {"tenant", made.tenant.to_string()}});
}

}  // namespace pages

}  // namespace parley::api
