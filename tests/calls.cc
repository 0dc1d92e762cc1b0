#include "tests/calls.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <boost/json.hpp>

namespace parley::scenarios {

namespace json = boost::json;

namespace {

const ScopeSet a_keys = ScopeSet::secret_keys();

// A new route gets its line here. What a public form is sent is refused by the form itself, for everybody alike.
const std::array the_lines{
    Line{"POST /api/v1/chats/", 201, Names::project,
         R"({"message":"How do I restart the turbine?","project_slug":"{slug}"})"},
    Line{"GET /api/v1/projects/{slug}/", 200, Names::project},
    Line{"GET /api/v1/projects/{slug}/search/", 200, Names::project, "q=How%20do%20I%20restart%20the%20turbine%3F"},
    Line{.route = "POST /api/v1/visitors/",
         .granted = 201,
         .names = Names::project,
         .input = R"({"project_slug":"{slug}"})",
         .tells = Line::Tells::credential},
    Line{"GET /api/v1/projects/{slug}/issuers/", 200, Names::project},
    // Whoever may is told what is missing: one that was made would be in the way of the next.
    Line{.route = "POST /api/v1/projects/{slug}/issuers/",
         .granted = 400,
         .names = Names::project,
         .input = R"({"name":"vouches","issuer":"https://vouches.example.org"})",
         .says = "one of shared_secret, jwks and jwks_url is needed"},
    Line{.route = "DELETE /api/v1/projects/{slug}/issuers/",
         .granted = 404,
         .names = Names::project,
         .input = "name=vouches",
         .says = "there is no such identity issuer"},
    Line{"GET /api/v1/keys/"},
    Line{.route = "POST /api/v1/keys/",
         .granted = 201,
         .names = Names::project,
         .input = R"({"scopes":["project_read"],"project_slug":"{slug}"})",
         .tells = Line::Tells::credential,
         .hands_out = {Scope::project_read}},
    Line{"DELETE /api/v1/keys/{id}/", 200, Names::key},
    Line{.route = "POST /api/v1/keys/{id}/rotate/",
         .granted = 201,
         .names = Names::key,
         .input = "{}",
         .tells = Line::Tells::credential,
         .hands_out = a_keys},
    Line{"POST /api/v1/keys/{id}/enable/", 200, Names::key},

    Line{"POST /api/v1/session/", 0, Names::nothing, "{}"},
    Line{.route = "POST /api/v1/session/factor/", .granted = 0, .input = "{}", .cookie = Line::Cookie::judged},
    Line{.route = "POST /api/v1/session/passkey/options/",
         .granted = 200,
         .input = "{}",
         .cookie = Line::Cookie::judged},
    Line{.route = "POST /api/v1/session/passkey/",
         .granted = 0,
         .input = R"({"credential":{}})",
         .cookie = Line::Cookie::judged},
    Line{"GET /api/v1/providers/"},
    Line{"GET /sign-in/with/{id}", 303},
    Line{"GET /sign-in/callback", 303},
    Line{"POST /api/v1/password-resets/", 0, Names::nothing, "{}"},
    Line{"POST /api/v1/password-resets/finish/", 0, Names::nothing, "{}"},
    Line{"POST /api/v1/email-confirmations/", 0, Names::nothing, "{}"},
    Line{"POST /api/v1/invitations/look/", 0, Names::nothing, R"({"token":"x"})"},
    Line{"POST /api/v1/invitations/accept/", 0, Names::nothing, R"({"token":"x"})"},

    Line{"GET /api/v1/session/"},
    Line{"DELETE /api/v1/session/", 204},
    Line{"PUT /api/v1/session/organisation/", 200, Names::organisation, R"({"organisation":"{name}"})"},
    Line{.route = "POST /api/v1/account/password/",
         .granted = 401,
         .input = R"({"old":"quartz lantern oblique ferry","new":"velvet anchor paprika sundial"})",
         .says = "the old password is not right"},
    Line{"GET /api/v1/account/sessions/"},
    Line{"DELETE /api/v1/account/sessions/", 204},
    Line{"DELETE /api/v1/account/sessions/{session}/", 204, Names::session},
    Line{"GET /api/v1/account/factors/"},
    Line{.route = "POST /api/v1/account/totp/", .tells = Line::Tells::credential},
    Line{.route = "POST /api/v1/account/totp/confirm/",
         .granted = 404,
         .input = R"({"code":"000000"})",
         .says = "no authenticator app is being set up"},
    Line{.route = "DELETE /api/v1/account/totp/", .granted = 404, .says = "there is no authenticator app"},
    Line{"POST /api/v1/account/recovery-codes/", 409},

    Line{.route = "POST /api/v1/account/passkeys/options/", .tells = Line::Tells::credential},
    Line{.route = "POST /api/v1/account/passkeys/",
         .granted = 401,
         .input = R"({"name":"Desk","credential":{}})",
         .says = "the sign-in was not begun here"},
    Line{.route = "PUT /api/v1/account/passkeys/{id}/",
         .granted = 404,
         .input = R"({"name":"Drawer"})",
         .says = "there is no such passkey"},
    Line{.route = "DELETE /api/v1/account/passkeys/{id}/", .granted = 404, .says = "there is no such passkey"},
    Line{"GET /api/v1/account/providers/"},
    Line{.route = "POST /api/v1/account/providers/",
         .granted = 415,
         .input = R"({"provider":"00000000-0000-4000-8000-000000000000"})",
         .says = "needs the server to have a public address"},
    Line{.route = "DELETE /api/v1/account/providers/{id}/", .granted = 404, .says = "there is no such link"},

    Line{"GET /api/v1/organisation/"},
    Line{"PUT /api/v1/organisation/", 200, Names::nothing, R"({"require_second_factor":false})"},
    Line{"GET /api/v1/projects/"},
    Line{"GET /api/v1/members/"},
    Line{"PUT /api/v1/members/{account}/", 200, Names::account, R"({"role":"viewer"})"},
    Line{"DELETE /api/v1/members/{account}/", 204, Names::account},
    Line{"GET /api/v1/invitations/"},
    Line{.route = "POST /api/v1/invitations/",
         .granted = 201,
         .input = R"({"email":"somebody@example.org","role":"viewer"})",
         .tells = Line::Tells::credential},
    Line{"DELETE /api/v1/invitations/{invitation}/", 204, Names::invitation},

    Line{"GET /healthz"},
    Line{"GET /readyz"},
    Line{"GET /openapi.json"},
    Line{"GET /"},
    Line{"GET /demo/{slug}", 200, Names::project},
    Line{"GET /assets/{name}", 200, Names::asset},
    Line{"GET /setup"},
    Line{"GET /sign-in"},
    Line{"GET /invitation"},
    Line{"GET /reset-password"},
    Line{"GET /confirm-email"},
    Line{"GET /account"},
    Line{"GET /members"},
    Line{"GET /keys"},
    Line{"POST /setup", 0, Names::nothing, "{}"},
};

std::string filled_in(std::string_view pattern, const Named& named) {
  std::string text(pattern);
  for (const auto& [mark, value] :
       {std::pair<std::string_view, std::string>{"{slug}", named.slug}, {"{name}", named.name}})
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += value.size())
      text.replace(at, mark.size(), value);
  return text;
}

}  // namespace

std::span<const Line> lines() { return the_lines; }

const Line* find_line(const api::Route& route) {
  const auto found = std::ranges::find(the_lines, title(route), &Line::route);
  return found == the_lines.end() ? nullptr : &*found;
}

testing::HttpCall call_for(const api::Route& route, const Named& named) {
  const Line* line = find_line(route);
  if (!line) {
    fmt::print(stderr, "{} has no line in tests/calls.cc\n", title(route));
    std::abort();
  }
  testing::HttpCall call{.method = std::string(http::name(route.method).view()),
                         .path = std::string(route.path.view())};
  if (const auto open = call.path.find('{'); open != std::string::npos)
    call.path.replace(open, call.path.find('}') - open + 1, line->names == Names::project ? named.slug : named.name);
  const auto input = filled_in(line->input, named);
  if (route.input == api::Route::Input::body) {
    call.headers.push_back({"Content-Type", "application/json"});
    call.body = input;
  } else if (!input.empty()) {
    call.path += "?" + input;
  }
  return call;
}

std::string query_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '-') out += c;
    else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::vector<ObjectField> object_fields(const api::Route& route) {
  std::vector<ObjectField> fields;
  if (!route.input_schema) return fields;
  const json::object schema = route.input_schema();
  for (const auto& [name, rule] : schema.at("properties").as_object()) {
    const auto* format = rule.as_object().if_contains("format");
    if (!format || *format != "uuid") continue;
    // Named by the line itself.
    if (name == "organisation" || name == "provider") continue;
    ObjectField field{.name = name, .kind = {}};
    if (name == "chat_uuid") field.kind = ObjectKind::chat;
    fields.push_back(std::move(field));
  }
  return fields;
}

testing::HttpCall with_object(testing::HttpCall call, const api::Route& route, std::string_view field,
                              const std::string& id) {
  if (route.input == api::Route::Input::body) {
    auto body = json::parse(*call.body).as_object();
    body[field] = id;
    call.body = json::serialize(body);
  } else {
    call.path += call.path.find('?') == std::string::npos ? '?' : '&';
    call.path += fmt::format("{}={}", field, query_encoded(id));
  }
  return call;
}

std::vector<std::string> respelt(const std::string& path) {
  std::vector<std::string> variants{
      path + "%2F",  path + "/",   path + "//",          path + "%20",       path + ";x=1",         path + "%00",
      path + "\\",   path + "/.",  path + "/..",         path + "%3Fx",      path + "%23",          path + ".json",
      "/" + path,    "/." + path,  "//x" + path,         "/x/.." + path,     "/x/..;" + path,       "/x/%2e%2e" + path,
      "/%2e" + path, "/;x" + path, "/healthz/.." + path, "/healthz;" + path, "/healthz%2f.." + path};
  if (path == "/") return variants;
  if (path.ends_with('/')) variants.push_back(path.substr(0, path.size() - 1));
  variants.push_back(fmt::format("/%{:02x}{}", static_cast<int>(path[1]), path.substr(2)));
  variants.push_back(fmt::format("/%25{:02x}{}", static_cast<int>(path[1]), path.substr(2)));
  auto upper = path;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  variants.push_back(upper);
  auto capital = path;
  capital[1] = static_cast<char>(std::toupper(capital[1]));
  variants.push_back(capital);
  for (auto slash = path.find('/', 1); slash != std::string::npos && slash + 1 < path.size();
       slash = path.find('/', slash + 1)) {
    const auto before = path.substr(0, slash), after = path.substr(slash + 1);
    for (const char* between : {"%2f", "%2F", "%252f", "%5c", "\\", "//", "/./", "/x/../", ";x=1/", "/;x=1/", "/%2e/",
                                "%00/", "/%09", "/%0d%0a"})
      variants.push_back(before + between + after);
  }
  return variants;
}

std::string title(const api::Route& route) {
  return fmt::format("{} {}", http::name(route.method).view(), route.path.view());
}

bool changes(const api::Route& route) { return route.method != http::Method::get; }

std::string an_asset(testing::HttpClient& client) {
  const auto page = client.send({.path = "/"}).body;
  const auto begin = page.find("/assets/");
  if (begin == std::string::npos) return {};
  return page.substr(begin + 8, page.find('"', begin) - begin - 8);
}

}  // namespace parley::scenarios
