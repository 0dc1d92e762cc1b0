// Whether the time of an answer tells another organisation's object from one that does not exist. Two calls are sent
// again and again in random order over one connection; the area under the ROC curve says how well their times tell them
// apart: 0.5 not at all, 0 or 1 always.
//
//   timing_test                    as a test: few pairs, wide bounds
//   timing_test --pairs 2000       as a measurement: prints rows for docs/measurements.md, bounds 0.45 to 0.55
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "parley/text/json.h"
#include "testing/test_server.h"

namespace parley::scenarios {
namespace {

using testing::HttpCall;
using testing::HttpClient;
using testing::HttpHeader;
using testing::TestProject;
using testing::TestServer;
using Time = std::chrono::steady_clock;

/// Set by `--pairs`; a test run takes few.
std::size_t pairs = 200;
bool measuring = false;

// With 200 pairs the area of two equal samples has a standard deviation of 0.03: six of them on either side. It finds
// what is told by one answer in one try; the finer figure is the measurement's.
constexpr double test_bound = 0.18;
constexpr double measured_bound = 0.05;

/// The chance that a value of `a` is greater than one of `b`, ties counting half: Mann and Whitney's U over n².
double area(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> sorted = b;
  std::ranges::sort(sorted);
  double wins = 0;
  for (const double value : a) {
    const auto [low, high] = std::ranges::equal_range(sorted, value);
    wins += static_cast<double>(low - sorted.begin()) + static_cast<double>(high - low) / 2;
  }
  return wins / (static_cast<double>(a.size()) * static_cast<double>(b.size()));
}

struct Area {
  double value, low, high;  ///< with its 95% interval, by drawing the samples again 200 times
};
Area area_with_interval(const std::vector<double>& a, const std::vector<double>& b) {
  std::mt19937_64 random(1);
  const auto drawn = [&](const std::vector<double>& from) {
    std::uniform_int_distribution<std::size_t> any(0, from.size() - 1);
    std::vector<double> values(from.size());
    for (auto& value : values) value = from[any(random)];
    return values;
  };
  std::vector<double> areas;
  for (int i = 0; i < 200; ++i) areas.push_back(area(drawn(a), drawn(b)));
  std::ranges::sort(areas);
  return {area(a, b), areas[4], areas[195]};
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

std::string random_id() { return RequestId(crypto::random_uuid(crypto::system_random())).to_string(); }

/// Two calls whose times are compared.
struct Pair {
  std::string name;
  std::function<HttpCall(std::size_t)> theirs, nothing;
  int status;
  /// Whether each call is for a slug that was not asked for within the last second.
  bool cold = false;
  /// Runs before each pair.
  std::function<void(std::size_t)> meanwhile = [](std::size_t) {};
};

class Timing : public ::testing::Test {
 protected:
  static constexpr std::size_t cold_slugs = 300;

  static void SetUpTestSuite() {
    if (!TestServer::available()) return;
    server_ = std::make_unique<TestServer>();
    TestServer& s = *server_;
    // Many projects of Beta, so that each can be asked for when nobody remembers it.
    for (std::size_t i = 0; i < cold_slugs; ++i) {
      const auto made = s.installation().wait(s.installation().tenants->create_project(
          s.beta_closed().ref.tenant, {.name = "Other", .slug = fmt::format("beta-other-{}", i)}));
      ASSERT_TRUE(made) << describe_for_operator(made.error());
    }
    alpha_key_ = s.make_key(s.alpha_closed()).text;
    other_alpha_key_ = s.make_key(s.alpha_closed()).text;
    beta_key_ = s.make_key(s.beta_closed()).text;
    page_key_ = s.make_key({.tenant = s.alpha_open().ref.tenant,
                            .project = s.alpha_open().ref.project,
                            .scopes = ScopeSet::public_keys(),
                            .kind = identity::KeyKind::public_key})
                    .text;
    const auto administrator = [&](const TestProject& p) {
      const auto account = s.make_person({.tenant = p.ref.tenant, .role = identity::Role::administrator});
      return std::pair(account, s.make_session({.account = account, .tenant = p.ref.tenant}));
    };
    administrator_ = administrator(s.alpha_closed()).second;
    const auto [account, session] = administrator(s.beta_closed());
    foreign_account_ = account.to_string();
    foreign_session_ = session.id.to_string();
    foreign_key_id_ = s.make_key(s.beta_closed()).id.to_string();
    foreign_organisation_ = s.beta_closed().ref.tenant.to_string();
    auto& at = s.installation();
    const auto invited = at.wait(
        at.invitations->create(identity::Doer::local(at.local_operator(0)),
                               {.tenant = s.beta_closed().ref.tenant, .email = "somebody@example.org", .grant = {}}));
    ASSERT_TRUE(invited) << describe_for_operator(invited.error());
    foreign_invitation_ = invited->invitation.id.to_string();
    other_chat_ = make_chat(other_alpha_key_, s.alpha_closed().slug());
    foreign_chat_ = make_chat(beta_key_, s.beta_closed().slug());
  }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override {
    if (!server_) GTEST_SKIP() << db::TestStore::why_not;
  }

  static std::string make_chat(const std::string& key, const std::string& slug) {
    auto client = server_->client();
    const auto answer = client.send(chat(key, slug));
    const auto value = text::parse_json(answer.body);
    return value ? std::string(value->as_object().at("chat_uuid").as_string()) : std::string();
  }

  static HttpHeader bearer(const std::string& key) { return {"Authorization", "Bearer " + key}; }
  static HttpCall project(const std::string& key, const std::string& slug) {
    return {.path = "/api/v1/projects/" + slug + "/", .headers = {bearer(key)}};
  }
  static HttpCall search(const std::string& key, const std::string& slug) {
    return {.path = "/api/v1/projects/" + slug + "/search/?q=turbine", .headers = {bearer(key)}};
  }
  static HttpCall chat(const std::string& key, const std::string& slug, const std::string& id = {}) {
    boost::json::object body{{"message", "How do I restart the turbine?"}, {"project_slug", slug}};
    if (!id.empty()) body["chat_uuid"] = id;
    return {.method = "POST",
            .path = "/api/v1/chats/",
            .headers = {bearer(key), {"Content-Type", "application/json"}},
            .body = boost::json::serialize(body)};
  }
  static HttpCall visitor(const std::string& key, const std::string& slug) {
    return {.method = "POST",
            .path = "/api/v1/visitors/",
            .headers = {bearer(key), {"Content-Type", "application/json"}},
            .body = fmt::format(R"({{"project_slug":"{}","origin":"{}"}})", slug, TestServer::site)};
  }
  /// As an administrator of Alpha.
  static HttpCall managed(std::string method, std::string path, std::string body = {}) {
    HttpCall call{.method = std::move(method),
                  .path = std::move(path),
                  .headers = {TestServer::own_page(),
                              {"Cookie", "__Host-parley_session=" + administrator_.token},
                              {"X-CSRF-Token", administrator_.csrf}}};
    if (!body.empty()) {
      call.headers.push_back({"Content-Type", "application/json"});
      call.body = std::move(body);
    }
    return call;
  }
  static HttpCall from_our_page(HttpCall call) {
    std::erase_if(call.headers, [](const auto& header) { return header.name == "Authorization"; });
    call.headers.push_back(TestServer::own_page());
    return call;
  }
  static HttpCall from_a_site(HttpCall call) {
    call.headers.push_back({"Origin", TestServer::site});
    return call;
  }

  /// The same length as "beta-closed", and asked for as often: remembered as that is.
  static std::string nowhere() { return "zqta-cxosed"; }

  static std::vector<Pair> pairs_of_calls() {
    const auto same = [](HttpCall call) { return [call = std::move(call)](std::size_t) { return call; }; };
    const auto& beta = server_->beta_closed().slug();
    std::vector<Pair> list;
    const auto add = [&](std::string name, auto make, int status) {
      list.push_back({name + ", a project", same(make(beta)), same(make(nowhere())), status});
      list.push_back({name + ", a project nobody asked for lately",
                      [make](std::size_t i) { return make(fmt::format("beta-other-{}", i % cold_slugs)); },
                      [make](std::size_t i) { return make(fmt::format("zqta-other-{}", i % cold_slugs)); }, status,
                      true});
    };
    const auto &key = alpha_key_, &shown = page_key_;
    add("GET project", [&](const std::string& slug) { return project(key, slug); }, 404);
    add("GET search", [&](const std::string& slug) { return search(key, slug); }, 404);
    add("POST chat", [&](const std::string& slug) { return chat(key, slug); }, 404);
    add("POST visitor", [&](const std::string& slug) { return visitor(key, slug); }, 404);
    add("GET project, public key", [&](const std::string& slug) { return from_a_site(project(shown, slug)); }, 404);
    add(
        "GET project, an administrator",
        [](const std::string& slug) { return managed("GET", "/api/v1/projects/" + slug + "/"); }, 404);
    add(
        "POST key for a project",
        [](const std::string& slug) {
          return managed("POST", "/api/v1/keys/",
                         fmt::format(R"({{"scopes":["project_read"],"project_slug":"{}"}})", slug));
        },
        404);
    add("GET project, no credential", [&](const std::string& slug) { return from_our_page(project(key, slug)); }, 401);
    add("GET demo page", [&](const std::string& slug) { return HttpCall{.path = "/demo/" + slug}; }, 200);
    const auto& own = server_->alpha_closed().slug();
    const auto add_id = [&](std::string name, const std::string& theirs, auto make) {
      // Asked for as often as the other, so remembered by the asker's own look-ups as that is.
      list.push_back({std::move(name), same(make(theirs)), same(make(random_id())), 404});
    };
    add_id("DELETE key", foreign_key_id_,
           [](const std::string& id) { return managed("DELETE", "/api/v1/keys/" + id + "/"); });
    add_id("POST key rotate", foreign_key_id_,
           [](const std::string& id) { return managed("POST", "/api/v1/keys/" + id + "/rotate/", "{}"); });
    add_id("PUT member", foreign_account_,
           [](const std::string& id) { return managed("PUT", "/api/v1/members/" + id + "/", R"({"role":"viewer"})"); });
    add_id("DELETE member", foreign_account_,
           [](const std::string& id) { return managed("DELETE", "/api/v1/members/" + id + "/"); });
    add_id("DELETE invitation", foreign_invitation_,
           [](const std::string& id) { return managed("DELETE", "/api/v1/invitations/" + id + "/"); });
    add_id("DELETE session", foreign_session_,
           [](const std::string& id) { return managed("DELETE", "/api/v1/account/sessions/" + id + "/"); });
    add_id("PUT session organisation", foreign_organisation_, [](const std::string& id) {
      return managed("PUT", "/api/v1/session/organisation/", R"({"organisation":")" + id + "\"}");
    });
    list.push_back({"POST chat, a chat of another organisation", same(chat(key, own, foreign_chat_)),
                    [&own](std::size_t) { return chat(alpha_key_, own, random_id()); }, 404});
    list.push_back({"POST chat, a chat of another key", same(chat(key, own, other_chat_)),
                    [&own](std::size_t) { return chat(alpha_key_, own, random_id()); }, 404});
    return list;
  }

  /// Times both calls `pairs` times each, in random order.
  static Area compare(const Pair& pair, std::vector<double>* medians_us) {
    HttpClient client = server_->client();
    std::mt19937_64 random(std::random_device{}());
    std::vector<double> theirs, nothing;
    const auto time = [&](const HttpCall& call) {
      const auto bytes = testing::to_bytes(call);
      const auto begin = Time::now();
      const auto answer = client.send_raw(bytes);
      const auto spent = std::chrono::duration<double, std::micro>(Time::now() - begin).count();
      EXPECT_EQ(answer.status, pair.status) << answer.body;
      return spent;
    };
    for (std::size_t i = 0; i < 50; ++i) {
      time(pair.theirs(i));
      time(pair.nothing(i));
    }
    for (std::size_t i = 0; i < pairs; ++i) {
      // What was asked for in the last round, or in warming up, is to be forgotten.
      // tidy: allow sleep_for, the server whose times are taken forgets by the machine's clock
      if (pair.cold && i % cold_slugs == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1'100));
      pair.meanwhile(i);
      const auto first = pair.theirs(i), second = pair.nothing(i);
      if (random() % 2 == 0) {
        theirs.push_back(time(first));
        nothing.push_back(time(second));
      } else {
        nothing.push_back(time(second));
        theirs.push_back(time(first));
      }
    }
    *medians_us = {median(theirs), median(nothing)};
    return area_with_interval(theirs, nothing);
  }

  static void try_out(const Pair& pair, std::string_view state) {
    std::vector<double> medians;
    const Area found = compare(pair, &medians);
    const bool met = std::abs(found.value - 0.5) <= measured_bound;
    if (measuring)
      fmt::print(
          "| time tells {} from none ({}): area under the curve | {:.3f} | 0.45 to 0.55 | {} | 95% {:.3f} to "
          "{:.3f}; medians {:.0f} and {:.0f} µs; {} pairs, {} |\n",
          pair.name, state, found.value, met ? "yes" : "NO", found.low, found.high, medians[0], medians[1], pairs,
          TestServer::engine() == db::Engine::sqlite ? "SQLite" : "PostgreSQL");
    else
      EXPECT_NEAR(found.value, 0.5, test_bound)
          << pair.name << ", " << state << ": medians " << medians[0] << " and " << medians[1] << " µs";
    std::fflush(stdout);
  }

  inline static std::unique_ptr<TestServer> server_;
  inline static std::string alpha_key_, other_alpha_key_, beta_key_, page_key_, other_chat_, foreign_chat_;
  inline static std::string foreign_key_id_, foreign_account_, foreign_session_, foreign_invitation_,
      foreign_organisation_;
  inline static testing::TestSession administrator_;
};

TEST_F(Timing, an_object_of_another_organisation_takes_as_long_as_none_while_its_tables_are_open) {
  auto client = server_->client();
  ASSERT_EQ(client.send(project(beta_key_, server_->beta_closed().slug())).status, 200);
  for (const auto& pair : pairs_of_calls()) try_out(pair, "its tables open");
}

TEST_F(Timing, an_object_of_another_organisation_takes_as_long_as_none_while_its_tables_are_closed) {
  server_->restart();
  auto client = server_->client();
  ASSERT_EQ(client.send(project(alpha_key_, server_->alpha_closed().slug())).status, 200);
  for (const auto& pair : pairs_of_calls()) try_out(pair, "its tables closed");
}

/// While the other organisation's own people use the projects, so that the server remembers them for those, somebody
/// guesses at their names, each once.
TEST_F(Timing, an_object_in_use_by_another_organisation_takes_as_long_as_none) {
  HttpClient owner = server_->client();
  const auto used = [](std::size_t i) { return fmt::format("beta-other-{}", i % cold_slugs); };
  const auto nobodys = [](std::size_t i) { return fmt::format("zqta-other-{}", i % cold_slugs); };
  const std::string wide_key =
      server_->make_key({.tenant = server_->beta_closed().ref.tenant, .project = std::nullopt}).text;
  const auto add = [&](std::string name, auto make, int status) {
    try_out({.name = std::move(name),
             .theirs = [&](std::size_t i) { return make(used(i)); },
             .nothing = [&](std::size_t i) { return make(nobodys(i)); },
             .status = status,
             .cold = true,
             .meanwhile = [&](std::size_t i) { EXPECT_EQ(owner.send(project(wide_key, used(i))).status, 200); }},
            "in use by its owner");
  };
  const auto& key = alpha_key_;
  add("GET project", [&](const std::string& slug) { return project(key, slug); }, 404);
  add("GET search", [&](const std::string& slug) { return search(key, slug); }, 404);
  add("GET project, no credential", [&](const std::string& slug) { return from_our_page(project(key, slug)); }, 401);
  add("GET demo page", [&](const std::string& slug) { return HttpCall{.path = "/demo/" + slug}; }, 200);
}

}  // namespace
}  // namespace parley::scenarios

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--pairs") != 0) continue;
    parley::scenarios::pairs = static_cast<std::size_t>(std::strtol(argv[i + 1], nullptr, 10));
    parley::scenarios::measuring = true;
  }
  return RUN_ALL_TESTS();
}
