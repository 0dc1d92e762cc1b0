// What the server answers, as tables: a request, and what its answer must and must not hold. Every answer is also
// searched for secrets and for other projects' documents, see testing/test_server.h.

#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "parley/api/route.h"
#include "parley/text/json.h"
#include "tests/calls.h"
#include "tests/served.h"

namespace parley::scenarios {
namespace {

namespace json = boost::json;

using testing::HttpAnswer;
using testing::HttpCall;
using testing::HttpClient;
using testing::HttpHeader;
using testing::TestKey;
using testing::TestProject;
using testing::TestServer;

struct Scenario {
  std::string name;
  HttpCall call;
  int status = 200;
  std::vector<std::string> contains = {};
  std::vector<std::string> never_contains = {};
  TestServer::Expected expected = {};
};

json::object object_of(const HttpAnswer& answer) {
  auto value = text::parse_json(answer.body);
  if (!value || !value->is_object()) {
    ADD_FAILURE() << "not a JSON object: " << answer.status << " " << answer.body;
    return {};
  }
  return value->as_object();
}

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::string code_of(const HttpAnswer& answer) { return text_of(object_of(answer), "code"); }

const HttpHeader json_body{"Content-Type", "application/json"};
const HttpHeader own_page{"Sec-Fetch-Site", "same-origin"};

class Scenarios : public Served<Scenarios> {
 protected:
  HttpAnswer send(const HttpCall& call, const TestServer::Expected& expected = {}) {
    auto answer = client_->send(call);
    auto wanted = expected;
    wanted.head_request = call.method == "HEAD";
    EXPECT_THAT(server_->problems_of(answer, wanted), ::testing::IsEmpty()) << call.method << " " << call.path << "\n"
                                                                            << answer.head << "\n\n"
                                                                            << answer.body;
    return answer;
  }

  void run(const std::vector<Scenario>& scenarios) {
    for (const auto& s : scenarios) {
      SCOPED_TRACE(s.name);
      const auto answer = send(s.call, s.expected);
      EXPECT_EQ(answer.status, s.status) << answer.body;
      const std::string whole = answer.head + "\r\n\r\n" + answer.body;
      for (const auto& text : s.contains) EXPECT_THAT(whole, ::testing::HasSubstr(text));
      for (const auto& text : s.never_contains) EXPECT_THAT(whole, ::testing::Not(::testing::HasSubstr(text)));
    }
  }

  static HttpCall chat(const HttpHeader& credential, json::object body) {
    return {
        .method = "POST", .path = "/api/v1/chats/", .headers = {credential, json_body}, .body = json::serialize(body)};
  }
  static json::object message_to(const TestProject& project) {
    return {{"message", question}, {"project_slug", project.slug()}};
  }
  static HttpHeader bearer(const std::string& token) { return {"Authorization", "Bearer " + token}; }
};

TEST_F(Scenarios, a_chat_is_made_and_gone_on_with) {
  const auto& project = server_->alpha_closed();
  const auto key = server_->make_key(project);
  const TestServer::Expected reads{.readable = {project.slug()}};

  const auto first = send(chat(key.header(), message_to(project)), reads);
  EXPECT_EQ(first.status, 201) << first.body;
  const auto made = object_of(first);
  EXPECT_TRUE(made.at("answered").as_bool());
  const auto& ai = made.at("ai_message").as_object();
  EXPECT_THAT(text_of(ai, "message"), ::testing::HasSubstr(project.canary));
  EXPECT_EQ(text_of(ai, "from"), "ai");
  EXPECT_FALSE(ai.at("isPartial").as_bool());
  ASSERT_FALSE(ai.at("sources").as_array().empty());
  EXPECT_THAT(text_of(ai.at("sources").as_array()[0].as_object(), "url"),
              ::testing::StartsWith("https://alpha-closed.example.org/turbine"));
  EXPECT_TRUE(ChatId::parse(text_of(made, "chat_uuid")));

  auto again = message_to(project);
  again["chat_uuid"] = text_of(made, "chat_uuid");
  const auto second = send(chat(key.header(), again), reads);
  EXPECT_EQ(second.status, 200) << second.body;
  EXPECT_EQ(text_of(object_of(second), "chat_uuid"), text_of(made, "chat_uuid"));

  // Another key of the same project is somebody else.
  const auto other = server_->make_key(project);
  const auto theirs = send(chat(other.header(), again));
  again["chat_uuid"] = RequestId(crypto::random_uuid(crypto::system_random())).to_string();
  const auto nobodys = send(chat(other.header(), again));
  EXPECT_EQ(theirs.status, 404);
  EXPECT_EQ(testing::blanked(theirs), testing::blanked(nobodys));
}

TEST_F(Scenarios, what_the_documents_do_not_say_is_not_answered) {
  const auto& project = server_->alpha_closed();
  const auto key = server_->make_key(project);
  const auto answer =
      send(chat(key.header(), {{"message", "Which moons does Jupiter have?"}, {"project_slug", project.slug()}}),
           {.readable = {project.slug()}});
  EXPECT_EQ(answer.status, 201);
  EXPECT_FALSE(object_of(answer).at("answered").as_bool());
}

struct Event {
  std::string name, data;
};
std::vector<Event> events_of(std::string_view body) {
  std::vector<Event> events;
  while (!body.empty()) {
    const auto end = body.find("\n\n");
    const auto block = body.substr(0, end);
    const auto line = block.find("\ndata: ");
    if (!block.starts_with("event: ") || line == std::string_view::npos) {
      ADD_FAILURE() << "not an event: " << block;
      return events;
    }
    events.push_back({std::string(block.substr(7, line - 7)), std::string(block.substr(line + 7))});
    if (end == std::string_view::npos) break;
    body.remove_prefix(end + 2);
  }
  return events;
}

TEST_F(Scenarios, an_answer_is_streamed_as_deltas_and_the_whole) {
  const auto& project = server_->alpha_closed();
  const auto key = server_->make_key(project);
  auto call = chat(key.header(), message_to(project));
  call.headers.push_back({"Accept", "text/event-stream"});
  const auto answer = send(call, {.readable = {project.slug()}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "text/event-stream");
  EXPECT_EQ(answer.header("Cache-Control"), "no-store");
  const auto events = events_of(answer.body);
  ASSERT_GE(events.size(), 2U) << answer.body;
  std::string text;
  for (std::size_t i = 0; i + 1 < events.size(); ++i) {
    EXPECT_EQ(events[i].name, "delta");
    text += text_of(text::parse_json(events[i].data)->as_object(), "text");
  }
  EXPECT_EQ(events.back().name, "done");
  const auto whole = text::parse_json(events.back().data);
  ASSERT_TRUE(whole);
  EXPECT_EQ(text, text_of(whole->as_object().at("ai_message").as_object(), "message"));
  EXPECT_TRUE(ChatId::parse(text_of(whole->as_object(), "chat_uuid")));
  // The connection is good for more.
  EXPECT_EQ(send({.path = "/healthz"}).status, 200);

  // What is refused before the first word has a status of its own.
  call.body = R"({"message":"x","project_slug":"beta-closed"})";
  const auto refused = send(call);
  EXPECT_EQ(refused.status, 404);
  EXPECT_EQ(code_of(refused), "not_found");
}

TEST_F(Scenarios, search_and_project_answer_in_the_shape_clients_know) {
  const auto& project = server_->alpha_closed();
  const auto key = server_->make_key(project);
  const TestServer::Expected reads{.readable = {project.slug()}};
  const auto found =
      send({.path = "/api/v1/projects/alpha-closed/search/?q=turbine", .headers = {key.header()}}, reads);
  EXPECT_EQ(found.status, 200);
  const auto results = object_of(found).at("results").as_array();
  ASSERT_FALSE(results.empty());
  for (const auto* name : {"title", "page_title", "fragment", "url", "score", "domain", "is_title_match"})
    EXPECT_TRUE(results[0].as_object().contains(name)) << name;

  const auto settings = object_of(send({.path = "/api/v1/projects/alpha-closed/", .headers = {key.header()}}));
  EXPECT_EQ(text_of(settings, "name"), "Handbook");
  EXPECT_TRUE(settings.at("is_private").as_bool());
  for (const auto* name : {"whitelabel", "suggested_questions", "initial_message", "filters", "think_mode",
                           "mcp_enabled", "mcp_server_name", "mcp_metadata_tag"})
    EXPECT_TRUE(settings.contains(name)) << name;

  run({
      {"no words", {.path = "/api/v1/projects/alpha-closed/search/", .headers = {key.header()}}, 400, {"\"q: "}},
      {"empty words", {.path = "/api/v1/projects/alpha-closed/search/?q=", .headers = {key.header()}}, 400},
      {"words twice", {.path = "/api/v1/projects/alpha-closed/search/?q=a&q=b", .headers = {key.header()}}, 400},
      {"unknown parameter",
       {.path = "/api/v1/projects/alpha-closed/search/?q=a&limit=9", .headers = {key.header()}},
       400},
      {"a tenant as a parameter",
       {.path = "/api/v1/projects/alpha-closed/search/?q=a&tenant=Beta", .headers = {key.header()}},
       400},
      {"too long",
       {.path = "/api/v1/projects/alpha-closed/search/?q=" + std::string(501, 'a'), .headers = {key.header()}},
       400},
      {"broken percent encoding",
       {.path = "/api/v1/projects/alpha-closed/search/?q=%zz", .headers = {key.header()}},
       400},
      {"bytes that are no UTF-8",
       {.path = "/api/v1/projects/alpha-closed/search/?q=%ff%fe", .headers = {key.header()}},
       400},
      {"odd characters are only words",
       {.path = "/api/v1/projects/alpha-closed/search/?q=%22%27%3B--%20OR%201%3D1%20*%20%28",
        .headers = {key.header()}},
       200,
       {"results"},
       {},
       reads},
      {"a NUL in the words", {.path = "/api/v1/projects/alpha-closed/search/?q=a%00b", .headers = {key.header()}}, 400},
      {"a NUL in the slug", {.path = "/api/v1/projects/alpha%00closed/", .headers = {key.header()}}, 404},
      {"a slug that is no UTF-8", {.path = "/api/v1/projects/%ff%fe/", .headers = {key.header()}}, 404},
      {"a slug with a quote", {.path = "/api/v1/projects/'%20OR%201=1--/", .headers = {key.header()}}, 404},
      {"a long slug", {.path = "/api/v1/projects/" + std::string(4'000, 'a') + "/", .headers = {key.header()}}, 404},
      {"another project", {.path = "/api/v1/projects/beta-closed/search/?q=turbine", .headers = {key.header()}}, 404},
  });
}

TEST_F(Scenarios, a_visitor_gets_a_token_from_our_own_page_and_keeps_their_chat_to_themselves) {
  const auto& project = server_->alpha_open();
  const auto mint = [&](const TestProject& p, std::vector<HttpHeader> headers) {
    headers.push_back(json_body);
    return HttpCall{.method = "POST",
                    .path = "/api/v1/visitors/",
                    .headers = std::move(headers),
                    .body = json::serialize(json::object{{"project_slug", p.slug()}})};
  };
  const TestServer::Expected tells{.issues_token = true};
  const auto one = send(mint(project, {own_page}), tells);
  ASSERT_EQ(one.status, 201) << one.body;
  EXPECT_EQ(object_of(one).at("expires_in").as_int64(), 12 * 3600);
  const auto token = text_of(object_of(one), "token");
  server_->add_secret(token);
  const auto other = text_of(object_of(send(mint(project, {own_page}), tells)), "token");
  server_->add_secret(other);
  EXPECT_NE(token, other);

  for (const auto* site : {"cross-site", "same-site", "none"})
    EXPECT_EQ(send(mint(project, {{"Sec-Fetch-Site", site}})).status, 401) << site;
  EXPECT_EQ(send(mint(project, {})).status, 401);
  EXPECT_EQ(send(mint(server_->alpha_closed(), {own_page})).status, 401);

  const TestServer::Expected reads{.readable = {project.slug()}};
  const auto from_page = [](HttpCall call) {
    call.headers.push_back(own_page);
    return call;
  };
  const auto started = send(from_page(chat(bearer(token), message_to(project))), reads);
  ASSERT_EQ(started.status, 201) << started.body;
  auto again = message_to(project);
  again["chat_uuid"] = text_of(object_of(started), "chat_uuid");
  EXPECT_EQ(send(from_page(chat(bearer(token), again)), reads).status, 200);
  EXPECT_EQ(send(chat(bearer(token), again)).status, 401) << "a token for a page, used outside of one";

  const auto theirs = send(from_page(chat(bearer(other), again)));
  const auto key_of_project = send(chat(server_->make_key(project).header(), again));
  again["chat_uuid"] = RequestId(crypto::random_uuid(crypto::system_random())).to_string();
  const auto nobodys = send(from_page(chat(bearer(other), again)));
  EXPECT_EQ(theirs.status, 404);
  EXPECT_EQ(testing::blanked(theirs), testing::blanked(nobodys));
  EXPECT_EQ(testing::blanked(key_of_project), testing::blanked(nobodys));
}

TEST_F(Scenarios, pages_and_the_files_they_name_are_there) {
  std::set<std::string> files;
  const auto note_files = [&](std::string_view text) {
    for (std::size_t at = 0; (at = text.find("/assets/", at)) != std::string_view::npos; ++at)
      files.emplace(text.substr(at, text.find_first_of("\"'", at) - at));
  };
  for (const auto* path : {"/", "/demo/alpha-open", "/setup", "/sign-in", "/invitation", "/reset-password",
                           "/confirm-email", "/account", "/members", "/keys"}) {
    SCOPED_TRACE(path);
    const auto page = send({.path = path});
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
    EXPECT_EQ(page.header("Cross-Origin-Opener-Policy"), "same-origin");
    EXPECT_EQ(page.header("Cache-Control"), "no-store");
    EXPECT_THAT(page.body, ::testing::Not(::testing::HasSubstr("onclick=")));
    note_files(page.body);
  }
  ASSERT_FALSE(files.empty());
  // Scripts name others, which are in the set once these were read.
  std::set<std::string> seen;
  while (seen.size() < files.size()) {
    for (const auto& file : std::set(files)) {
      if (!seen.insert(file).second) continue;
      const auto answer = send({.path = file});
      EXPECT_EQ(answer.status, 200) << file;
      EXPECT_EQ(answer.header("Cache-Control"), "public, max-age=31536000, immutable") << file;
      EXPECT_FALSE(answer.body.empty());
      if (file.ends_with(".js")) note_files(answer.body);
    }
  }
  // One page for every slug: whether a project is there is not told by it. (A public one's may be framed by its sites.)
  const auto blank = [&](const char* path) { return testing::blanked(send({.path = path})); };
  EXPECT_EQ(send({.path = "/demo/alpha-open"}).body, send({.path = "/demo/no-such-project"}).body);
  EXPECT_EQ(blank("/demo/beta-closed"), blank("/demo/no-such-project"));
  EXPECT_EQ(send({.path = "/assets/home.js"}).status, 404);
  EXPECT_EQ(send({.path = "/assets/home.html"}).status, 404);
}

TEST_F(Scenarios, the_api_description_lists_every_route_and_nothing_else) {
  const auto description = object_of(send({.path = "/openapi.json"}));
  EXPECT_EQ(text_of(description, "openapi"), "3.1.0");
  std::size_t operations = 0;
  const auto& paths = description.at("paths").as_object();
  for (const auto& [path, item] : paths) operations += item.as_object().size();
  EXPECT_EQ(operations, api::routes().size());
  for (const auto& route : api::routes()) {
    std::string method(http::name(route.method).view());
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    ASSERT_TRUE(paths.contains(route.path.view())) << title(route);
    ASSERT_TRUE(paths.at(route.path.view()).as_object().contains(method)) << title(route);
    const auto& operation = paths.at(route.path.view()).as_object().at(method).as_object();
    EXPECT_EQ(text_of(operation, "x-parley-scope"), route.action ? name(route.action->scope).view() : "");
    EXPECT_EQ(text_of(operation, "x-parley-public"), route.public_reason);
  }
}

TEST_F(Scenarios, health_is_told) {
  run({{"alive", {.path = "/healthz"}, 200, {R"({"status":"ok"})"}},
       {"ready", {.path = "/readyz"}, 200, {R"({"status":"ready"})"}},
       {"metrics are nobody's here", {.path = "/metrics"}, 404}});
}

TEST_F(Scenarios, a_method_that_an_address_has_not_is_405_with_those_it_has) {
  for (const auto& route : api::routes()) {
    const auto call = call_for(route, "alpha-open");
    const auto path = call.path.substr(0, call.path.find('?'));
    std::vector<std::string> offered;
    for (const auto& other : api::routes()) {
      if (other.path.view() != route.path.view()) continue;
      offered.emplace_back(http::name(other.method).view());
      if (other.method == http::Method::get) offered.emplace_back("HEAD");
    }
    for (const std::string method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
      if (std::ranges::find(offered, method) != offered.end()) continue;
      SCOPED_TRACE(method + " " + path);
      const auto answer = send({.method = method, .path = path});
      // Unless it is the address of an object whose id happens to read like that.
      if (api::find_route(http::parse_method(method), path).route) continue;
      EXPECT_EQ(answer.status, 405);
      const auto allow = answer.header("Allow").value_or("");
      for (const auto& each : offered) EXPECT_THAT(allow, ::testing::HasSubstr(each));
      EXPECT_EQ(allow.find(method), std::string::npos);
    }
    // What says to be another method is what it is.
    for (const auto* header : {"X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"}) {
      const auto answer =
          send({.method = "PATCH", .path = path, .headers = {{header, std::string(http::name(route.method).view())}}});
      EXPECT_EQ(answer.status, 405) << header << " " << title(route);
    }
  }
}

TEST_F(Scenarios, head_is_get_without_the_body) {
  const auto key = server_->make_key(server_->alpha_open());
  for (const auto& route : api::routes()) {
    if (route.method != http::Method::get) continue;
    SCOPED_TRACE(title(route));
    auto call = call_for(route, Named{.slug = "alpha-open", .name = an_asset(*client_)});
    call.headers.push_back(key.header());
    const auto get = send(call, {.readable = {"alpha-open"}});
    call.method = "HEAD";
    const auto head = send(call, {.readable = {"alpha-open"}});
    EXPECT_EQ(head.status, get.status);
    EXPECT_EQ(head.header("Content-Length"), get.header("Content-Length"));
    EXPECT_EQ(head.header("Content-Type"), get.header("Content-Type"));
    EXPECT_TRUE(head.body.empty());
    // Had it sent a body all the same, the next answer on this connection would be that.
    EXPECT_EQ(send({.path = "/healthz"}).body, R"({"status":"ok"})");
  }
}

TEST_F(Scenarios, no_other_spelling_of_a_path_finds_a_route) {
  const auto key = server_->make_key(server_->alpha_open());
  const auto asset = an_asset(*client_);
  for (const auto& route : api::routes()) {
    const auto call = call_for(route, Named{.slug = "alpha-open", .name = asset});
    const auto path = call.path.substr(0, call.path.find('?'));
    const auto query = call.path.substr(path.size());
    for (const auto& variant : respelt(path)) {
      SCOPED_TRACE(call.method + " " + variant);
      // "/demo/x%20" is another slug, hence a page (the same for all slugs), and asset names are looked up.
      if (route.path.view() == "/demo/{slug}" && api::find_route(route.method, variant).route == &route) continue;
      auto other = call;
      other.path = variant + query;
      other.headers.push_back(key.header());
      const auto answer = client_->send(other);
      // 403 and 405 where it is an address of keys, which this key has no say in.
      EXPECT_TRUE(answer.status == 404 || answer.status == 400 || answer.status == 403 || answer.status == 405)
          << answer.status << " " << answer.body;
      EXPECT_THAT(server_->problems_of(answer, {.refused_by_parser = answer.status == 400}), ::testing::IsEmpty());
    }
  }
}

TEST_F(Scenarios, a_body_that_is_not_as_declared_is_refused) {
  const auto& project = server_->alpha_closed();
  const auto key = server_->make_key(project);
  const auto post = [&](std::string type, std::string body) {
    HttpCall call{.method = "POST", .path = "/api/v1/chats/", .headers = {key.header()}, .body = std::move(body)};
    if (!type.empty()) call.headers.push_back({"Content-Type", std::move(type)});
    return call;
  };
  const std::string good = json::serialize(message_to(project));
  const auto with = [&](std::string_view more) { return good.substr(0, good.size() - 1) + std::string(more) + "}"; };
  const std::string type = "application/json";
  std::string deep(10'000, '[');
  deep += std::string(10'000, ']');
  run({
      {"no type", post("", good), 415, {R"("code":"unsupported")"}},
      {"a form", post("application/x-www-form-urlencoded", "message=x&project_slug=alpha-closed"), 415},
      {"plain text", post("text/plain", good), 415},
      {"a multipart", post("multipart/form-data; boundary=x", good), 415},
      {"almost the type", post("application/jsonp", good), 415},
      {"nothing", post(type, ""), 400},
      {"not JSON", post(type, "message"), 400},
      {"JSON cut short", post(type, good.substr(0, good.size() - 3)), 400},
      {"more after it", post(type, good + "{}"), 400},
      {"an array", post(type, "[" + good + "]"), 400, {R"("code":"invalid_argument")"}},
      {"null", post(type, "null"), 400},
      {"too deep", post(type, R"({"message":)" + deep + "}"), 400, {}, {"internal"}},
      {"a name twice", post(type, with(R"(,"project_slug":"beta-closed")")), 400, {}, {"beta"}},
      {"bytes that are no UTF-8", post(type, with(",\"url\":\"\xff\xfe\"")), 400},
      {"half a surrogate pair", post(type, with(R"(,"url":"\ud800")")), 400},
      {"a byte order mark", post(type, "\xef\xbb\xbf" + good), 400},
      {"an unknown field", post(type, with(R"(,"temperature":0)")), 400, {"unknown field"}},
      {"a tenant", post(type, with(R"(,"tenant":"Beta")")), 400},
      {"a tenant's id",
       post(type, with(fmt::format(R"(,"tenant_id":"{}")", server_->beta_closed().ref.tenant.to_string()))), 400},
      {"an owner", post(type, with(R"(,"owner":"anonymous")")), 400},
      {"a prototype", post(type, with(R"(,"__proto__":{"admin":true})")), 400},
      {"a number for text",
       post(type, R"({"message":7,"project_slug":"alpha-closed"})"),
       400,
       {"message: must be text"}},
      {"an object for text", post(type, R"({"message":{"$ne":""},"project_slug":"alpha-closed"})"), 400},
      {"no message", post(type, R"({"project_slug":"alpha-closed"})"), 400, {"message: is required"}},
      {"an empty message", post(type, R"({"message":"","project_slug":"alpha-closed"})"), 400},
      {"no slug", post(type, R"({"message":"x"})"), 404},
      {"a slug that is a number", post(type, R"({"message":"x","project_slug":1})"), 404},
      {"a slug with a NUL", post(type, R"({"message":"x","project_slug":"a\u0000b"})"), 404},
      {"a long slug", post(type, R"({"message":"x","project_slug":")" + std::string(50'000, 'a') + R"("})"), 404},
      {"a chat that is no id", post(type, with(R"(,"chat_uuid":"1")")), 400, {"chat_uuid: must be a UUID"}},
      {"a message too long",
       post(type, R"({"project_slug":"alpha-closed","message":")" + std::string(1001, 'a') + R"("})"),
       400,
       {"message: is too long"}},
      {"too large", post(type, R"({"message":")" + std::string(70'000, 'a') + R"("})"), 413, {R"("code":"too_large")"}},
      {"a NUL in a text", post(type, R"({"message":"a\u0000b","project_slug":"alpha-closed"})"), 400},
  });
  // As long as is allowed, in code points of four bytes, is no error.
  std::string long_message;
  for (int i = 0; i < 1000; ++i) long_message += "\xf0\x9f\x9a\x80";
  const auto answer =
      send(post(type + "; charset=utf-8",
                json::serialize(json::object{{"message", long_message}, {"project_slug", project.slug()}})),
           {.readable = {project.slug()}});
  EXPECT_EQ(answer.status, 201) << answer.body;
}

TEST_F(Scenarios, a_credential_counts_in_its_header_only) {
  const auto& project = server_->alpha_closed();
  const auto text = server_->make_key(project).text;
  const std::string body = json::serialize(message_to(project));
  const std::string search = "/api/v1/projects/alpha-closed/search/?q=turbine";
  const auto post = [&](std::vector<HttpHeader> headers, std::string content) {
    headers.push_back(json_body);
    return HttpCall{
        .method = "POST", .path = "/api/v1/chats/", .headers = std::move(headers), .body = std::move(content)};
  };
  const auto in_body = [&](const char* name) {
    return body.substr(0, body.size() - 1) + ",\"" + name + "\":\"" + text + "\"}";
  };
  run({
      {"none", post({}, body), 401, {"WWW-Authenticate: "}},
      {"query key", {.path = search + "&key=" + text}, 401},
      {"query api_key", {.path = search + "&api_key=" + text}, 401},
      {"query access_token", {.path = search + "&access_token=" + text}, 401},
      {"query authorization", {.path = search + "&authorization=Bearer%20" + text}, 401},
      {"cookie", post({{"Cookie", "Authorization=Bearer " + text + "; token=" + text}}, body), 401},
      {"body", post({}, in_body("api_key")), 401},
      {"x-api-key", post({{"X-Api-Key", text}}, body), 401},
      {"proxy header", post({{"Proxy-Authorization", "Bearer " + text}}, body), 401},
      {"forwarded", post({{"X-Forwarded-Authorization", "Bearer " + text}}, body), 401},
      {"basic", post({{"Authorization", "Basic " + text}}, body), 401},
      {"digest", post({{"Authorization", "Digest username=" + text}}, body), 401},
      {"token scheme", post({{"Authorization", "Token " + text}}, body), 401},
      {"two blanks", post({{"Authorization", "Bearer  " + text}}, body), 401},
      {"a list", post({{"Authorization", "Bearer " + text + ", Bearer " + text}}, body), 401},
      {"quoted", post({{"Authorization", "Bearer \"" + text + "\""}}, body), 401},
      {"upper case", post({{"Authorization", "Bearer SK" + text.substr(2)}}, body), 401},
      {"in a path", {.path = "/api/v1/projects/" + text + "/"}, 401},
  });
  // The scheme's case is free, as HTTP asks.
  for (const auto* scheme : {"bearer", "BEARER", "api-key", "Api-Key"})
    EXPECT_EQ(
        send(post({{"Authorization", std::string(scheme) + " " + text}}, body), {.readable = {project.slug()}}).status,
        201)
        << scheme;
  // A bad credential is not none, even where none would do.
  const std::string open = "/api/v1/projects/alpha-open/";
  EXPECT_EQ(send({.path = open, .headers = {own_page}}).status, 200);
  for (const auto* bad : {"Bearer x", "Basic x", "x", "Bearer", "Bearer vt_x", "Negotiate abc"})
    EXPECT_EQ(send({.path = open, .headers = {own_page, {"Authorization", bad}}}).status, 401) << bad;
  EXPECT_EQ(send({.path = open, .headers = {own_page, {"Authorization", ""}}}).status, 401);
  // Two are refused before anything looks at them.
  const auto twice =
      client_->send({.path = open, .headers = {{"Authorization", "Bearer x"}, {"Authorization", "Bearer y"}}});
  EXPECT_EQ(twice.status, 400);
  EXPECT_THAT(server_->problems_of(twice, {.refused_by_parser = true}), ::testing::IsEmpty());
}

TEST_F(Scenarios, what_is_not_http_gets_one_answer_and_no_second) {
  for (const std::string bytes :
       {"GET / HTTP/1.1\r\n\r\n", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\r\n\r\n"}) {
    HttpClient client = server_->client();
    const auto answer = client.send_raw(bytes);
    EXPECT_GE(answer.status, 400) << bytes;
    EXPECT_LT(answer.status, 500) << bytes;
    EXPECT_EQ(answer.header("Connection"), "close") << bytes;
    EXPECT_THAT(server_->problems_of(answer, {.refused_by_parser = true}), ::testing::IsEmpty()) << bytes;
  }
}

TEST_F(Scenarios, refusals_and_chats_are_on_the_trail_with_ids_alone) {
  const auto& project = server_->alpha_closed();
  const auto key = server_->make_key(
      {.tenant = project.ref.tenant, .project = project.ref.project, .scopes = ScopeSet{Scope::project_read}});
  const auto refused = send(chat(key.header(), message_to(project)));
  EXPECT_EQ(refused.status, 403);
  const auto reader = server_->make_key(project);
  const auto made = send(chat(reader.header(), message_to(project)), {.readable = {project.slug()}});
  bool saw_refusal = false, saw_chat = false;
  for (const auto& record : server_->trail_of(project.ref.tenant)) {
    if (record.request_id == refused.header("X-Request-Id"))
      saw_refusal =
          record.decision == "refused" && record.rule == "scope_missing" && record.actor_id == key.id.to_string();
    if (record.request_id == made.header("X-Request-Id"))
      saw_chat = record.action == "chat.create" && record.object_id == text_of(object_of(made), "chat_uuid");
  }
  EXPECT_TRUE(saw_refusal);
  EXPECT_TRUE(saw_chat);
  EXPECT_THAT(server_->log(), ::testing::HasSubstr(*made.header("X-Request-Id")));
}

// --- the first minute -------------------------------------------------------------------------------------------

TEST(SetUpScenarios, the_first_administrator_is_made_once) {
  if (!TestServer::available()) GTEST_SKIP() << db::TestStore::why_not;
  TestServer server;
  HttpClient client = server.client();
  // Unusual enough, and made at run time.
  const std::string password = testing::random_word() + "-" + testing::random_word();
  server.add_secret(password);
  const auto call = [&](std::string token, std::string with_password, std::vector<HttpHeader> headers = {own_page}) {
    headers.push_back(json_body);
    return HttpCall{
        .method = "POST",
        .path = "/setup",
        .headers = std::move(headers),
        .body = json::serialize(json::object{
            {"token", token}, {"organisation", "Gamma"}, {"email", "first@example.org"}, {"password", with_password}})};
  };
  const auto send = [&](const HttpCall& what) {
    auto answer = client.send(what);
    EXPECT_THAT(server.problems_of(answer, {}), ::testing::IsEmpty()) << answer.body;
    return answer;
  };
  const auto superseded = server.make_setup_token();
  const auto token = server.make_setup_token();

  EXPECT_EQ(send(call("wrong", password)).status, 401);
  EXPECT_EQ(send(call("", password)).status, 400);
  EXPECT_EQ(send(call(superseded, password)).status, 401);
  EXPECT_EQ(send(call(token, "short")).status, 400);
  EXPECT_EQ(send(call(token, "passwordpassword")).status, 400);
  EXPECT_EQ(send(call(token, password, {{"Sec-Fetch-Site", "cross-site"}})).status, 403);
  EXPECT_EQ(send(call(token, password, {{"Sec-Fetch-Site", "same-site"}})).status, 403);
  auto form = call(token, password);
  form.headers.back().value = "application/x-www-form-urlencoded";
  EXPECT_EQ(send(form).status, 415);
  form.headers.back().value = "application/jsonx";
  EXPECT_EQ(send(form).status, 415);
  auto more = call(token, password);
  more.body->insert(1, R"("role":"owner",)");
  EXPECT_EQ(send(more).status, 400);
  auto large = call(token, password);
  large.body = R"({"token":")" + std::string(17'000, 'a') + R"("})";
  EXPECT_EQ(send(large).status, 413);

  // No stranger's attempt has made an organisation.
  const auto made = send(call(token, password));
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_TRUE(AccountId::parse(text_of(object_of(made), "account")));

  // From here on there is one answer, whatever the token.
  const auto used = send(call(token, password));
  EXPECT_GE(used.status, 400);
  EXPECT_EQ(testing::blanked(used), testing::blanked(send(call("wrong", password))));
  EXPECT_THAT(server.stop_and_find_leaks(), ::testing::IsEmpty());
}

// --- limits -----------------------------------------------------------------------------------------------------

class LimitScenarios : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!TestServer::available()) GTEST_SKIP() << db::TestStore::why_not;
  }

  /// An hour's counts, so that nothing comes back while the test runs.
  static std::string limits(std::string_view name, int count) {
    std::string config = TestServer::config_without_limits;
    const auto at = config.find(std::string(name) + " = ");
    config.replace(at, config.find('\n', at) - at, fmt::format("{} = \"{}/h\"", name, count));
    return config;
  }

  /// Sends until the first 429 and gives how many went through before it.
  static int count_until_refused(TestServer& server, const HttpCall& call, std::string_view limit,
                                 TestServer::Expected expected = {}) {
    HttpClient client = server.client();
    for (int sent = 0; sent < 50; ++sent) {
      const auto answer = client.send(call);
      if (answer.status != 429) {
        EXPECT_LT(answer.status, 400) << answer.body;
        EXPECT_THAT(server.problems_of(answer, expected), ::testing::IsEmpty());
        continue;
      }
      EXPECT_THAT(server.problems_of(answer, {}), ::testing::IsEmpty());
      const auto wait = answer.header("Retry-After").value_or("0");
      EXPECT_GE(std::stoi(wait), 1);
      EXPECT_LE(std::stoi(wait), 3600);
      EXPECT_THAT(answer.body, ::testing::HasSubstr(limit));
      EXPECT_EQ(code_of(answer), "rate_limited");
      return sent;
    }
    return -1;
  }

  static HttpCall chat(const TestProject& project, const std::string& token, const std::string& chat_uuid = {}) {
    json::object body{{"message", question}, {"project_slug", project.slug()}};
    if (!chat_uuid.empty()) body["chat_uuid"] = chat_uuid;
    HttpCall call{.method = "POST",
                  .path = "/api/v1/chats/",
                  .headers = {{"Authorization", "Bearer " + token}, json_body},
                  .body = json::serialize(body)};
    // Visitors are on a page, keys are not.
    if (token.starts_with(identity::visitor_token_prefix)) call.headers.push_back(own_page);
    return call;
  }
};

TEST_F(LimitScenarios, a_visitor_has_so_many_messages_and_another_visitor_their_own) {
  TestServer server(limits("chat_per_visitor", 3));
  const auto& project = server.alpha_open();
  const TestServer::Expected reads{.readable = {project.slug()}};
  EXPECT_EQ(count_until_refused(server, chat(project, server.make_visitor(project)), "chat_per_visitor", reads), 3);
  EXPECT_EQ(count_until_refused(server, chat(project, server.make_visitor(project)), "chat_per_visitor", reads), 3);
}

TEST_F(LimitScenarios, an_address_has_so_many_messages_whoever_visits_from_it) {
  TestServer server(limits("chat_per_address", 4));
  const auto& project = server.alpha_open();
  HttpClient client = server.client();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(client.send(chat(project, server.make_visitor(project))).status, 201);
  const auto answer = client.send(chat(project, server.make_visitor(project)));
  EXPECT_EQ(answer.status, 429);
  EXPECT_THAT(answer.body, ::testing::HasSubstr("chat_per_address"));
  // A header does not make another address of it, and a server's own key is not held to it.
  auto forwarded = chat(project, server.make_visitor(project));
  forwarded.headers.push_back({"X-Forwarded-For", "203.0.113.9"});
  forwarded.headers.push_back({"Forwarded", "for=203.0.113.9"});
  forwarded.headers.push_back({"X-Real-IP", "203.0.113.9"});
  EXPECT_EQ(client.send(forwarded).status, 429);
  EXPECT_EQ(client.send(chat(project, server.make_key(project).text)).status, 201);
}

TEST_F(LimitScenarios, a_key_has_so_many_messages_and_another_key_its_own) {
  TestServer server(limits("chat_per_secret_key", 5));
  const auto& project = server.alpha_closed();
  const TestServer::Expected reads{.readable = {project.slug()}};
  EXPECT_EQ(count_until_refused(server, chat(project, server.make_key(project).text), "chat_per_secret_key", reads), 5);
  EXPECT_EQ(count_until_refused(server, chat(project, server.make_key(project).text), "chat_per_secret_key", reads), 5);
}

TEST_F(LimitScenarios, an_organisation_has_so_many_messages_and_another_its_own) {
  TestServer server(limits("chat_per_organisation", 4));
  const auto& alpha = server.alpha_closed();
  const auto& beta = server.beta_closed();
  const TestServer::Expected reads{.readable = {alpha.slug(), beta.slug()}};
  EXPECT_EQ(count_until_refused(server, chat(alpha, server.make_key(alpha).text), "chat_per_organisation", reads), 4);
  EXPECT_EQ(count_until_refused(server, chat(alpha, server.make_key(alpha).text), "chat_per_organisation", reads), 0);
  EXPECT_EQ(count_until_refused(server, chat(beta, server.make_key(beta).text), "chat_per_organisation", reads), 4);
}

TEST_F(LimitScenarios, a_chat_takes_so_many_messages) {
  TestServer server(limits("chat_per_chat", 3));
  const auto& project = server.alpha_closed();
  const auto key = server.make_key(project);
  HttpClient client = server.client();
  const auto uuid = text_of(object_of(client.send(chat(project, key.text))), "chat_uuid");
  EXPECT_EQ(count_until_refused(server, chat(project, key.text, uuid), "chat_per_chat", {.readable = {project.slug()}}),
            3);
  EXPECT_EQ(client.send(chat(project, key.text)).status, 201);
}

TEST_F(LimitScenarios, somebody_elses_chat_is_not_used_up_by_guessing_its_id) {
  TestServer server(limits("chat_per_chat", 3));
  const auto& project = server.alpha_closed();
  const auto owner = server.make_key(project), stranger = server.make_key(project);
  HttpClient client = server.client();
  const auto uuid = text_of(object_of(client.send(chat(project, owner.text))), "chat_uuid");
  for (int i = 0; i < 6; ++i) (void)client.send(chat(project, stranger.text, uuid));
  EXPECT_EQ(client.send(chat(project, owner.text, uuid)).status, 200);
}

TEST_F(LimitScenarios, an_address_has_so_many_requests_and_so_many_new_visitors) {
  {
    TestServer server(limits("visitor_per_address", 3));
    const HttpCall mint{.method = "POST",
                        .path = "/api/v1/visitors/",
                        .headers = {own_page, json_body},
                        .body = R"({"project_slug":"alpha-open"})"};
    EXPECT_EQ(count_until_refused(server, mint, "visitor_per_address", {.issues_token = true}), 3);
  }
  {
    TestServer server(limits("request_per_address", 7));
    EXPECT_EQ(count_until_refused(server, {.path = "/openapi.json"}, "request_per_address"), 7);
    HttpClient client = server.client();
    EXPECT_EQ(client.send({.path = "/no/such/page"}).status, 429);
  }
}

}  // namespace
}  // namespace parley::scenarios
