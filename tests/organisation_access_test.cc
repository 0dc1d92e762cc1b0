// Who may do what to their organisation: every route of the table that acts on one, times every kind of credential,
// times the object it names: one's own, another organisation's, one that is not there. What is to be expected follows
// from the route table and the credential, so a new route is covered by being in the table.

#include <cstdio>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parley/text/json.h"
#include "tests/calls.h"

namespace parley::scenarios {
namespace {

using api::Route;
using testing::HttpAnswer;
using testing::HttpHeader;
using testing::TestProject;
using testing::TestServer;

struct Caller {
  std::string name;
  int refused_with;  ///< whatever the route; 0 if its scope decides
  std::string credential;
  ScopeSet scopes = {};
  std::vector<HttpHeader> headers = {};
};

TEST(OrganisationAccess, is_as_the_route_table_says_and_ends_at_the_organisation) {
  if (!TestServer::available()) GTEST_SKIP() << db::TestStore::why_not;
  TestServer server;
  auto client = server.client();
  const TestProject& project = server.alpha_closed();
  const TenantId alpha = project.ref.tenant, beta = server.beta_open().ref.tenant;

  const auto wide = [&](TenantId tenant, ScopeSet scopes) {
    return server.make_key({.tenant = tenant, .project = std::nullopt, .scopes = scopes}).text;
  };
  const auto page_key = server.make_key({.tenant = alpha,
                                         .project = project.ref.project,
                                         .scopes = ScopeSet::public_keys(),
                                         .kind = identity::KeyKind::public_key});
  const auto revoked = server.make_key({.tenant = alpha, .project = std::nullopt});
  server.revoke(project, revoked);
  const HttpHeader on_site{"Origin", TestServer::site};
  const std::string owner_key = wide(alpha, ScopeSet::secret_keys());

  std::vector<Caller> callers{
      {"nobody", 401, ""},
      {"nobody, on our page", 401, "", {}, {TestServer::own_page()}},
      {"nobody, on a listed site", 401, "", {}, {on_site}},
      {"malformed", 401, "sk_1not-a-key"},
      {"revoked", 401, revoked.text},
      {"a project's key", 403, server.make_key(project).text},
      {"a public key", 403, page_key.text, {}, {on_site}},
      {"a visitor", 403, server.make_visitor(project, page_key), {}, {on_site}},
      {"the owner's key, in a browser", 403, owner_key, {}, {TestServer::own_page()}},
      {"the owner's key, on a listed site", 403, owner_key, {}, {on_site}},
      {"the owner's key", 0, owner_key, ScopeSet::secret_keys()},
  };
  for (const auto& info : all_scopes())
    if (info.holders != Holders::members)
      callers.push_back({fmt::format("only {}", info.name.view()), 0, wide(alpha, {info.scope}), {info.scope}});
  for (const auto& info : all_scopes()) {
    if (info.holders == Holders::members) continue;
    ScopeSet rest;
    for (const auto& other : all_scopes())
      if (other.scope != info.scope && other.holders != Holders::members) rest.add(other.scope);
    callers.push_back({fmt::format("all but {}", info.name.view()), 0, wide(alpha, rest), rest});
  }

  const auto send = [&](const Route& route, const std::string& id, const Caller& caller) {
    // For the organisation as a whole, since what a caller may hand out is what they hold.
    auto call = *call_for(route, project.slug(), "none.js", id);
    if (!caller.credential.empty()) call.headers.push_back({"Authorization", "Bearer " + caller.credential});
    for (const auto& header : caller.headers) call.headers.push_back(header);
    return client.send(call);
  };
  const auto expect_fine = [&](const HttpAnswer& answer, bool issues = false) {
    EXPECT_THAT(server.problems_of(answer, {.issues_token = issues}), ::testing::IsEmpty()) << answer.body;
  };

  int run = 0;
  const auto beta_owner = Caller{"another organisation's owner", 0, wide(beta, ScopeSet::secret_keys()), {}};
  const auto foreign = server.make_key(server.beta_open());
  for (const Route& route : api::routes()) {
    if (!route.action || route.action->on != ActionInfo::On::organisation) continue;
    SCOPED_TRACE(title(route));
    ASSERT_TRUE(call_for(route, project.slug())) << "takes something tests/calls.cc cannot make";
    const bool names_object = route.path.view().find("{id}") != std::string_view::npos;
    const auto own = server.make_key(project);
    for (const Caller& caller : callers) {
      SCOPED_TRACE(caller.name);
      const bool scope_held = caller.scopes.contains(route.action->scope);
      const int refused = caller.refused_with != 0 ? caller.refused_with : scope_held ? 0 : 403;
      // What is created has the scope project_read, which who has not got cannot give.
      const bool hands_out = route.path.view() == "/api/v1/keys/" && route.method == http::Method::post;
      const bool holds = !hands_out || caller.scopes.contains(Scope::project_read);
      // A rotation hands out all that its key may do.
      const bool rotates = route.path.view().ends_with("/rotate/");
      const bool holds_all = !rotates || caller.scopes.contains_all(ScopeSet::secret_keys());

      if (refused != 0) {
        const auto answer = send(route, own.id.to_string(), caller);
        ++run;
        EXPECT_EQ(answer.status, refused) << answer.body;
        expect_fine(answer);
        if (!names_object) continue;
        // What it names makes no difference, so nothing is told about it.
        for (const auto& id : {foreign.id.to_string(), crypto::random_id<KeyId>(crypto::system_random()).to_string(),
                               std::string("no-id")}) {
          ++run;
          EXPECT_EQ(testing::blanked(send(route, id, caller)), testing::blanked(answer)) << id;
        }
        continue;
      }

      const auto fresh = names_object ? server.make_key(project) : own;
      const auto answer = send(route, fresh.id.to_string(), caller);
      ++run;
      if (!holds || !holds_all) {
        EXPECT_EQ(answer.status, 403) << answer.body;
        expect_fine(answer);
      } else {
        EXPECT_TRUE(answer.status == 200 || answer.status == 201) << answer.status << answer.body;
        expect_fine(answer, hands_out || rotates);
        if (hands_out || rotates) {
          const auto key = text::parse_json(answer.body)->as_object().at("key").as_string();
          server.add_secret(std::string(key));
        } else {
          EXPECT_THAT(answer.body, ::testing::Not(::testing::HasSubstr(foreign.id.to_string())));
        }
      }
      if (!names_object) continue;
      const auto nobodys = send(route, crypto::random_id<KeyId>(crypto::system_random()).to_string(), caller);
      EXPECT_EQ(nobodys.status, 404);
      for (const auto& id : {foreign.id.to_string(), std::string("no-id"), foreign.text}) {
        ++run;
        const auto other = send(route, id, caller);
        expect_fine(other);
        EXPECT_EQ(testing::blanked(other), testing::blanked(nobodys)) << id;
      }
    }
    if (names_object) {
      ++run;
      const auto answer = send(route, own.id.to_string(), beta_owner);
      EXPECT_EQ(answer.status, 404);
      const auto nobodys = send(route, crypto::random_id<KeyId>(crypto::system_random()).to_string(), beta_owner);
      EXPECT_EQ(testing::blanked(answer), testing::blanked(nobodys));
    }
    // Nothing of all this has done anything to what is another's.
    for (const auto& [key, slug] : {std::pair{own, project.slug()}, std::pair{foreign, server.beta_open().slug()}})
      if (names_object || key.id == foreign.id)
        EXPECT_EQ(client.send({.path = "/api/v1/projects/" + slug + "/", .headers = {key.header()}}).status, 200);
  }
  EXPECT_GT(run, 0);
  fmt::print("organisation access: {} cells run\n", run);
  std::fflush(stdout);
  EXPECT_THAT(server.stop_and_find_leaks(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace parley::scenarios
