// Ways round: other spellings of a request that some server somewhere judges by one reading and serves by another. Here
// there is one reading, so each of them is either the request it looks like, or none.

#include <boost/json.hpp>

#include "parley/text/json.h"
#include "tests/callers.h"
#include "tests/calls.h"
#include "tests/served.h"

namespace parley::scenarios {
namespace {

namespace json = boost::json;

using api::Route;
using testing::blanked;
using testing::HttpAnswer;
using testing::HttpCall;
using testing::HttpHeader;
using testing::TestProject;
using testing::TestServer;

bool is_success(const HttpAnswer& answer) { return answer.status >= 200 && answer.status < 300; }

class AccessBypass : public Served<AccessBypass> {
 protected:
  /// A few who are refused, each for another reason, and some who are not.
  static std::vector<Caller> few(const Target& target) {
    return callers(
        *server_, target,
        {"none", "none, own page", "revoked", "other organisation's key", "other organisation's wide key",
         "other organisation's visitor, on a site", "other organisation's administrator", "other project's key",
         "only project_sync", "visitor", "public key", "owner", "maintainer", "administrator, without the CSRF token"});
  }
  /// For what is the same whoever asks.
  static std::vector<Caller> very_few(const Target& target) {
    return callers(*server_, target, {"none", "revoked", "owner", "administrator, without the CSRF token"});
  }
  /// Whether asking would end or use up something: tried once each in access_matrix_test.cc.
  static bool uses_up(const Route& route, const Caller& caller, const TestProject& project) {
    return route.action && route.action->on != ActionInfo::On::project && changes(route) &&
           !refusal(route, caller, project);
  }

  HttpAnswer ask(HttpCall call, const Caller& caller) {
    return client_->send(with_credential(std::move(call), caller));
  }
  static HttpCall call_of(const Route& route, const TestProject& project) {
    Named named{.slug = project.slug()};
    if (find_line(route)->names == Names::asset) named.name = asset_;
    return call_for(route, named);
  }
  static bool issues_credential(const Route& route) { return find_line(route)->tells == Line::Tells::credential; }

  /// The same answer: to the byte, unless it is a new chat or token, which differ by themselves.
  void expect_same(const HttpAnswer& answer, const HttpAnswer& plain, const Route& route, const TestProject& project) {
    EXPECT_EQ(answer.status, plain.status) << answer.body;
    const bool granted = route.action && is_success(plain);
    // What was granted on an organisation says when its keys were last used.
    const bool alike =
        route.method == http::Method::get && (!route.action || route.action->on == ActionInfo::On::project);
    if (!granted || alike) EXPECT_EQ(blanked(answer), blanked(plain));
    TestServer::Expected expected;
    if (granted) expected = {.readable = {project.slug()}, .issues_token = issues_credential(route)};
    expect_no_problems(answer, expected);
  }

  inline static std::string asset_;
  static Target closed() { return {server_->alpha_closed(), server_->alpha_open(), server_->beta_closed()}; }
  static Target open() { return {server_->alpha_open(), server_->alpha_closed(), server_->beta_open()}; }
};

TEST_F(AccessBypass, headers_that_say_another_request_or_another_person_are_not_read) {
  Cells cells("access bypass, headers");
  asset_ = an_asset(*client_);
  for (const Target& target : {closed(), open()}) {
    const TestProject& project = target.project;
    const std::string tenant = project.ref.tenant.to_string(), owner = server_->make_key(project).id.to_string();
    const std::string path = "/api/v1/projects/" + project.slug() + "/";
    const HttpHeader headers[] = {
        {"X-HTTP-Method-Override", "DELETE"},
        {"X-HTTP-Method-Override", "GET"},
        {"X-Method-Override", "POST"},
        {"X-HTTP-Method", "PUT"},
        {"X-Original-Method", "GET"},
        {"X-Forwarded-Method", "GET"},
        {"X-Original-URL", path},
        {"X-Original-URL", "/healthz"},
        {"X-Rewrite-URL", path},
        {"X-Rewrite-URL", "/healthz"},
        {"X-Original-URI", "/healthz"},
        {"X-Forwarded-Uri", path},
        {"X-Forwarded-Path", path},
        {"X-Accel-Redirect", path},
        {"X-Sendfile", "/etc/passwd"},
        {"X-Forwarded-Prefix", "/healthz/.."},
        {"X-Forwarded-Prefix", path},
        {"X-Forwarded-Host", "localhost"},
        {"X-Forwarded-Host", "evil.example"},
        {"X-Host", "localhost"},
        {"X-Forwarded-Server", "localhost"},
        {"X-Forwarded-Proto", "https"},
        {"X-Forwarded-Port", "443"},
        {"X-Forwarded-For", "127.0.0.1"},
        {"X-Real-IP", "127.0.0.1"},
        {"X-Client-IP", "127.0.0.1"},
        {"True-Client-IP", "::1"},
        {"CF-Connecting-IP", "127.0.0.1"},
        {"Forwarded", "for=127.0.0.1;host=localhost"},
        {"X-Custom-IP-Authorization", "127.0.0.1"},
        {"X-Tenant", "Alpha"},
        {"X-Tenant-Id", tenant},
        {"X-Organisation", tenant},
        {"X-Organization-Id", tenant},
        {"X-Project", project.slug()},
        {"X-User", "local_user"},
        {"X-User-Id", owner},
        {"X-Remote-User", "root"},
        {"Remote-User", "root"},
        {"X-Forwarded-User", "root"},
        {"X-Authenticated-User", "root"},
        {"X-Key-Id", owner},
        {"X-Owner", "key:" + owner},
        {"X-Role", "owner"},
        {"X-Roles", "owner,admin"},
        {"X-Scope", "chat_create"},
        {"X-Scopes", "project_read,project_search,chat_create"},
        {"X-Admin", "true"},
        {"X-Internal", "1"},
        {"X-Debug", "1"},
        {"X-Request-Id", "00000000-0000-4000-8000-000000000000"},
        {"X-SSL-Client-Verify", "SUCCESS"},
        {"X-SSL-Client-S-DN", "CN=root"},
        {"X-Parley-Tenant", tenant},
        {"parley.tenant", tenant},
        {"X-Amzn-Oidc-Identity", owner},
        {"Content-Location", path},
        {"Upgrade-Insecure-Requests", "1"},
    };
    for (const Caller& caller : few(target)) {
      for (const Route& route : api::routes()) {
        // A page is the same whoever asks, and an open project is another thing only to those who bring nothing.
        const bool told_apart = route.action && (&project == &server_->alpha_closed() || caller.credential.empty());
        if (!told_apart && caller.name != "none") continue;
        if (uses_up(route, caller, project)) continue;
        const HttpCall call = call_of(route, project);
        const HttpAnswer plain = ask(call, caller);
        const bool changes = route.action && is_success(plain) && route.method != http::Method::get;
        for (const auto& header : headers) {
          // A chat for each header would mostly try the answerer; what counts is whose it is, which the next test
          // tries.
          if (changes && route.action->cost == Cost::chat && header.name.starts_with("X-Forwarded")) continue;
          cells(fmt::format("{} on {} as {}, {}: {}", title(route), project.slug(), caller.name, header.name,
                            header.value),
                [&] {
                  HttpCall sent = call;
                  sent.headers.push_back(header);
                  expect_same(ask(sent, caller), plain, route, project);
                });
        }
      }
    }
  }
}

TEST_F(AccessBypass, a_method_is_what_the_request_line_says) {
  Cells cells("access bypass, methods");
  asset_ = an_asset(*client_);
  const Target target = closed();
  const TestProject& project = target.project;
  const auto before_all = tables().tenant(target.foreign.ref.tenant);
  for (const Caller& caller : very_few(target)) {
    for (const Route& route : api::routes()) {
      if (uses_up(route, caller, project)) continue;
      const HttpCall call = call_of(route, project);
      const auto bare = call.path.substr(0, call.path.find('?'));
      const HttpAnswer plain = ask(call, caller);
      for (const std::string method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
                                       "get", "Post", "PROPFIND", "GETS", "X"}) {
        const auto named = http::parse_method(method);
        const auto match = api::find_route(named, bare);
        if (match.route == &route && method != "HEAD") continue;
        const std::string real(http::name(route.method).view());
        const std::vector<std::pair<std::string, HttpCall>> overrides = [&] {
          std::vector<std::pair<std::string, HttpCall>> list;
          HttpCall sent = call;
          sent.method = method;
          list.emplace_back("as it is", sent);
          for (const char* name : {"X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"}) {
            HttpCall with = sent;
            with.headers.push_back({name, real});
            list.emplace_back(name, with);
          }
          HttpCall query = sent;
          add_to_query(query, "_method", real);
          list.emplace_back("_method in the query", query);
          HttpCall body = sent;
          body.body = fmt::format(R"({{"_method":"{}"}})", real);
          list.emplace_back("_method in the body", body);
          return list;
        }();
        for (const auto& [how, sent] : overrides) {
          cells(fmt::format("{} {} on {} as {}, {}", method, bare, project.slug(), caller.name, how), [&] {
            // A CONNECT or a method that is none may end the connection, which the client opens again.
            const HttpAnswer answer = ask(sent, caller);
            if (match.route == &route) {
              // HEAD is GET without the body, for the same people.
              if (how.starts_with("X-") || how == "as it is") EXPECT_EQ(answer.status, plain.status);
              if (!is_success(plain)) EXPECT_FALSE(is_success(answer));
              EXPECT_TRUE(answer.body.empty());
            } else if (match.route) {
              // Another line of the table, judged as that line: what is said beside it makes no difference.
              HttpCall line = sent;
              line.headers = call.headers;
              line.path = call.path;
              if (how.starts_with("X-")) EXPECT_EQ(answer.status, ask(line, caller).status);
              else if (match.route->action) EXPECT_FALSE(is_success(answer) && !is_success(ask(line, caller)));
            } else {
              EXPECT_TRUE(answer.status == 405 || answer.status == 400) << answer.status << " " << answer.body;
            }
            expect_no_problems(answer, {.refused_by_parser = answer.status == 400 && !answer.header("X-Request-Id"),
                                        .head_request = sent.method == "HEAD"});
          });
        }
      }
      // Asked by a browser beforehand: yes or no, and nothing done.
      for (const char* method : {"GET", "POST", "DELETE"})
        cells(fmt::format("preflight {} {} as {}", method, bare, caller.name), [&] {
          const HttpAnswer answer =
              ask({.method = "OPTIONS", .path = bare, .headers = {{"Access-Control-Request-Method", method}}}, caller);
          EXPECT_TRUE(answer.status == 204 || answer.status == 403) << answer.status;
          if (answer.status == 204) EXPECT_EQ(caller.site, TestServer::site);
          expect_no_problems(answer, {});
        });
    }
  }
  const auto after_all = tables().tenant(target.foreign.ref.tenant);
  // Beta's own keys were refused, which stands on its trail; nothing else of it has changed.
  for (const auto& [name, rows] : before_all)
    if (name != "trail_heads") EXPECT_EQ(rows, after_all.at(name)) << name;
}

TEST_F(AccessBypass, another_spelling_of_an_address_is_another_address) {
  Cells cells("access bypass, addresses");
  asset_ = an_asset(*client_);
  for (const Target& target : {closed()}) {
    const TestProject& project = target.project;
    for (const Caller& caller : very_few(target)) {
      for (const Route& route : api::routes()) {
        if (!route.action || uses_up(route, caller, project)) continue;
        const HttpCall call = call_of(route, project);
        const auto bare = call.path.substr(0, call.path.find('?'));
        const auto query = call.path.substr(bare.size());
        auto addresses = respelt(bare);
        for (const char* in_front : {"http://localhost", "http://evil.example", "https://localhost:443", "//localhost",
                                     "//evil.example", "localhost", "http://user@localhost", "file://", "*"})
          addresses.push_back(in_front + bare);
        for (const auto& address : addresses) {
          cells(fmt::format("{} {} as {}", call.method, address, caller.name), [&] {
            HttpCall sent = call;
            sent.path = address + query;
            const HttpAnswer answer = ask(sent, caller);
            // Some are the same route with another parameter, which names nothing.
            const bool found = api::find_route(route.method, address).route != nullptr;
            if (found) EXPECT_GE(answer.status, 401) << answer.body;
            else EXPECT_TRUE(answer.status == 404 || answer.status == 400 || answer.status == 405) << answer.status;
            expect_no_problems(answer, {.refused_by_parser = answer.status == 400});
          });
        }
      }
    }
  }
}

TEST_F(AccessBypass, the_host_decides_nothing_but_whether_a_page_is_ours) {
  Cells cells("access bypass, hosts");
  asset_ = an_asset(*client_);
  for (const Target& target : {closed(), open()}) {
    const TestProject& project = target.project;
    for (const Caller& caller : few(target)) {
      for (const Route& route : api::routes()) {
        // Only who counts as on our page depends on it, and for what is open only to those.
        const bool told_apart = route.action && (&project == &server_->alpha_closed() || caller.own_page);
        if (!told_apart && caller.name != "none") continue;
        if (uses_up(route, caller, project)) continue;
        const HttpCall call = call_of(route, project);
        const HttpAnswer plain = ask(call, caller);
        for (const std::string host : {"localhost",
                                       "LOCALHOST",
                                       "localhost:1",
                                       "127.0.0.1",
                                       "127.0.0.1:8080",
                                       "[::1]",
                                       "[::1]:80",
                                       "localhost.",
                                       "evil.example",
                                       "evil.example:80",
                                       "localhost.evil.example",
                                       "docs.example.org",
                                       "127.0.0.1.evil.example",
                                       "evil@localhost",
                                       "localhost/x",
                                       "localhost evil",
                                       "localhost,evil.example",
                                       "",
                                       "localhost:x",
                                       "1.2.3",
                                       "127.1",
                                       "0x7f.0.0.1",
                                       "[evil]",
                                       "[::1"}) {
          cells(fmt::format("{} on {} as {}, Host: {}", title(route), project.slug(), caller.name, host), [&] {
            HttpCall sent = call;
            sent.headers.insert(sent.headers.begin(), {"Host", host});
            const HttpAnswer answer = ask(sent, caller);
            if (answer.status == 400 && !answer.header("X-Request-Id")) {
              expect_no_problems(answer, {.refused_by_parser = true});
              return;
            }
            // Never more than under our own name.
            if (route.action && !is_success(plain)) EXPECT_FALSE(is_success(answer)) << answer.body;
            const bool by_page = caller.own_page || (route.method == http::Method::post && !route.action);
            if (!by_page) expect_same(answer, plain, route, project);
            else if (answer.status != plain.status) EXPECT_GE(answer.status, 401);
            // Another name that leads here is nobody's own page.
            if (caller.own_page && route.action && host.find("evil") != std::string::npos)
              EXPECT_FALSE(is_success(answer)) << answer.body;
          });
        }
      }
    }
  }
}

/// Members that somebody could hope are read.
std::vector<std::pair<std::string, std::string>> smuggled(const Target& from) {
  const std::string tenant = '"' + from.foreign.ref.tenant.to_string() + '"';
  const std::string project = '"' + from.foreign.ref.project.to_string() + '"';
  const std::string slug = '"' + from.foreign.slug() + '"';
  std::vector<std::pair<std::string, std::string>> members;
  for (const char* name :
       {"tenant", "tenant_id", "tenantId", "organisation", "organisation_id", "organization", "org", "account_id"})
    members.emplace_back(name, tenant);
  for (const char* name : {"project", "project_id", "projectId"}) members.emplace_back(name, project);
  for (const char* name : {"slug", "Project_Slug", "projectSlug", "project_slug[]", "project_slug.x", " project_slug"})
    members.emplace_back(name, slug);
  for (const char* name :
       {"role",      "roles",       "scope",     "scopes",     "permissions", "groups", "owner",     "user_id",
        "user",      "email_id",    "principal", "visitor",    "kind",        "id",     "is_admin",  "admin",
        "__proto__", "constructor", "rule",      "credential", "vouched_by",  "sub",    "created_at"}) {
    members.emplace_back(name, R"("owner")");
    members.emplace_back(name, R"(["owner","chat_create"])");
    members.emplace_back(name, R"({"admin":true})");
    members.emplace_back(name, "true");
  }
  return members;
}

TEST_F(AccessBypass, what_a_body_brings_along_beside_its_fields_never_widens_anything) {
  Cells cells("access bypass, bodies");
  for (const Target& target : {closed(), open()}) {
    const TestProject& project = target.project;
    const auto members = smuggled(target);
    const json::string foreign_slug(target.foreign.slug());
    for (const Caller& caller : few(target)) {
      for (const Route& route : api::routes()) {
        // What is not on a project has no project to be widened to; key_scenario_test.cc has its bodies.
        if (!route.action || route.action->on != ActionInfo::On::project || route.input != Route::Input::body) continue;
        const HttpCall call = as_caller(call_of(route, project), caller);
        const std::string& body = *call.body;
        const HttpAnswer plain = ask(call_of(route, project), caller);
        // What of the tables a refusal may touch is the trail of whoever is refused.
        const auto rows = [&](const TestProject& p) {
          auto all = tables().tenant(p.ref.tenant);
          all.erase("trail_heads");
          return all;
        };
        const auto ours = rows(project), theirs = rows(target.foreign);

        const auto post = [&](std::string with, std::string type = "application/json") {
          HttpCall sent{.method = call.method, .path = call.path, .headers = {}, .body = std::move(with)};
          if (!type.empty()) sent.headers.push_back({"Content-Type", std::move(type)});
          return client_->send(as_it_stands(std::move(sent), caller));
        };
        const auto refused = [&](const std::string& what, const HttpAnswer& answer) {
          cells(fmt::format("{} on {} as {}, {}", title(route), project.slug(), caller.name, what), [&] {
            EXPECT_GE(answer.status, 400) << answer.body;
            EXPECT_LT(answer.status, 500) << answer.body;
            // Whoever may not hears so, or that it is no JSON object: which project it is about stands in it. Nothing
            // else.
            if (plain.status == 401)
              EXPECT_TRUE(answer.status == 401 || answer.status == 400 || answer.status == 415) << answer.body;
            expect_no_problems(answer, {});
          });
        };
        const auto with_member = [](std::string_view object, std::string_view name, std::string_view value) {
          return fmt::format("{},\"{}\":{}}}", object.substr(0, object.size() - 1), name, value);
        };

        for (const auto& [name, value] : members) {
          refused(fmt::format("{}: {}", name, value), post(with_member(body, name, value)));
          refused(fmt::format("{}: {} first", name, value),
                  post(fmt::format("{{\"{}\":{},{}", name, value, body.substr(1))));
          refused(fmt::format("nested {}: {}", name, value),
                  post(with_member(body, "data", fmt::format("{{\"{}\":{}}}", name, value))));
        }
        for (const char* wrapper : {"data", "params", "body", "input", "request", "0", ""}) {
          refused(fmt::format("wrapped in {}", wrapper), post(fmt::format("{{\"{}\":{}}}", wrapper, body)));
          refused(fmt::format("beside {}", wrapper), post(with_member(body, wrapper, body)));
        }
        refused("in a list", post("[" + body + "]"));
        refused("two in a list", post("[" + body + "," + body + "]"));
        refused("two after another", post(body + body));
        refused("in a text", post(json::serialize(json::value(body))));

        // The same name twice: the first, the last and either spelling of it.
        const std::string other = fmt::format("\"{}\"", target.foreign.slug());
        for (const char* name : {"project_slug", "project\\u005fslug", "\\u0070roject_slug"}) {
          refused(fmt::format("{} twice, theirs last", name), post(with_member(body, name, other)));
          refused(fmt::format("{} twice, theirs first", name),
                  post(fmt::format("{{\"{}\":{},{}", name, other, body.substr(1))));
        }
        for (const auto& [name, value] : json::parse(body).as_object())
          refused(fmt::format("{} twice, alike", std::string_view(name)),
                  post(with_member(body, name, json::serialize(value))));
        // One that is not the text it should be.
        for (const char* value : {"[%]", "[%,%]", "{\"slug\":%}", "{\"$eq\":%}", "{\"$ne\":\"\"}", "null", "0", "true",
                                  "\"\"", "\"%\\u0000\"", "\" %\"", "\"*\"", "\"../%\"", "\"%/\""}) {
          json::object object = json::parse(body).as_object();
          const std::string slug = project.slug();
          std::string text = value;
          const bool quoted = text.starts_with('"');
          for (std::size_t at = 0; (at = text.find('%', at)) != std::string::npos;)
            text.replace(at, 1, quoted ? slug : "\"" + slug + "\"");
          object["project_slug"] = "@@";
          std::string odd = json::serialize(object);
          odd.replace(odd.find("\"@@\""), 4, text);
          refused("a slug that is " + text, post(odd));
        }
        // The whole of it as something else.
        for (const char* type :
             {"", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data",
              "application/xml", "application/json-patch+json", "application/merge-patch+json", "application/graphql",
              "application/octet-stream", "application/jsonp", "json", "*/*", "text/plain; application/json",
              "application/x-json", "application/json,text/plain"})
          refused(fmt::format("as {}", type), post(body, type));
        for (const char* with : {"", "null", "{}", "[]", "0", "\"\"", "true", "{\"project_slug\":", "\xef\xbb\xbf{}"})
          refused(fmt::format("a body that is {}", with), post(with));
        refused("a form that says JSON",
                post(fmt::format("project_slug={}&message=x&role=owner", target.foreign.slug())));

        cells(fmt::format("{} on {} as {}: what is left", title(route), project.slug(), caller.name), [&] {
          const auto ours_now = rows(project), theirs_now = rows(target.foreign);
          EXPECT_EQ(ours_now, ours) << testing::differences(ours, ours_now);
          EXPECT_EQ(theirs_now, theirs) << testing::differences(theirs, theirs_now);
        });
        cells(fmt::format("{} on {} as {}: and plain again", title(route), project.slug(), caller.name),
              [&] { expect_same(ask(call_of(route, project), caller), plain, route, project); });
      }
    }
  }
}

TEST_F(AccessBypass, what_a_query_brings_along_never_widens_anything) {
  Cells cells("access bypass, queries");
  for (const Target& target : {closed()}) {
    const TestProject& project = target.project;
    for (const Caller& caller : few(target)) {
      for (const Route& route : api::routes()) {
        if (!route.action || uses_up(route, caller, project)) continue;
        const HttpCall call = call_of(route, project);
        const HttpAnswer plain = ask(call, caller);
        if (is_success(plain) && route.action->cost == Cost::chat && caller.name != "owner") continue;
        for (const auto& [name, value] : smuggled(target)) {
          cells(fmt::format("{} on {} as {}, ?{}={}", title(route), project.slug(), caller.name, name, value), [&] {
            HttpCall sent = call;
            add_to_query(sent, query_encoded(name), value);
            const HttpAnswer answer = ask(sent, caller);
            if (answer.status == 400) {
              EXPECT_EQ(plain.status, find_line(route)->granted) << "a query that is refused before whoever sent it is";
              expect_no_problems(answer, {});
            } else {
              expect_same(answer, plain, route, project);
            }
          });
        }
      }
    }
  }
}

/// Whose a chat is does not follow from anything but the credential.
TEST_F(AccessBypass, a_chat_made_with_misleading_headers_is_its_makers) {
  Cells cells("access bypass, owners");
  const Target target = closed();
  const TestProject& project = target.project;
  const auto maker = server_->make_key(project), other = server_->make_key(project);
  const auto post = [&](const testing::TestKey& key, std::vector<HttpHeader> more, std::string chat = {}) {
    json::object body{{"message", question}, {"project_slug", project.slug()}};
    if (!chat.empty()) body["chat_uuid"] = chat;
    HttpCall call{.method = "POST",
                  .path = "/api/v1/chats/",
                  .headers = {key.header(), {"Content-Type", "application/json"}},
                  .body = json::serialize(body)};
    for (auto& header : more) call.headers.push_back(std::move(header));
    return client_->send(call);
  };
  for (const HttpHeader& header : {HttpHeader{"X-User-Id", other.id.to_string()},
                                   {"X-Owner", "key:" + other.id.to_string()},
                                   {"X-Owner", "anonymous"},
                                   {"X-Visitor", other.id.to_string()},
                                   {"Cookie", "user=" + other.id.to_string()},
                                   {"X-Api-Key", other.text}}) {
    cells(header.name + ": " + header.value.substr(0, 8), [&] {
      const auto made = post(maker, {header});
      ASSERT_EQ(made.status, 201) << made.body;
      const auto id = std::string(text::parse_json(made.body)->as_object().at("chat_uuid").as_string());
      EXPECT_EQ(post(maker, {}, id).status, 200);
      EXPECT_EQ(post(other, {}, id).status, 404);
      EXPECT_EQ(post(other, {header}, id).status, 404);
      EXPECT_EQ(
          post(other, {{"X-User-Id", maker.id.to_string()}, {"X-Owner", "key:" + maker.id.to_string()}}, id).status,
          404);
    });
  }
}

}  // namespace
}  // namespace parley::scenarios
