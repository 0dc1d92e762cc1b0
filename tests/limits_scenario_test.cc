// Every limit that a route can meet, with the numbers of docs/configuration.md, against the whole server: which request
// is the first to be refused, what it is told, and what gains nothing. Time stands still meanwhile, so that the counts
// are exact however slow the machine is.

#include <fstream>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "parley/admission/limits.h"
#include "parley/api/route.h"
#include "parley/text/json.h"
#include "testing/test_server.h"
#include "tests/calls.h"

namespace parley::scenarios {
namespace {

namespace json = boost::json;

using admission::Limit;
using admission::Subject;
using admission::Work;
using testing::HttpAnswer;
using testing::HttpCall;
using testing::HttpClient;
using testing::HttpHeader;
using testing::TestKey;
using testing::TestProject;
using testing::TestServer;

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
// Ten times slower: the greatest numbers are left to the builds without.
constexpr std::uint32_t tried_max = 1'500;
#else
constexpr std::uint32_t tried_max = UINT32_MAX;
#endif
#endif

/// The numbers that people read: limit to requests a minute.
std::map<std::string, std::uint32_t> documented_limits() {
  std::map<std::string, std::uint32_t> limits;
  std::ifstream file("docs/configuration.md");
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) inside = line == "## Section [limits]";
    if (!inside || !line.starts_with("| `")) continue;
    const auto name = line.substr(3, line.find('`', 3) - 3);
    const auto rate = line.find("`\""), end = line.find("/min\"`");
    if (rate == std::string::npos || end == std::string::npos) ADD_FAILURE() << "cannot be read: " << line;
    else limits[name] = static_cast<std::uint32_t>(std::stoul(line.substr(rate + 2, end - rate - 2)));
  }
  return limits;
}

HttpHeader from(std::string address) { return {"X-Forwarded-For", std::move(address)}; }
/// The n-th of many addresses that are nobody's.
HttpHeader from(std::size_t n) { return from(fmt::format("198.18.{}.{}", n / 250, n % 250 + 1)); }
std::string text_of(const json::value& value) {
  return value.is_string() ? std::string(std::string_view(value.get_string())) : std::string();
}
HttpHeader json_body() { return {"Content-Type", "application/json"}; }

class LimitScenarios : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!TestServer::available()) GTEST_SKIP() << db::TestStore::why_not;
  }
  void start(std::string_view config) {
    server = std::make_unique<TestServer>(config);
    server->clock().hold();
    client.emplace(server->port());
  }
  void TearDown() override {
    if (server) EXPECT_THAT(server->stop_and_find_leaks(), ::testing::IsEmpty());
  }
  /// So far on that everything that was counted has run out.
  void let_a_minute_pass() { server->clock().advance(std::chrono::minutes(2)); }

  TestKey secret_key(const TestProject& of) { return server->make_key(of); }
  /// For all projects of the organisation.
  TestKey page_key(TenantId tenant) {
    return server->make_key(
        {.tenant = tenant, .project = {}, .scopes = ScopeSet::public_keys(), .kind = identity::KeyKind::public_key});
  }
  static HttpHeader bearer(const std::string& text) { return {"Authorization", "Bearer " + text}; }

  struct Tried {
    std::size_t allowed = 0;
    HttpAnswer refused;
  };
  /// Sends what `call` makes until one is refused by a limit.
  Tried send_until_refused(const std::function<HttpCall(std::size_t)>& call, std::size_t most) {
    Tried tried;
    for (std::size_t n = 0; n <= most; ++n) {
      auto answer = client->send(call(n));
      if (answer.status == 429) {
        tried.refused = std::move(answer);
        return tried;
      }
      if (answer.status == 0 || answer.status >= 500) {
        ADD_FAILURE() << "request " << n << ": " << answer.status << " " << answer.body;
        return tried;
      }
      ++tried.allowed;
    }
    ADD_FAILURE() << tried.allowed << " requests and no limit";
    return tried;
  }

  /// What everybody who is refused by a limit is told, and no more.
  void expect_refusal(const HttpAnswer& answer, std::string_view limit) {
    EXPECT_EQ(answer.status, 429);
    const auto wait = answer.header("Retry-After").value_or("");
    EXPECT_TRUE(!wait.empty() && std::ranges::all_of(wait, [](char c) { return c >= '0' && c <= '9'; })) << wait;
    if (!wait.empty()) EXPECT_TRUE(std::stoi(wait) >= 1 && std::stoi(wait) <= 60) << wait;
    const auto body = text::parse_json(answer.body);
    ASSERT_TRUE(body && body->is_object()) << answer.body;
    EXPECT_EQ(text_of(body->as_object().at("code")), "rate_limited");
    EXPECT_EQ(text_of(body->as_object().at("error")), fmt::format("{}: this limit is used up for now", limit));
    EXPECT_THAT(server->problems_of(answer, {}), ::testing::IsEmpty());
    for (const auto& project : server->projects())
      for (const auto& internal : {project.ref.tenant.to_string(), project.ref.project.to_string(),
                                   std::string("127.0.0.1"), std::string("198.18."), std::string("/min")})
        EXPECT_EQ(answer.body.find(internal), std::string::npos) << answer.body;
  }

  /// A signed-in person: what a browser on one of our pages sends.
  std::vector<HttpHeader> sign_in() {
    auto& at = server->installation();
    const std::string email = testing::random_word() + "@example.org";
    const auto account = at.wait(at.accounts->create(email, Secret("quartz lantern oblique ferry")));
    EXPECT_TRUE(account);
    EXPECT_TRUE(at.wait(
        at.members->add(at.local_operator(0), server->alpha_open().ref.tenant, account->id, identity::Role::viewer)));
    const auto answer = client->send(
        {.method = "POST",
         .path = "/api/v1/session/",
         .headers = {TestServer::own_page(), json_body(), from("203.0.113.99")},
         .body = json::serialize(json::object{{"email", email}, {"password", "quartz lantern oblique ferry"}})});
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto cookie = answer.header("Set-Cookie").value_or("");
    const auto text = cookie.substr(0, cookie.find(';'));
    server->add_secret(text.substr(text.find('=') + 1));
    const auto body = text::parse_json(answer.body);
    std::string csrf;
    if (body && body->is_object() && body->as_object().contains("csrf")) csrf = text_of(body->as_object().at("csrf"));
    return {TestServer::own_page(), {"Cookie", text}, {"X-CSRF-Token", csrf}};
  }

  std::unique_ptr<TestServer> server;
  std::optional<HttpClient> client;
};

const char* const behind_a_proxy = "[proxies]\ntrusted = [\"127.0.0.0/8\"]\n";

TEST_F(LimitScenarios, are_what_the_documentation_says) {
  const auto documented = documented_limits();
  ASSERT_GT(documented.size(), 10U) << "the table has moved; run in the repository's root";
  std::set<std::string> names;
  for (const Limit& limit : admission::all_limits()) {
    const std::string name(limit.name.view());
    names.insert(name);
    ASSERT_TRUE(documented.contains(name)) << name;
    EXPECT_EQ(limit.rate.count, documented.at(name)) << name;
    EXPECT_EQ(limit.rate.per, std::chrono::minutes(1)) << name;
  }
  for (const auto& [name, count] : documented) EXPECT_TRUE(names.contains(name)) << name << " is no limit";
}

/// Makes the calls that meet one line of the table and no other before it.
class Meeting {
 public:
  Meeting(const Limit& limit, std::uint32_t count) : limit_(limit), count_(count) {}

  /// The n-th request, without what says who asks.
  HttpCall request(const TestProject& project, std::size_t, bool whole = true) const {
    switch (limit_.work) {
      case Work::read: return {.path = fmt::format("/api/v1/projects/{}/", project.slug())};
      case Work::search: return {.path = fmt::format("/api/v1/projects/{}/search/?q=nothing", project.slug())};
      case Work::chat: {
        // Refused for want of a message where the work would only take time: it has been counted by then.
        json::object body{{"project_slug", project.slug()}};
        if (whole) body["message"] = question;
        return {.method = "POST", .path = "/api/v1/chats/", .headers = {json_body()}, .body = json::serialize(body)};
      }
      case Work::mint_visitor:
        return {.method = "POST",
                .path = "/api/v1/visitors/",
                .headers = {json_body()},
                .body = json::serialize(json::object{{"project_slug", project.slug()}})};
      default: return {};
    }
  }
  /// As many addresses as it takes that no address meets a limit of its own.
  std::size_t addresses() const {
    std::uint32_t least = 6'000;
    for (const Limit& other : admission::all_limits())
      if (other.subject == Subject::address && (other.work == limit_.work || other.work == Work::request))
        least = std::min(least, other.rate.count);
    return 2 + 2 * count_ / least;
  }
  /// As many holders of a narrower limit as it takes that none of them meets it.
  std::size_t holders(Subject narrower) const {
    for (const Limit& other : admission::limits_of(limit_.work))
      if (other.subject == narrower) return 2 + 2 * count_ / other.rate.count;
    return 1;
  }

 private:
  const Limit& limit_;
  std::uint32_t count_;
};

TEST_F(LimitScenarios, refuse_the_first_request_beyond_the_documented_number) {
  start(behind_a_proxy);
  const auto documented = documented_limits();
  std::set<Work> offered{Work::request, Work::log_in};
  for (const auto& route : api::routes())
    if (route.action) offered.insert(admission::work_of(route.action->cost));
  const TestProject& open = server->alpha_open();
  const TestProject& closed = server->alpha_closed();
  const TenantId tenant = open.ref.tenant;
  std::vector<std::string> tried_names, left_out;

  for (const Limit& limit : admission::all_limits()) {
    const std::string name(limit.name.view());
    if (!offered.contains(limit.work)) continue;
    const auto count = documented.at(name);
    if (count > tried_max) {
      left_out.push_back(name);
      continue;
    }
    SCOPED_TRACE(name);
    let_a_minute_pass();
    const Meeting meeting(limit, count);
    const auto spread = meeting.addresses();
    const auto with = [](HttpCall call, std::vector<HttpHeader> headers) {
      for (auto& header : headers) call.headers.push_back(std::move(header));
      return call;
    };
    const HttpHeader site{"Origin", TestServer::site};
    const auto as_server = [&](HttpCall call, const TestKey& key, std::size_t n) {
      // A server says for which site a visitor is.
      if (limit.work == Work::mint_visitor)
        call.body->insert(call.body->size() - 1, fmt::format(R"(,"origin":"{}")", TestServer::site));
      return with(std::move(call), {key.header(), from(n % spread)});
    };

    std::function<HttpCall(std::size_t)> call;
    std::vector<TestKey> keys;
    std::vector<std::string> visitors;
    std::vector<HttpHeader> person;
    std::string chat;
    switch (limit.subject) {
      case Subject::address:
        if (limit.work == Work::request) {
          call = [](std::size_t) { return HttpCall{.path = "/healthz", .headers = {from(1)}}; };
        } else if (limit.work == Work::log_in) {
          call = [](std::size_t n) {
            return HttpCall{.method = "POST",
                            .path = "/api/v1/session/",
                            .headers = {TestServer::own_page(), json_body(), from(1)},
                            .body = fmt::format(R"({{"email":"n{}@example.org","password":"wrong"}})", n)};
          };
        } else if (limit.work == Work::chat) {
          for (std::size_t i = 0; i < meeting.holders(Subject::visitor); ++i)
            visitors.push_back(server->make_visitor(open));
          call = [&](std::size_t n) {
            return with(meeting.request(open, n),
                        {bearer(visitors[n % visitors.size()]), TestServer::own_page(), from(1)});
          };
        } else {
          call = [&](std::size_t n) { return with(meeting.request(open, n), {TestServer::own_page(), from(1)}); };
        }
        break;
      case Subject::visitor:
        visitors.push_back(server->make_visitor(open));
        call = [&](std::size_t n) {
          return with(meeting.request(open, n), {bearer(visitors[0]), TestServer::own_page(), from(n % spread)});
        };
        break;
      case Subject::user:
        person = sign_in();
        call = [&](std::size_t n) {
          auto headers = person;
          headers.push_back(from(n % spread));
          return with(meeting.request(open, n), headers);
        };
        break;
      case Subject::chat: {
        keys.push_back(secret_key(open));
        const auto first = client->send(with(meeting.request(open, 0), {keys[0].header()}));
        const auto body = text::parse_json(first.body);
        ASSERT_TRUE(body && body->is_object() && first.status == 201) << first.body;
        chat = text_of(body->as_object().at("chat_uuid"));
        call = [&](std::size_t n) {
          auto message = meeting.request(open, n);
          message.body->insert(message.body->size() - 1, fmt::format(R"(,"chat_uuid":"{}")", chat));
          return with(std::move(message), {keys[0].header()});
        };
        break;
      }
      case Subject::secret_key:
        keys.push_back(secret_key(open));
        call = [&](std::size_t n) { return as_server(meeting.request(open, n, false), keys[0], n); };
        break;
      case Subject::public_key:
        // Of the organisation: on one project the project's own limit may be met first.
        keys.push_back(page_key(tenant));
        if (limit.work == Work::chat) {
          // A public key does not ask itself; the visitors that it vouched for do.
          for (std::size_t i = 0; i < meeting.holders(Subject::visitor); ++i)
            visitors.push_back(server->make_visitor(i % 2 == 0 ? open : closed, keys[0]));
          call = [&](std::size_t n) {
            const auto i = n % visitors.size();
            return with(meeting.request(i % 2 == 0 ? open : closed, n, false),
                        {bearer(visitors[i]), site, from(n % spread)});
          };
        } else {
          call = [&](std::size_t n) {
            return with(meeting.request(n % 2 == 0 ? open : closed, n), {keys[0].header(), site, from(n % spread)});
          };
        }
        break;
      case Subject::project:
        if (limit.work == Work::chat) {
          for (std::size_t i = 0; i < meeting.holders(Subject::visitor); ++i)
            visitors.push_back(server->make_visitor(open));
          call = [&](std::size_t n) {
            return with(meeting.request(open, n, false),
                        {bearer(visitors[n % visitors.size()]), TestServer::own_page(), from(n % spread)});
          };
        } else {
          // Callers without any credential: only the request says which project it is.
          call = [&](std::size_t n) {
            return with(meeting.request(open, n), {TestServer::own_page(), from(n % spread)});
          };
        }
        break;
      case Subject::organisation:
        for (std::size_t i = 0; i < meeting.holders(Subject::secret_key); ++i)
          keys.push_back(secret_key(i % 2 == 0 ? open : closed));
        call = [&](std::size_t n) {
          const auto i = n % keys.size();
          return as_server(meeting.request(i % 2 == 0 ? open : closed, n, false), keys[i], n);
        };
        break;
      case Subject::account:
        call = [](std::size_t n) {
          return HttpCall{.method = "POST",
                          .path = "/api/v1/session/",
                          .headers = {TestServer::own_page(), json_body(), from(n)},
                          .body = R"({"email":"ada@example.org","password":"wrong"})"};
        };
        break;
    }
    const auto tried = send_until_refused(call, 2 * std::size_t{count} + 10);
    EXPECT_NEAR(static_cast<double>(tried.allowed), count, 0.1 * count);
    expect_refusal(tried.refused, name);
    // Whoever waits as long as they are told is let in again.
    server->clock().advance(std::chrono::seconds(std::stoi(tried.refused.header("Retry-After").value_or("60"))));
    EXPECT_NE(client->send(call(0)).status, 429);
    tried_names.push_back(fmt::format("{} {}/{}", name, tried.allowed, count));
  }
  fmt::print("limits met, allowed/documented: {}\n", fmt::join(tried_names, ", "));
  if (!left_out.empty()) fmt::print("left out in this build: {}\n", fmt::join(left_out, ", "));
  std::fflush(stdout);
  EXPECT_GE(tried_names.size() + left_out.size(), 30U) << "every line of the kinds of work that a route offers";
}

/// What proxies and clients say about where a request comes from.
const std::vector<std::string> claims_of_origin{
    "X-Forwarded-For",  "Forwarded",           "X-Real-IP",          "CF-Connecting-IP",   "True-Client-IP",
    "X-Client-IP",      "X-Cluster-Client-IP", "Fastly-Client-IP",   "Forwarded-For",      "X-Forwarded",
    "X-Originating-IP", "X-Remote-IP",         "X-Remote-Addr",      "X-ProxyUser-Ip",     "Via",
    "X-Forwarded-Host", "Client-IP",           "WL-Proxy-Client-IP", "CF-Connecting-IPv6", "X-Azure-ClientIP"};

/// The n-th lie about it, under each of these names but one.
std::vector<HttpHeader> lies(std::size_t n, std::string_view but = {}) {
  const auto address = fmt::format("192.0.{}.{}", n / 250, n % 250 + 1);
  std::vector<HttpHeader> headers;
  for (const auto& name : claims_of_origin)
    if (name != but) headers.push_back({name, name == "Forwarded" ? "for=" + address : address});
  return headers;
}

TEST_F(LimitScenarios, believe_no_header_about_where_a_request_comes_from) {
  start("");
  const auto count = documented_limits().at("visitor_per_address");
  const auto mint = [&](std::vector<HttpHeader> headers) {
    headers.push_back(TestServer::own_page());
    headers.push_back(json_body());
    return HttpCall{.method = "POST",
                    .path = "/api/v1/visitors/",
                    .headers = std::move(headers),
                    .body = R"({"project_slug":"alpha-open"})"};
  };
  const auto tried = send_until_refused([&](std::size_t n) { return mint(lies(n)); }, 2 * count);
  EXPECT_EQ(tried.allowed, count);
  expect_refusal(tried.refused, "visitor_per_address");
  for (const auto& name : claims_of_origin)
    EXPECT_EQ(client->send(mint({{name, name == "Forwarded" ? "for=192.0.2.77" : "192.0.2.77"}})).status, 429) << name;
  // Another organisation's page, another project: the address is the same.
  EXPECT_EQ(client
                ->send({.method = "POST",
                        .path = "/api/v1/visitors/",
                        .headers = {TestServer::own_page(), json_body()},
                        .body = R"({"project_slug":"beta-open"})"})
                .status,
            429);
}

TEST_F(LimitScenarios, believe_a_trusted_proxy_and_nobody_behind_it) {
  const auto count = documented_limits().at("visitor_per_address");
  const auto mint = [&](std::vector<HttpHeader> headers) {
    headers.push_back(TestServer::own_page());
    headers.push_back(json_body());
    return HttpCall{.method = "POST",
                    .path = "/api/v1/visitors/",
                    .headers = std::move(headers),
                    .body = R"({"project_slug":"alpha-open"})"};
  };
  const auto allowed = [&](const std::function<std::vector<HttpHeader>(std::size_t)>& headers) {
    let_a_minute_pass();
    const auto tried = send_until_refused([&](std::size_t n) { return mint(headers(n)); }, 2 * count);
    if (tried.refused.status != 0) expect_refusal(tried.refused, "visitor_per_address");
    return tried.allowed;
  };
  const auto plus = [](std::vector<HttpHeader> headers, HttpHeader last) {
    headers.push_back(std::move(last));
    return headers;
  };
  {
    start(behind_a_proxy);
    // What the client wrote itself stands to the left of what the proxy adds.
    EXPECT_EQ(allowed([&](std::size_t n) {
                return plus(lies(n, "X-Forwarded-For"), from(fmt::format("192.0.2.{}, 203.0.113.7", n % 250 + 1)));
              }),
              count);
    EXPECT_EQ(allowed([&](std::size_t n) {
                return plus({from(fmt::format("192.0.2.{}", n % 250 + 1))}, from("203.0.113.7"));
              }),
              count)
        << "in two lines";
    EXPECT_EQ(allowed([&](std::size_t n) {
                return std::vector{from(fmt::format("198.51.100.{}, 127.0.0.{}", 9, n % 250 + 1))};
              }),
              count)
        << "through two proxies of ours";
    EXPECT_EQ(allowed([&](std::size_t n) { return std::vector{from(fmt::format("garbage-{}", n))}; }), count)
        << "what cannot be read is the proxy's";
    EXPECT_EQ(allowed([&](std::size_t n) { return std::vector{from(fmt::format("2001:db8:1:2::{:x}", n + 1))}; }),
              count)
        << "one customer's IPv6 addresses are one";
    EXPECT_EQ(allowed([&](std::size_t n) { return lies(n, "X-Forwarded-For"); }), count) << "only one header is read";
    // The control: those who do come from elsewhere are not each other.
    let_a_minute_pass();
    for (std::size_t n = 0; n < 2 * count; ++n) EXPECT_EQ(client->send(mint({from(n)})).status, 201) << n;
    EXPECT_THAT(server->stop_and_find_leaks(), ::testing::IsEmpty());
    client.reset();
    server.reset();
  }
  start(std::string(behind_a_proxy) + "header = \"forwarded\"\n");
  EXPECT_EQ(allowed([&](std::size_t n) {
              return plus(lies(n, "Forwarded"),
                          {"Forwarded", fmt::format("for=192.0.2.{}, for=203.0.113.7", n % 250 + 1)});
            }),
            count);
}

TEST_F(LimitScenarios, a_thousand_fresh_visitors_gain_nothing) {
  start(behind_a_proxy);
  const auto documented = documented_limits();
  const TestProject& open = server->alpha_open();
  const auto key = server->make_key({.tenant = open.ref.tenant,
                                     .project = open.ref.project,
                                     .scopes = ScopeSet::public_keys(),
                                     .kind = identity::KeyKind::public_key});
  const auto chat = [&](const std::string& token, HttpHeader address, bool whole) {
    json::object body{{"project_slug", open.slug()}};
    if (whole) body["message"] = question;
    return HttpCall{.method = "POST",
                    .path = "/api/v1/chats/",
                    .headers = {bearer(token), {"Origin", TestServer::site}, json_body(), std::move(address)},
                    .body = json::serialize(body)};
  };
  // Making them: no faster than an address may.
  const auto minted = send_until_refused(
      [&](std::size_t) {
        return HttpCall{.method = "POST",
                        .path = "/api/v1/visitors/",
                        .headers = {key.header(), {"Origin", TestServer::site}, json_body(), from(1)},
                        .body = json::serialize(json::object{{"project_slug", open.slug()}})};
      },
      1'000);
  EXPECT_EQ(minted.allowed, documented.at("visitor_per_address"));
  expect_refusal(minted.refused, "visitor_per_address");

  // Having them all the same, however they were come by: one address, one page's key and one project stay what they
  // are.
  std::vector<std::string> visitors;
  for (int i = 0; i < 1'000; ++i) visitors.push_back(server->make_visitor(open, key));
  let_a_minute_pass();
  const auto at_one_address =
      send_until_refused([&](std::size_t n) { return chat(visitors[n % 1'000], from(1), true); }, 1'000);
  EXPECT_EQ(at_one_address.allowed, documented.at("chat_per_address"));
  expect_refusal(at_one_address.refused, "chat_per_address");
  let_a_minute_pass();
  const auto everywhere =
      send_until_refused([&](std::size_t n) { return chat(visitors[n % 1'000], from(n), false); }, 2'000);
  EXPECT_EQ(everywhere.allowed, documented.at("chat_per_public_key"));
  expect_refusal(everywhere.refused, "chat_per_public_key");
  // And the project's readers elsewhere, and other organisations, ask on.
  auto reader = chat(server->make_visitor(open), from(5'000), true);
  reader.headers[1] = TestServer::own_page();
  EXPECT_EQ(client->send(reader).status, 201);
  const auto beta = secret_key(server->beta_open());
  EXPECT_EQ(client
                ->send({.method = "POST",
                        .path = "/api/v1/chats/",
                        .headers = {beta.header(), json_body()},
                        .body = json::serialize(json::object{{"project_slug", "beta-open"}, {"message", question}})})
                .status,
            201);
}

}  // namespace
}  // namespace parley::scenarios
