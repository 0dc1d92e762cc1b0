#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "parley/evidence/principal.h"
#include "parley/identity/api_key.h"
#include "parley/server/application.h"
#include "parley/server/installation.h"
#include "testing/http_client.h"
#include "testing/test_store.h"

namespace parley::testing {

/// A project with documents, one of which holds a word that stands nowhere else.
struct TestProject {
  ProjectRef ref;
  std::string canary;

  const std::string& slug() const { return ref.slug; }
};

/// The machine's time, until it is told to stand still.
class TestClock final : public Clock {
 public:
  Timestamp now() const override {
    const auto held = held_.load();
    return held ? Timestamp{held} : net::system_clock().now();
  }
  /// From now on it is this moment, until it is moved.
  void hold() { held_ = net::system_clock().now().micros; }
  void advance(std::chrono::microseconds by) { held_ += by.count(); }

 private:
  std::atomic<std::int64_t> held_ = 0;
};

struct TestKey {
  KeyId id;
  std::string text;

  HttpHeader header() const { return {"Authorization", "Bearer " + text}; }
};

struct TestSession {
  identity::SessionId id;
  std::string token;  ///< the cookie's value
  std::string csrf;   ///< what goes with it in the header
};

/// Texts that must show up nowhere. Looks for thousands of them in one pass.
class Secrets {
 public:
  /// Shorter ones are not looked for: they would be found everywhere.
  static constexpr std::size_t length_min = 8;
  void add(std::string text);
  /// Those that stand in `text`.
  std::vector<std::string> in(std::string_view text) const;

 private:
  // Most positions of a text are passed over by one bit.
  static constexpr std::size_t bits = std::size_t{1} << 18;
  std::unordered_multimap<std::uint64_t, std::string> by_beginning_;
  std::vector<bool> begins_ = std::vector<bool>(bits);
};

/// The whole program but its command line, on a folder of its own (or the test's PostgreSQL database), answering on
/// loopback: two organisations, Alpha and Beta, each with an open (public) and a closed (private) project. Knows every
/// secret it has made, and looks for them in answers, log and trail.
class TestServer {
 public:
  /// PARLEY_SCENARIO_ENGINE=postgres: on the database PARLEY_TEST_POSTGRES names. That one is one server's at a time.
  static db::Engine engine();
  static bool available() { return db::TestStore::available(engine()); }

  /// `config` is the text of parley.toml, without its [database]. Aborts with the reason if anything cannot be made.
  explicit TestServer(std::string_view config = config_without_limits);
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  /// A site that every project lists.
  static constexpr const char* site = "https://docs.example.org";
  /// What a browser sends from a page of ours.
  static HttpHeader own_page() { return {"Sec-Fetch-Site", "same-origin"}; }

  /// Limits far above what a test sends.
  static const char* const config_without_limits;

  /// Stops, and starts again on the same data: nothing is remembered, and no tenant's file is open. Another port.
  void restart();

  std::uint16_t port() const { return application_->port(); }
  HttpClient client() const { return HttpClient(port()); }
  server::Installation& installation() { return *installation_; }
  TestClock& clock() { return clock_; }
  const std::filesystem::path& data() const { return data_; }

  const TestProject& alpha_open() const { return projects_[0]; }
  const TestProject& alpha_closed() const { return projects_[1]; }
  const TestProject& beta_open() const { return projects_[2]; }
  const TestProject& beta_closed() const { return projects_[3]; }
  const std::vector<TestProject>& projects() const { return projects_; }

  struct KeyWanted {
    TenantId tenant;
    std::optional<ProjectId> project;
    ScopeSet scopes = ScopeSet::secret_keys();
    identity::KeyKind kind = identity::KeyKind::secret;
    std::chrono::microseconds lifetime = std::chrono::hours(1);
    std::vector<std::string> origins = {site};  ///< of a public key
    std::vector<std::string> addresses = {};
    ReadableGroups::Extent groups = ReadableGroups::Extent::all;  ///< of a secret key
  };
  TestKey make_key(KeyWanted wanted);
  /// With all scopes that a key may hold, and all groups.
  TestKey make_key(const TestProject& project) {
    return make_key({.tenant = project.ref.tenant, .project = project.ref.project});
  }
  void revoke(const TestProject& project, const TestKey& key);
  /// As if it had not been used for longer than a key may be.
  void leave_idle(const TestKey& key);
  /// A visitor's token for our own pages; with `age`, one that was made so long ago.
  std::string make_visitor(const TestProject& project, std::chrono::microseconds age = {});
  /// One for pages of `site`, made with this public key.
  std::string make_visitor(const TestProject& project, const TestKey& key);
  /// An account that no password opens, in an organisation if one is named.
  struct PersonWanted {
    std::optional<TenantId> tenant = {};
    identity::Role role = identity::Role::viewer;
    std::vector<identity::ProjectGrant> grants = {};
  };
  AccountId make_person(PersonWanted wanted);
  /// A session as if somebody had signed in, or had a while ago.
  struct SessionWanted {
    AccountId account;
    std::optional<TenantId> tenant;
    identity::Assurance assurance = identity::Assurance::full;
    std::chrono::microseconds age = {}, unused_for = {};
  };
  TestSession make_session(SessionWanted wanted);
  /// Reads a document in that only these groups may read, e.g. "staff,partners".
  void add_document(const TestProject& project, std::string_view text, std::string groups);
  /// Changes from where a project may be reached.
  void set_access(const TestProject& project, ProjectAccess access);
  /// Makes a set-up token. Ends one made before.
  std::string make_setup_token();
  void add_secret(std::string text) { secrets_.add(std::move(text)); }

  /// What no answer may lack or hold, whatever was asked: security headers, a request id, the one shape of JSON errors,
  /// no secret of this installation, no canary but those of `readable` projects. Empty if all is well.
  struct Expected {
    std::vector<std::string> readable;  ///< slugs
    bool refused_by_parser = false;     ///< no request was made of it, so it has no id
    bool issues_token = false;          ///< the answer is where a new token is told
    bool head_request = false;
  };
  std::vector<std::string> problems_of(const HttpAnswer& answer, const Expected& expected) const;

  /// Stops the server and looks through its log and its trails: no secret, no canary, no broken chain. Once, last.
  std::vector<std::string> stop_and_find_leaks();
  std::string log() const;
  std::vector<trail::StoredRecord> trail_of(TenantId tenant);

 private:
  void make_project(TenantId tenant, std::string slug, Visibility visibility);
  std::vector<std::string> secrets_in(std::string_view text) const;

  std::unique_ptr<db::TestStore> database_;  ///< holds the PostgreSQL database while we use it
  db::TemporaryFolder folder_;
  std::filesystem::path data_;
  int log_ = -1;
  TestClock clock_;
  std::unique_ptr<server::Installation> installation_;
  std::unique_ptr<server::Application> application_;
  std::vector<TestProject> projects_;
  Secrets secrets_;
};

/// The answer with all that may differ between two equal answers blanked: request ids, the date, what is drawn for it.
std::string blanked(const HttpAnswer& answer);

/// Lower-case letters that stand in no document.
std::string random_word();

}  // namespace parley::testing
