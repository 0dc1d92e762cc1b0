// Who may do what, tried out: every route of the table times every kind of credential times open and closed projects.
// What is to be expected follows from the route table and the credential alone, so a new route is covered by being in
// the table, and fails here if nobody could tell how to call it.

#include <cstdio>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "parley/api/route.h"
#include "tests/calls.h"
#include "tests/served.h"

namespace parley::scenarios {
namespace {

using api::Route;
using testing::HttpAnswer;
using testing::HttpCall;
using testing::HttpClient;
using testing::TestProject;
using testing::TestServer;

enum class Standing : std::uint8_t {
  absent,     ///< no credential
  worthless,  ///< one that does not hold
  elsewhere,  ///< it holds, for something else
  here,       ///< it holds, for this project
};

struct Caller {
  std::string name;
  Standing standing;
  std::string authorization;  ///< the header's value; empty for none
  ScopeSet scopes = ScopeSet::secret_keys();
  bool own_page = false;  ///< a browser says that our own page is asking
  std::string site = {};  ///< or that this one is
};

class AccessMatrix : public Served<AccessMatrix> {
 protected:
  static std::vector<Caller> callers(const TestProject& target, const TestProject& sibling,
                                     const TestProject& foreign) {
    TestServer& s = *server_;
    const auto bearer = [](const testing::TestKey& key) { return "Bearer " + key.text; };
    const auto key = [&](const TestProject& p, ScopeSet scopes, identity::KeyKind kind = identity::KeyKind::secret,
                         std::chrono::microseconds life = std::chrono::hours(1)) {
      return s.make_key(
          {.tenant = p.ref.tenant, .project = p.ref.project, .scopes = scopes, .kind = kind, .lifetime = life});
    };

    std::vector<Caller> list{
        {"none", Standing::absent, ""},
        {"none, own page", Standing::absent, "", {}, true},
        {"empty", Standing::worthless, "Bearer "},
        {"malformed", Standing::worthless, "Bearer sk_1not-a-key"},
        {"malformed, own page", Standing::worthless, "Bearer sk_1not-a-key", {}, true},
        {"random well-formed", Standing::worthless,
         "Bearer " + std::string(identity::make_api_key(identity::KeyKind::secret).reveal())},
        {"random well-formed public", Standing::worthless,
         "Bearer " + std::string(identity::make_api_key(identity::KeyKind::public_key).reveal())},
    };
    list.push_back(
        {"expired", Standing::worthless,
         bearer(key(target, ScopeSet::secret_keys(), identity::KeyKind::secret, std::chrono::microseconds(1)))});
    const auto revoked = key(target, ScopeSet::secret_keys());
    s.revoke(target, revoked);
    list.push_back({"revoked", Standing::worthless, bearer(revoked)});
    list.push_back({"revoked, own page", Standing::worthless, bearer(revoked), {}, true});
    const auto good = key(target, ScopeSet::secret_keys());
    list.push_back({"owner as Basic", Standing::worthless, "Basic " + good.text});
    list.push_back({"owner without a scheme", Standing::worthless, good.text});
    list.push_back({"owner with a blank", Standing::worthless, bearer(good) + " x"});
    std::string changed = good.text;
    changed.back() = changed.back() == 'a' ? 'b' : 'a';
    list.push_back({"owner, one character changed", Standing::worthless, "Bearer " + changed});
    list.push_back({"visitor, expired",
                    Standing::worthless,
                    "Bearer " + s.make_visitor(target, std::chrono::hours(13)),
                    {},
                    true});
    std::string forged = s.make_visitor(target);
    forged[10] = forged[10] == 'A' ? 'B' : 'A';
    list.push_back({"visitor, forged", Standing::worthless, "Bearer " + forged, {}, true});
    list.push_back({"visitor, outside a page", Standing::worthless, "Bearer " + s.make_visitor(target)});
    const auto page_key = key(target, ScopeSet::public_keys(), identity::KeyKind::public_key);
    list.push_back({"public key, outside a page", Standing::worthless, bearer(page_key)});
    list.push_back({"visitor on another site",
                    Standing::worthless,
                    "Bearer " + s.make_visitor(target, page_key),
                    {},
                    false,
                    "https://elsewhere.example.net"});
    const auto dead_key = key(target, ScopeSet::public_keys(), identity::KeyKind::public_key);
    const auto orphan = s.make_visitor(target, dead_key);
    s.revoke(target, dead_key);
    list.push_back({"visitor of a revoked key", Standing::worthless, "Bearer " + orphan, {}, false, TestServer::site});

    list.push_back({"other organisation's key", Standing::elsewhere, bearer(key(foreign, ScopeSet::secret_keys()))});
    list.push_back({"other organisation's wide key", Standing::elsewhere,
                    bearer(s.make_key({.tenant = foreign.ref.tenant, .project = std::nullopt}))});
    list.push_back({"other project's key", Standing::elsewhere, bearer(key(sibling, ScopeSet::secret_keys()))});
    list.push_back({"visitor of another project", Standing::elsewhere, "Bearer " + s.make_visitor(sibling), {}, true});
    list.push_back(
        {"visitor of another organisation", Standing::elsewhere, "Bearer " + s.make_visitor(foreign), {}, true});

    for (const auto& info : all_scopes()) {
      if (info.holders == Holders::members) continue;
      list.push_back({fmt::format("only {}", info.name.view()), Standing::here,
                      bearer(key(target, ScopeSet{info.scope})), ScopeSet{info.scope}});
    }
    list.push_back({"owner", Standing::here, bearer(good)});
    list.push_back({"owner by Api-Key", Standing::here, "Api-Key " + good.text});
    list.push_back({"owner, organisation-wide", Standing::here,
                    bearer(s.make_key({.tenant = target.ref.tenant, .project = std::nullopt}))});
    list.push_back({"visitor", Standing::here, "Bearer " + s.make_visitor(target, page_key), ScopeSet::public_keys(),
                    false, TestServer::site});
    list.push_back({"public key", Standing::here, bearer(page_key), ScopeSet::public_keys(), false, TestServer::site});
    return list;
  }

  static bool may(const Route& route, const Caller& caller, const TestProject& target) {
    switch (caller.standing) {
      case Standing::absent:
        return caller.own_page && target.ref.access->visibility == Visibility::public_project &&
               (route.action->anonymous == ActionInfo::Anonymous::own_pages ||
                route.action->anonymous == ActionInfo::Anonymous::reading);
      case Standing::worthless:
      case Standing::elsewhere: return false;
      case Standing::here:
        if (caller.name == "visitor" && route.action->visitors != ActionInfo::Visitors::may) return false;
        if (caller.name == "public key" && route.action->public_key != ActionInfo::PublicKey::may) return false;
        return caller.scopes.contains(route.action->scope);
    }
    return false;
  }

  static int expected_refusal(const Caller& caller) {
    switch (caller.standing) {
      case Standing::absent:
      case Standing::worthless: return 401;
      case Standing::elsewhere: return 404;
      case Standing::here: return 403;
    }
    return 0;
  }

  static HttpAnswer ask(HttpClient& client, HttpCall call, const Caller& caller) {
    // A server's key says for which site the visitor is.
    if (call.path == "/api/v1/visitors/" && !caller.own_page && caller.site.empty())
      call.body->insert(call.body->size() - 1, fmt::format(R"(,"origin":"{}")", TestServer::site));
    if (!caller.authorization.empty()) call.headers.push_back({"Authorization", caller.authorization});
    if (caller.own_page) call.headers.push_back(TestServer::own_page());
    if (!caller.site.empty()) call.headers.push_back({"Origin", caller.site});
    return client.send(call);
  }
};

TEST_F(AccessMatrix, every_route_answers_every_caller_as_its_line_in_the_table_says) {
  TestServer& s = *server_;
  HttpClient client = s.client();
  const std::string asset = an_asset(client);
  int run = 0, failed = 0;
  struct Target {
    const TestProject &project, &sibling, &foreign;
  };
  const Target targets[] = {{s.alpha_open(), s.alpha_closed(), s.beta_open()},
                            {s.alpha_closed(), s.alpha_open(), s.beta_closed()},
                            {s.beta_closed(), s.beta_open(), s.alpha_closed()}};
  for (const auto& [target, sibling, foreign] : targets) {
    for (const Caller& caller : callers(target, sibling, foreign)) {
      for (const Route& route : api::routes()) {
        // Tried in organisation_access_test.cc, where who owns what is another question.
        if (route.action && route.action->on != ActionInfo::On::project) continue;
        const auto call = call_for(route, target.slug(), asset);
        ASSERT_TRUE(call) << title(route) << " takes something tests/calls.cc cannot make, so nobody would try it";
        const auto cell = fmt::format("{} on {} as {}", title(route), target.slug(), caller.name);
        SCOPED_TRACE(cell);
        ++run;
        const auto before = ::testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();

        const HttpAnswer answer = ask(client, *call, caller);
        TestServer::Expected expected;
        if (!route.action) {
          // Nobody is more welcome than anybody else.
          const Caller nobody{"", Standing::absent, "", {}, caller.own_page, caller.site};
          EXPECT_EQ(testing::blanked(answer), testing::blanked(ask(client, *call, nobody)));
          EXPECT_LT(answer.status, 500);
          if (route.method == http::Method::get) EXPECT_EQ(answer.status, 200);
        } else if (may(route, caller, target)) {
          EXPECT_TRUE(answer.status == 200 || answer.status == 201) << answer.status << " " << answer.body;
          expected.readable = {target.slug()};
          expected.issues_token = route.action->cost == Cost::mint_visitor;
        } else {
          EXPECT_EQ(answer.status, expected_refusal(caller)) << answer.body;
          EXPECT_EQ(answer.header("WWW-Authenticate").has_value(), answer.status == 401);
          if (caller.standing != Standing::here) {
            // What is not theirs, and what is not there: one answer, to the byte.
            const auto nowhere = call_for(route, testing::random_word(), asset);
            EXPECT_EQ(testing::blanked(answer), testing::blanked(ask(client, *nowhere, caller)));
          }
        }
        EXPECT_THAT(s.problems_of(answer, expected), ::testing::IsEmpty()) << answer.head << "\n" << answer.body;
        const auto after = ::testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
        if (after != before) ++failed;
      }
    }
  }
  fmt::print("access matrix: {} cells run, {} failed, {} routes\n", run, failed, api::routes().size());
  std::fflush(stdout);
}

// The positive control: were the owner refused everywhere, every refusal above would be worth nothing.
TEST_F(AccessMatrix, the_owner_reads_what_nobody_else_may) {
  TestServer& s = *server_;
  HttpClient client = s.client();
  for (const auto& project : s.projects()) {
    const auto key = s.make_key(project);
    for (const Route& route : api::routes()) {
      if (!route.action || route.action->on != ActionInfo::On::project) continue;
      SCOPED_TRACE(title(route) + " on " + project.slug());
      const auto answer =
          ask(client, *call_for(route, project.slug()), {"owner", Standing::here, "Bearer " + key.text});
      EXPECT_TRUE(answer.status == 200 || answer.status == 201) << answer.body;
      const bool tells_documents = route.action->scope == Scope::project_search || route.action->cost == Cost::chat;
      if (tells_documents) EXPECT_THAT(answer.body, ::testing::HasSubstr(project.canary));
      EXPECT_THAT(s.problems_of(
                      answer, {.readable = {project.slug()}, .issues_token = route.action->cost == Cost::mint_visitor}),
                  ::testing::IsEmpty());
    }
  }
}

}  // namespace
}  // namespace parley::scenarios
