// Who may do what, tried out: every route of the table times every kind of caller times what they name; every place a
// credential could be put; every object by its id times everybody who might name it. What is to be expected follows
// from the route table, the route's line in calls.cc and the credential alone, so a new route is covered by its line,
// and fails here without one.

#include <algorithm>
#include <filesystem>
#include <set>

#include <boost/json.hpp>

#include "parley/text/json.h"
#include "tests/callers.h"
#include "tests/calls.h"
#include "tests/served.h"

namespace parley::scenarios {
namespace {

using api::Route;
using On = ActionInfo::On;
using testing::blanked;
using testing::HttpAnswer;
using testing::HttpCall;
using testing::Tables;
using testing::TestProject;
using testing::TestServer;

bool is_success(const HttpAnswer& answer) { return answer.status >= 200 && answer.status < 300; }
bool tells_credential(const Route& route) { return find_line(route)->tells == Line::Tells::credential; }

TEST(AccessLines, every_route_has_a_line_and_every_line_a_route) {
  std::set<std::string> routes;
  for (const Route& route : api::routes()) {
    routes.insert(title(route));
    EXPECT_TRUE(find_line(route)) << title(route) << " has no line in tests/calls.cc, so nobody would try it";
    for (const ObjectField& field : object_fields(route))
      EXPECT_TRUE(field.kind) << title(route) << " names an object in " << field.name
                              << ", of which tests/calls.cc does not know what it is";
  }
  for (const Line& line : lines()) EXPECT_TRUE(routes.contains(std::string(line.route))) << line.route;
}

class AccessMatrix : public Served<AccessMatrix> {
 protected:
  static std::vector<Target> targets() {
    TestServer& s = *server_;
    return {{s.alpha_closed(), s.alpha_open(), s.beta_closed()},
            {s.alpha_open(), s.alpha_closed(), s.beta_open()},
            {s.beta_closed(), s.beta_open(), s.alpha_closed()}};
  }

  HttpAnswer ask(const HttpCall& call, const Caller& caller) { return client_->send(with_credential(call, caller)); }
  /// Without the credential, but as much of a browser as before.
  HttpAnswer ask_without(const HttpCall& call, const Caller& caller) { return client_->send(as_caller(call, caller)); }

  /// What of the project's organisation stands anywhere: its own tables, and the shared ones. Not how far its trail has
  /// come: reads and refusals of its own people are put there by and by.
  static Tables state_of(const TestProject& target) {
    Tables state = tables().tenant(target.ref.tenant);
    state.merge(tables().control());
    state.erase("trail_heads");
    return state;
  }
  /// Nothing that was refused has left anything.
  static void expect_untouched(const Tables& before, const TestProject& target) {
    const Tables after = state_of(target);
    EXPECT_TRUE(after == before) << "changed: " << testing::differences(before, after);
  }
  /// Nor stands anybody on the trail of an organisation that is not theirs.
  static void expect_only_their_own_on_the_trail(const TestProject& target, const std::vector<Caller>& list) {
    std::set<std::string> others;
    for (const Caller& caller : list)
      if (caller.account && caller.tenant && caller.tenant != target.ref.tenant)
        others.insert(caller.account->to_string());
    EXPECT_FALSE(others.empty());
    for (const auto& record : server_->trail_of(target.ref.tenant))
      EXPECT_FALSE(others.contains(record.actor_id)) << record.action;
  }

  /// What one organisation has that a route can name, made afresh: a granted call may use it up.
  static Named make_object(Names names, const TestProject& of, const std::optional<AccountId>& whose_session = {}) {
    TestServer& s = *server_;
    auto& at = s.installation();
    Named named{.slug = of.slug()};
    const auto person = [&] { return s.make_person({.tenant = of.ref.tenant}); };
    switch (names) {
      case Names::nothing:
      case Names::project: break;
      case Names::asset: named.name = asset_; break;
      case Names::organisation: named.name = of.ref.tenant.to_string(); break;
      case Names::account: named.name = person().to_string(); break;
      case Names::key:
        named.name =
            s.make_key({.tenant = of.ref.tenant, .project = of.ref.project, .groups = ReadableGroups::Extent::listed})
                .id.to_string();
        break;
      case Names::session: {
        const auto account = whose_session ? *whose_session : person();
        named.name = s.make_session({.account = account, .tenant = of.ref.tenant}).id.to_string();
        break;
      }
      case Names::invitation: {
        const auto made = at.wait(at.invitations->create(
            identity::Doer::local(at.local_operator(0)),
            {.tenant = of.ref.tenant, .email = testing::random_word() + "@example.org", .grant = {}}));
        EXPECT_TRUE(made.has_value());
        if (made) {
          s.add_secret(std::string(made->token.reveal()));
          named.name = made->invitation.id.to_string();
        }
        break;
      }
    }
    return named;
  }
  /// The same for nobody.
  static Named nothing(Names names, const TestProject& of) {
    return {.slug = names == Names::project ? testing::random_word() : of.slug(),
            .name = names == Names::asset ? "none.js"
                                          : RequestId(crypto::random_uuid(crypto::system_random())).to_string()};
  }
  /// Whether it is an object of the caller's own that they name.
  static bool is_theirs(Names names, const Caller& caller, const TestProject& of) {
    if (names == Names::nothing || names == Names::asset) return true;
    return names != Names::session && caller.tenant == of.ref.tenant;
  }

  /// What was told this once must show up nowhere else.
  static void note_secrets(const HttpAnswer& answer) {
    const auto value = text::parse_json(answer.body);
    if (!value || !value->is_object()) return;
    for (const char* name : {"key", "token", "link"}) {
      const auto* text = value->as_object().if_contains(name);
      if (!text || !text->is_string()) continue;
      const std::string secret(text->as_string());
      server_->add_secret(secret.substr(secret.find('#') + 1));
    }
  }

  /// Whoever may is answered as the route's line says.
  void expect_granted(const HttpAnswer& answer, const Route& route, const TestProject& target) {
    const Line& line = *find_line(route);
    EXPECT_EQ(answer.status, line.granted) << answer.body;
    EXPECT_THAT(answer.body, ::testing::HasSubstr(line.says));
    expect_no_problems(answer, {.readable = {target.slug()}, .issues_token = tells_credential(route)});
    if (tells_credential(route)) note_secrets(answer);
  }

  inline static std::string asset_;
};

TEST_F(AccessMatrix, every_route_answers_every_caller_as_its_line_in_the_table_says) {
  Cells cells("access matrix, routes and callers");
  asset_ = an_asset(*client_);
  for (const Target& target : targets()) {
    const bool first = &target.project == &server_->alpha_closed();
    const auto list = callers(*server_, target);
    // What there is to name while everybody is refused.
    std::map<Names, std::vector<Named>> standing;
    for (const auto names : {Names::nothing, Names::project, Names::key, Names::session, Names::account,
                             Names::invitation, Names::organisation, Names::asset})
      for (const TestProject* of : {&target.project, &target.foreign})
        standing[names].push_back(make_object(names, *of));

    struct Granted {
      const Caller* caller;
      const Route* route;
    };
    std::vector<Granted> granted;
    // First what is refused, and what only reads, so that nobody's rights have changed by then.
    for (const Caller& caller : list) {
      Tables state = state_of(target.project);
      for (const Route& route : api::routes()) {
        const Line& line = *find_line(route);
        // What is not on a project is the same whichever project is looked at.
        if (!first && (!route.action || route.action->on != On::project)) continue;
        const auto refused = route.action ? refusal(route, caller, target.project) : std::nullopt;
        const bool on_project = route.action && route.action->on == On::project;
        const std::size_t named_count =
            on_project || !route.action || line.names == Names::nothing ? 1 : standing[line.names].size();
        for (std::size_t which = 0; which < named_count; ++which) {
          const TestProject& of = which == 0 ? target.project : target.foreign;
          const Named& named = standing[line.names][which];
          const auto name = fmt::format("{} on {} as {}", title(route),
                                        of.ref.tenant == target.project.ref.tenant ? "ours" : "theirs", caller.name);
          const HttpCall call = call_for(route, named);
          if (!route.action) {
            cells(name, [&] {
              // Nobody is more welcome than anybody else.
              const HttpAnswer answer = ask(call, caller);
              const bool by_session = line.cookie == Line::Cookie::judged && caller.by == Caller::By::cookie;
              if (!by_session) EXPECT_EQ(blanked(answer), blanked(ask_without(call, caller)));
              EXPECT_LT(answer.status, 500);
              // What takes something is for programs and for pages of ours.
              const bool foreign_page = (changes(route) || route.input != Route::Input::none) && !caller.own_page &&
                                        !caller.browser_headers().empty();
              if (line.granted == 0) EXPECT_GE(answer.status, 400);
              else if (!by_session) EXPECT_EQ(answer.status, foreign_page ? 403 : line.granted);
              expect_no_problems(answer, {});
              if (changes(route)) expect_untouched(state, target.project);
            });
            continue;
          }
          // A session is theirs if it is of their own account; of these here none is.
          if (!refused && line.names == Names::session && which == 0) granted.push_back({&caller, &route});
          const bool theirs = on_project || is_theirs(line.names, caller, of);
          if (!refused && theirs && changes(route)) {
            granted.push_back({&caller, &route});
            continue;
          }
          cells(name, [&] {
            const HttpAnswer answer = ask(call, caller);
            if (!refused && theirs) {
              expect_granted(answer, route, target.project);
              // Whoever is of another organisation hears of theirs alone.
              if (caller.tenant != target.project.ref.tenant)
                for (const auto& [names, objects] : standing)
                  if (names != Names::nothing && names != Names::project && names != Names::asset)
                    EXPECT_THAT(answer.body, ::testing::Not(::testing::HasSubstr(objects[0].name)));
              return;
            }
            EXPECT_EQ(answer.status, refused.value_or(404)) << answer.body;
            EXPECT_EQ(answer.header("WWW-Authenticate").has_value(), answer.status == 401);
            // What is not theirs, and what is not there: one answer, to the byte. On a project of their own they are
            // told what they may not do.
            const bool here =
                caller.standing == Standing::here || (caller.standing == Standing::unproven && !changes(route));
            const bool told = on_project && here;
            if (!told) EXPECT_EQ(blanked(answer), blanked(ask(call_for(route, nothing(line.names, of)), caller)));
            expect_no_problems(answer, {});
            if (changes(route)) expect_untouched(state, target.project);
          });
        }
      }
    }
    expect_only_their_own_on_the_trail(target.project, list);
    // Then what is granted and changes something, each by somebody of that kind who has done nothing else yet.
    for (const auto& [base, route] : granted) {
      const Caller caller = base->another ? base->another() : *base;
      const Line& line = *find_line(*route);
      const bool ours = route->action->on == On::project || caller.tenant == target.project.ref.tenant;
      const TestProject& of = ours ? target.project : target.foreign;
      cells(fmt::format("{} as {}, on what is theirs", title(*route), caller.name), [&] {
        const HttpCall call = call_for(*route, make_object(line.names, of, caller.account));
        const HttpAnswer answer = ask(call, caller);
        if (caller.scopes.contains_all(line.hands_out)) {
          expect_granted(answer, *route, target.project);
        } else {
          // Nobody hands out what they do not hold.
          EXPECT_EQ(answer.status, 403) << answer.body;
          expect_no_problems(answer, {});
        }
      });
    }
  }
}

TEST_F(AccessMatrix, a_credential_counts_in_its_place_and_nowhere_else) {
  Cells cells("access matrix, places of a credential");
  asset_ = an_asset(*client_);
  // Who asks is settled before what is asked for: everybody on one route of each sort, and one of each sort on all.
  const std::set<std::string> one_of_each_sort{
      "GET /api/v1/projects/{slug}/", "POST /api/v1/chats/",       "GET /api/v1/keys/",     "POST /api/v1/keys/",
      "GET /api/v1/session/",         "PUT /api/v1/organisation/", "POST /api/v1/session/", "GET /demo/{slug}"};
  const std::set<std::string> somebody_of_each_sort{
      "revoked",       "other organisation's wide key", "owner, organisation-wide", "visitor",
      "administrator", "administrator, signed out"};
  const Target target = targets()[0];
  const TestProject& project = target.project;
  for (const Caller& caller : callers(*server_, target)) {
    if (caller.standing == Standing::absent) continue;
    const Tables before = state_of(project);
    bool anything_allowed = false;
    for (const Route& route : api::routes()) {
      const bool many = somebody_of_each_sort.contains(caller.name);
      if (!many && !one_of_each_sort.contains(title(route))) continue;
      const Line& line = *find_line(route);
      // What is granted and changes something was tried above; here it would end the caller.
      const bool on_project = route.action && route.action->on == On::project;
      if (route.action && !on_project && changes(route) && !refusal(route, caller, project)) continue;
      // No key, session or member is named: each place would use one up.
      Named named = nothing(line.names, project);
      named.slug = project.slug();
      const HttpCall call = call_for(route, named);
      const HttpAnswer in_place = ask(call, caller);
      const HttpAnswer without = ask_without(call, caller);
      const bool granted = route.action && is_success(in_place);
      anything_allowed = anything_allowed || granted;
      for (const Place& place : places()) {
        // What a link's or a session's token is worth in a form, its own tests say.
        if (!route.action && (line.cookie == Line::Cookie::judged || place.name.starts_with("body "))) continue;
        HttpCall sent = as_caller(call, caller);
        const std::string as_it_was = testing::to_bytes(sent);
        place.put(sent, caller.credential);
        if (testing::to_bytes(sent) == as_it_was) continue;  // a body, for a route that takes none
        cells(fmt::format("{} as {}, {}", title(route), caller.name, place.name), [&] {
          const HttpAnswer answer = client_->send(sent);
          const auto counts = place.counts_for(caller);
          TestServer::Expected expected{.refused_by_parser = counts == Place::Counts::as_broken};
          if (counts == Place::Counts::as_broken) {
            EXPECT_EQ(answer.status, 400) << answer.body;
          } else if (counts == Place::Counts::as_bad && route.action) {
            // A session's cookie, wherever else than on our page, is refused before it is looked at.
            const bool off_page = place.read == Place::Read::as_cookie || place.name.starts_with("the session's");
            if (off_page) EXPECT_TRUE(answer.status == 401 || answer.status == 403) << answer.body;
            else EXPECT_EQ(answer.status, 401) << answer.body;
          } else {
            // The answer that this one must be like: with the credential, or as if it had not been brought.
            const HttpAnswer& like = counts == Place::Counts::as_credential ? in_place : without;
            const bool refused_for_it =
                answer.status == 400 && (place.name.starts_with("query ") || place.name.starts_with("body "));
            if (!refused_for_it) {
              EXPECT_EQ(answer.status, like.status) << answer.body;
              // A granted one may be new each time, or say when the credential was last used.
              if (!(route.action && is_success(like))) EXPECT_EQ(blanked(answer), blanked(like));
              if (route.action && is_success(like))
                expected = {.readable = {project.slug()}, .issues_token = tells_credential(route)};
            }
          }
          expect_no_problems(answer, expected);
          if (caller.credential.size() > 8)
            EXPECT_EQ((answer.head + answer.body).find(caller.credential), std::string::npos) << "echoed";
          if (expected.issues_token) note_secrets(answer);
        });
      }
    }
    // After so many attempts: nothing, unless somebody was let in.
    if (!anything_allowed) expect_untouched(before, project);
  }
}

// Whoever brings a credential of little worth in its place, and the owner's elsewhere, is who the first one says.
TEST_F(AccessMatrix, a_second_credential_elsewhere_adds_nothing_to_the_one_in_its_place) {
  Cells cells("access matrix, two credentials");
  const Target target = targets()[0];
  const TestProject& project = target.project;
  const std::string owner = server_->make_key({.tenant = project.ref.tenant, .project = std::nullopt}).text;
  const auto administrator = callers(*server_, target, {"administrator"})[0];
  for (const Caller& caller : callers(*server_, target)) {
    if (caller.standing == Standing::absent || caller.standing == Standing::here) continue;
    for (const char* path : {"/api/v1/projects/{slug}/", "/api/v1/keys/"}) {
      const Route& route = *std::ranges::find_if(
          api::routes(), [&](const Route& r) { return r.path.view() == path && r.method == http::Method::get; });
      const HttpCall call = call_for(route, project.slug());
      const HttpAnswer alone = ask(call, caller);
      if (is_success(alone)) continue;
      const auto add = [&](const std::string& what, const HttpCall& sent) {
        if (testing::to_bytes(sent) == testing::to_bytes(call)) return;
        cells(fmt::format("{} as {}, and {}", title(route), caller.name, what), [&] {
          const HttpAnswer answer = ask(sent, caller);
          const auto cookies =
              std::ranges::count(with_credential(sent, caller).headers, "Cookie", &testing::HttpHeader::name);
          if (cookies > 1) {
            // No browser sends two.
            EXPECT_EQ(answer.status, 400) << answer.body;
            expect_no_problems(answer, {.refused_by_parser = true});
            return;
          }
          EXPECT_EQ(blanked(answer), blanked(alone));
          expect_no_problems(answer, {});
        });
      };
      for (const Place& place : places()) {
        if (place.read != Place::Read::nowhere) continue;
        HttpCall sent = call;
        place.put(sent, owner);
        add("the owner's by " + place.name, sent);
      }
      // A key in its place decides, whatever session comes along with it.
      if (caller.by == Caller::By::authorization) {
        HttpCall sent = call;
        sent.headers.push_back({"Cookie", "__Host-parley_session=" + administrator.credential});
        add("an administrator's session", sent);
      }
    }
  }
}

// The positive control: were the owner refused everywhere, every refusal above would be worth nothing.
TEST_F(AccessMatrix, the_owner_reads_what_nobody_else_may) {
  for (const auto& project : server_->projects()) {
    const auto& other =
        project.ref.tenant == server_->alpha_open().ref.tenant ? server_->beta_closed() : server_->alpha_closed();
    for (const auto& owner : callers(*server_, {project, project, other}, {"owner", "viewer", "administrator"})) {
      for (const Route& route : api::routes()) {
        if (!route.action || route.action->on != On::project) continue;
        SCOPED_TRACE(title(route) + " on " + project.slug() + " as " + owner.name);
        if (refusal(route, owner, project)) continue;
        const auto answer = ask(call_for(route, project.slug()), owner);
        expect_granted(answer, route, project);
        const bool tells_documents = route.action->scope == Scope::project_search || route.action->cost == Cost::chat;
        if (tells_documents) EXPECT_THAT(answer.body, ::testing::HasSubstr(project.canary));
      }
    }
  }
}

TEST_F(AccessMatrix, a_chat_is_there_for_whoever_began_it_and_for_nobody_else) {
  Cells cells("access matrix, objects");
  TestServer& s = *server_;
  /// Somebody who begins a chat, and then one who asks for it.
  struct Person {
    Caller who;
    const TestProject* project;
    std::string chat = {};
  };
  std::vector<Person> people;
  for (const TestProject* p : {&s.alpha_closed(), &s.alpha_open(), &s.beta_open(), &s.beta_closed()}) {
    const auto& other = p->ref.tenant == s.alpha_open().ref.tenant ? s.beta_closed() : s.alpha_closed();
    // Two of each kind, and one of each role.
    for (const auto& names : {std::vector<std::string_view>{"owner", "visitor", "viewer", "owner, organisation-wide",
                                                            "editor", "maintainer", "administrator"},
                              {"owner", "visitor", "viewer"}})
      for (auto& caller : callers(s, {*p, *p, other}, names)) people.push_back({std::move(caller), p});
    if (p->ref.access->visibility == Visibility::public_project)
      people.push_back({{.name = "a visitor of our page",
                         .standing = Standing::here,
                         .credential = s.make_visitor(*p),
                         .kind = PrincipalKind::visitor,
                         .scopes = ScopeSet::public_keys(),
                         .own_page = true,
                         .tenant = p->ref.tenant},
                        p});
  }
  const Route& chats = *api::find_route(http::Method::post, "/api/v1/chats/").route;
  for (Person& person : people) {
    const auto answer = ask(call_for(chats, person.project->slug()), person.who);
    ASSERT_EQ(answer.status, 201) << answer.body;
    person.chat = text::parse_json(answer.body)->as_object().at("chat_uuid").as_string();
  }

  for (const Route& route : api::routes()) {
    for (const ObjectField& field : object_fields(route)) {
      for (const Person& owner : people) {
        Tables before = state_of(*owner.project);
        for (const Person& person : people) {
          // The project that the caller's own credential is for; and, should that have slipped by, the chat's.
          std::set<const TestProject*> projects{person.project, owner.project};
          for (const TestProject* project : projects) {
            cells(
                fmt::format("{} on {} of {} as {} of {} ({})", title(route), project->slug(), owner.who.name,
                            person.who.name, person.project->slug(), &person == &owner ? "the owner" : "not the owner"),
                [&] {
                  const HttpCall call = call_for(route, project->slug());
                  const auto answer = ask(with_object(call, route, field.name, owner.chat), person.who);
                  if (&person == &owner) {
                    EXPECT_TRUE(is_success(answer)) << answer.body;
                    expect_no_problems(answer, {.readable = {project->slug()}});
                    before = state_of(*owner.project);
                    return;
                  }
                  EXPECT_EQ(answer.status, 404) << answer.body;
                  expect_no_problems(answer, {});
                  const auto none = RequestId(crypto::random_uuid(crypto::system_random())).to_string();
                  EXPECT_EQ(blanked(answer), blanked(ask(with_object(call, route, field.name, none), person.who)));
                  expect_untouched(before, *owner.project);
                });
          }
        }
      }
    }
  }
}

/// Names of the files that this process has open.
std::vector<std::string> open_files() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    names.push_back(std::filesystem::read_symlink(entry.path(), gone).string());
  }
  return names;
}

// What is never opened cannot be read by mistake, nor told apart by how long opening takes.
TEST(AccessFiles, another_organisations_files_are_not_even_opened_for_whoever_may_not) {
  if (!TestServer::available()) GTEST_SKIP() << db::TestStore::why_not;
  if (TestServer::engine() != db::Engine::sqlite) GTEST_SKIP() << "on PostgreSQL tenants have no files of their own";
  TestServer server;
  const Target target{server.beta_closed(), server.beta_open(), server.alpha_closed()};
  auto list = callers(server, target);
  server.restart();
  const auto opened = [&] {
    const auto id = target.project.ref.tenant.to_string();
    return std::ranges::any_of(open_files(), [&](const auto& name) { return name.find(id) != std::string::npos; });
  };
  ASSERT_FALSE(opened());
  auto client = server.client();
  const auto ask = [&](const Caller& caller, const Route& route) {
    return client.send(with_credential(call_for(route, target.project.slug()), caller));
  };
  for (const Caller& caller : list) {
    // Refusals to somebody of the organisation itself are written down in it.
    if (caller.tenant == target.project.ref.tenant || caller.standing == Standing::barred) continue;
    for (const Route& route : api::routes())
      if (!route.action || (route.action->on == On::project && refusal(route, caller, target.project)))
        EXPECT_GE(ask(caller, route).status, route.action ? 401 : 200);
    EXPECT_FALSE(opened()) << caller.name;
    if (opened()) break;
  }
  // The control: it is opened for whoever may.
  for (const Caller& caller : list)
    if (caller.name == "owner")
      EXPECT_EQ(ask(caller, *api::find_route(http::Method::get, "/api/v1/projects/x/").route).status, 200);
  EXPECT_TRUE(opened());
}

}  // namespace
}  // namespace parley::scenarios
