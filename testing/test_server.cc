#include "testing/test_server.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "parley/admission/limits.h"
#include "parley/crypto/random.h"
#include "parley/db/migration.h"
#include "parley/identity/control_by_tenant.h"
#include "parley/identity/gate.h"
#include "parley/identity/visitor_token.h"
#include "parley/log/log.h"
#include "parley/text/json.h"
#include "parley/trail/verify.h"

namespace parley::testing {
namespace {

// More than a test makes; a trail that is longer would only be looked at in part.
constexpr std::int64_t trail_records_max = 100'000;

/// The value, or the end of the test program with the reason: nothing can be tried on half an installation.
template <class T>
T must(Result<T> result) {
  if (result) {
    if constexpr (std::is_void_v<T>) return;
    else return *std::move(result);
  }
  fmt::print(stderr, "the test server cannot be made: {}\n", describe_for_operator(result.error()));
  std::abort();
}

class ClockAt final : public Clock {
 public:
  explicit ClockAt(Timestamp at) : at_(at) {}
  Timestamp now() const override { return at_; }

 private:
  Timestamp at_;
};

/// Anything of a key's, a session's or a visitor token's shape, whoever made it.
bool has_credential(std::string_view text) {
  for (const auto& [prefix, length] :
       {std::pair<std::string_view, std::size_t>{"sk_1", 38}, {"pk_1", 38}, {"vt_", 60}, {"ps_1", 49}})
    for (auto at = text.find(prefix); at != std::string_view::npos; at = text.find(prefix, at + 1)) {
      const auto rest = text.substr(at + prefix.size(), length);
      const bool token = std::ranges::all_of(
          rest, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_'; });
      if (rest.size() == length && token) return true;
    }
  return false;
}

std::string first_line(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

}  // namespace

namespace {

std::uint64_t beginning_of(const char* text) {
  std::uint64_t value = 0;
  std::memcpy(&value, text, sizeof value);
  return value;
}
std::size_t bit_of(std::uint64_t beginning, std::size_t bits) {
  return (beginning * 0x9e37'79b9'7f4a'7c15) >> 40U & (bits - 1);
}

}  // namespace

void Secrets::add(std::string text) {
  if (text.size() < length_min) return;
  const auto beginning = beginning_of(text.data());
  begins_[bit_of(beginning, bits)] = true;
  by_beginning_.emplace(beginning, std::move(text));
}

std::vector<std::string> Secrets::in(std::string_view text) const {
  std::vector<std::string> found;
  for (std::size_t at = 0; at + length_min <= text.size(); ++at) {
    const auto beginning = beginning_of(text.data() + at);
    if (!begins_[bit_of(beginning, bits)]) continue;
    const auto [first, last] = by_beginning_.equal_range(beginning);
    for (auto it = first; it != last; ++it)
      if (text.substr(at).starts_with(it->second)) found.push_back(it->second);
  }
  return found;
}

const char* const TestServer::config_without_limits = [] {
  // Every line of the table, so that a limit added tomorrow is out of the way as well.
  static const std::string text = [] {
    std::string lines = "\n[limits]\n";
    for (const auto& limit : admission::all_limits()) lines += fmt::format("{} = \"1000000/min\"\n", limit.name.view());
    return lines;
  }();
  return text.c_str();
}();

std::string random_word() {
  std::array<std::uint8_t, 14> bytes{};
  crypto::system_random().fill(bytes);
  std::string word = "zq";
  for (const auto byte : bytes) word += static_cast<char>('a' + byte % 26);
  return word;
}

db::Engine TestServer::engine() {
  const char* name = std::getenv("PARLEY_SCENARIO_ENGINE");
  return name && std::string_view(name) == "postgres" ? db::Engine::postgres : db::Engine::sqlite;
}

TestServer::TestServer(std::string_view config) : data_(folder_.path() / "data") {
  std::filesystem::create_directories(data_);
  std::ofstream toml(data_ / "parley.toml");
  toml << config;
  if (engine() == db::Engine::postgres) {
    // Empties the database and keeps others out of it; the installation then opens it by itself.
    database_ = must(db::TestStore::open(db::Engine::postgres, db::compiled_migrations()));
    database_->close();
    toml << "\n[database]\nurl = \"env:PARLEY_TEST_POSTGRES\"\n";
  }
  toml.close();

  log_ = ::memfd_create("log", MFD_CLOEXEC);
  ::fcntl(log_, F_SETFL, O_APPEND);
  log::set_sink_descriptor(log_);

  installation_ = must(server::Installation::open(data_, server::Absent::create, clock_));
  secrets_.add(first_line(data_ / "master.key"));
  const auto alpha = must(installation_->wait(installation_->tenants->create("Alpha"))).id;
  const auto beta = must(installation_->wait(installation_->tenants->create("Beta"))).id;
  make_project(alpha, "alpha-open", Visibility::public_project);
  make_project(alpha, "alpha-closed", Visibility::private_project);
  make_project(beta, "beta-open", Visibility::public_project);
  make_project(beta, "beta-closed", Visibility::private_project);
  application_ = must(server::Application::start(*installation_, {}));
}

void TestServer::restart() {
  application_->stop();
  application_.reset();
  installation_.reset();
  installation_ = must(server::Installation::open(data_, server::Absent::refuse));
  application_ = must(server::Application::start(*installation_, {}));
}

TestServer::~TestServer() {
  application_.reset();
  installation_.reset();
  log::flush();
  log::set_sink(log::Sink::none);
  ::close(log_);
}

void TestServer::make_project(TenantId tenant, std::string slug, Visibility visibility) {
  auto& at = *installation_;
  must(at.wait(at.tenants->create_project(
      tenant, {.name = "Handbook", .slug = slug, .access = {.visibility = visibility, .origins = {site}}})));
  TestProject project{.ref = *must(at.wait(at.tenants->find_slug(slug))), .canary = random_word()};
  const auto documents = folder_.path() / slug;
  std::filesystem::create_directories(documents);
  std::ofstream(documents / "turbine.md")
      << "# Turbine\n\n## Restart the turbine\n\nTo restart the turbine, press the green lever and wait for the "
      << project.canary << " lamp.\n";
  std::ofstream(documents / "harbour.md")
      << "# Harbour\n\n## Opening hours\n\nThe harbour office opens at seven and closes at nineteen.\n";
  const auto report =
      must(at.library->ingest(identity::Gate::authorize<knowledge::IngestDocuments>(at.local_operator(0), project.ref),
                              {.paths = {documents}, .base_url = "https://" + slug + ".example.org"}, {}));
  if (report.added != 2) std::abort();
  projects_.push_back(std::move(project));
}

TestKey TestServer::make_key(KeyWanted wanted) {
  auto& at = *installation_;
  ReadableGroups groups;
  if (wanted.kind == identity::KeyKind::secret) {
    wanted.origins.clear();
    groups.extent = wanted.groups;
  }
  auto created = must(at.wait(at.keys->create({.tenant = wanted.tenant,
                                               .project = wanted.project,
                                               .kind = wanted.kind,
                                               .name = "",
                                               .scopes = wanted.scopes,
                                               .origins = std::move(wanted.origins),
                                               .addresses = std::move(wanted.addresses),
                                               .groups = std::move(groups),
                                               .lifetime = wanted.lifetime})));
  TestKey key{.id = created.record.id, .text = std::string(created.text.reveal())};
  secrets_.add(key.text);
  return key;
}

void TestServer::revoke(const TestProject& project, const TestKey& key) {
  must(installation_->wait(installation_->keys->revoke(project.ref.tenant, key.id)));
}

void TestServer::leave_idle(const TestKey& key) {
  using namespace db::literals;
  auto& at = *installation_;
  const auto before = at.clock.now() - identity::key_idle_max - std::chrono::hours(1);
  must(at.store->control().write_blocking([&](db::ControlWriter& writer) -> Result<std::int64_t> {
    return writer.run("UPDATE api_keys SET created_at = $2 WHERE id = $1"_sql, key.id, before);
  }));
}

std::string TestServer::make_visitor(const TestProject& project, std::chrono::microseconds age) {
  auto& at = *installation_;
  const ClockAt clock(at.clock.now() - age);
  const identity::VisitorTokens tokens(at.folder().keyring().derive("visitor tokens"), clock, at.random);
  auto token = tokens
                   .mint({.visitor = crypto::random_uuid(at.random),
                          .tenant = project.ref.tenant,
                          .project = project.ref.project,
                          .scopes = ScopeSet::public_keys()})
                   .token;
  secrets_.add(token);
  return token;
}

std::string TestServer::make_visitor(const TestProject& project, const TestKey& key) {
  auto& at = *installation_;
  const auto record = must(at.wait(at.keys->load(project.ref.tenant, key.id)));
  auto token = at.visitor_tokens
                   ->mint({.visitor = crypto::random_uuid(at.random),
                           .tenant = project.ref.tenant,
                           .project = project.ref.project,
                           .scopes = record.scopes,
                           .origin = site,
                           .vouched_by = identity::VisitorPass::Voucher{record.id, record.digest}})
                   .token;
  secrets_.add(token);
  return token;
}

AccountId TestServer::make_person(PersonWanted wanted) {
  auto& at = *installation_;
  const auto account = must(at.wait(at.accounts->create_without_password(random_word() + "@example.org"))).id;
  if (!wanted.tenant) return account;
  must(at.wait(at.members->add(at.local_operator(0), *wanted.tenant, account, wanted.role)));
  for (const auto& grant : wanted.grants)
    must(at.wait(at.members->grant(identity::Doer::local(at.local_operator(0)), *wanted.tenant, account, grant)));
  return account;
}

TestSession TestServer::make_session(SessionWanted wanted) {
  auto& at = *installation_;
  const auto token = identity::make_session_token(at.random);
  const auto presented = must(identity::parse_session_token(token.reveal()));
  const auto now = at.clock.now();
  const bool full = wanted.assurance == identity::Assurance::full;
  const identity::SessionRecord session{.id = crypto::random_id<identity::SessionId>(at.random),
                                        .digest = presented.digest(),
                                        .account = wanted.account,
                                        .tenant = wanted.tenant,
                                        .assurance = wanted.assurance,
                                        .factor_at = full ? std::optional(now - wanted.age) : std::nullopt,
                                        .client = "a test",
                                        .created_at = now - wanted.age,
                                        .last_seen_at = now - wanted.unused_for,
                                        .ended_at = {}};
  must(at.store->control().write_blocking(
      [&](db::ControlWriter& writer) { return identity::by_tenant::insert_session(session, writer); }));
  TestSession made{.id = session.id, .token = std::string(token.reveal()), .csrf = presented.csrf_token()};
  secrets_.add(made.token);
  return made;
}

void TestServer::add_document(const TestProject& project, std::string_view text, std::string groups) {
  const auto documents = folder_.path() / random_word();
  std::filesystem::create_directories(documents);
  std::ofstream(documents / "page.md") << text;
  auto& at = *installation_;
  const auto report =
      must(at.library->ingest(identity::Gate::authorize<knowledge::IngestDocuments>(at.local_operator(0), project.ref),
                              {.paths = {documents}, .base_url = {}, .groups = std::move(groups)}, {}));
  if (report.added != 1) std::abort();
}

void TestServer::set_access(const TestProject& project, ProjectAccess access) {
  must(installation_->wait(
      installation_->tenants->set_access(project.ref.tenant, project.ref.project, std::move(access))));
}

std::string TestServer::make_setup_token() {
  auto token = must(installation_->wait(installation_->accounts->create_setup_token()));
  secrets_.add(std::string(token.reveal()));
  return std::string(token.reveal());
}

std::vector<std::string> TestServer::secrets_in(std::string_view text) const {
  std::vector<std::string> found;
  for (const auto& secret : secrets_.in(text))
    found.push_back(fmt::format("holds the secret that begins with {}", secret.substr(0, 6)));
  return found;
}

std::vector<std::string> TestServer::problems_of(const HttpAnswer& answer, const Expected& expected) const {
  std::vector<std::string> problems;
  if (answer.status == 0) return {"no whole answer came"};
  const std::string whole = answer.head + "\n" + answer.body;

  // A new token may be told to whoever asked for it, and nothing else may.
  problems = secrets_in(whole);
  if (!expected.issues_token) {
    if (has_credential(whole)) problems.emplace_back("holds something that looks like a credential");
  }
  for (const auto& project : projects_) {
    if (std::ranges::find(expected.readable, project.slug()) != expected.readable.end()) continue;
    if (whole.find(project.canary) != std::string::npos)
      problems.push_back(fmt::format("holds the canary of {}", project.slug()));
  }

  const auto want = [&](std::string_view name, std::string_view value) {
    const auto found = answer.header(name);
    if (!found) problems.push_back(fmt::format("lacks the header {}, or has it twice", name));
    else if (!value.empty() && *found != value) problems.push_back(fmt::format("{} is {}", name, *found));
  };
  want("X-Content-Type-Options", "nosniff");
  want("Referrer-Policy", "no-referrer");
  want("Cross-Origin-Resource-Policy", "same-origin");
  want("Content-Security-Policy", "");
  want("Cache-Control", "");
  if (const auto policy = answer.header("Content-Security-Policy").value_or("");
      !policy.starts_with("default-src 'none'") || policy.find("unsafe") != std::string::npos ||
      !(policy.ends_with("frame-ancestors 'none'") || policy.ends_with(fmt::format("frame-ancestors {}", site))))
    problems.push_back("its Content-Security-Policy is " + policy);
  const auto id = answer.header("X-Request-Id").value_or("");
  if (!expected.refused_by_parser && !RequestId::parse(id)) problems.emplace_back("lacks a request id");
  if (answer.header("Server")) problems.emplace_back("names the program");

  if (answer.status >= 400 && !expected.head_request && answer.header("Content-Type") == "application/json") {
    const auto value = text::parse_json(answer.body);
    const auto* object = value ? value->if_object() : nullptr;
    std::set<std::string> names;
    if (object)
      for (const auto& member : *object) names.emplace(member.key());
    if (names != std::set<std::string>{"error", "code", "request_id"} && names != std::set<std::string>{"status"})
      problems.push_back("its error is shaped otherwise: " + answer.body);
    else if (names.contains("request_id") && !expected.refused_by_parser &&
             std::string_view(object->at("request_id").as_string()) != id)
      problems.emplace_back("its two request ids differ");
  }
  return problems;
}

std::string TestServer::log() const {
  log::flush();
  std::string text(static_cast<std::size_t>(::lseek(log_, 0, SEEK_END)), '\0');
  const auto count = ::pread(log_, text.data(), text.size(), 0);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return text;
}

std::vector<trail::StoredRecord> TestServer::trail_of(TenantId tenant) {
  must(installation_->wait(installation_->trail_batch->flush()));
  return must(installation_->store->tenant(tenant).read_blocking(
      [](db::TenantReader& reader) { return trail::list_records(reader, trail_records_max); }));
}

std::vector<std::string> TestServer::stop_and_find_leaks() {
  application_->stop();
  std::vector<std::string> problems;
  const auto look_through = [&](std::string_view where, std::string_view text) {
    for (const auto& problem : secrets_in(text)) problems.push_back(fmt::format("the {} {}", where, problem));
    for (const auto& project : projects_)
      if (text.find(project.canary) != std::string_view::npos)
        problems.push_back(fmt::format("the {} holds the canary of {}", where, project.slug()));
  };
  look_through("log", log());
  for (const auto& tenant : must(installation_->wait(installation_->tenants->list()))) {
    const auto session = installation_->store->tenant(tenant.id);
    const auto records = must(
        session.read_blocking([](db::TenantReader& reader) { return trail::list_records(reader, trail_records_max); }));
    for (const auto& r : records)
      look_through("trail", fmt::format("{} {} {} {} {} {} {} {} {} {}", r.kind, r.actor_kind, r.actor_id, r.action,
                                        r.object_kind, r.object_id, r.decision, r.rule, r.request_id, r.reference));
    const auto report = must(session.read_blocking([](db::TenantReader& reader) { return trail::verify(reader); }));
    if (!report.whole()) problems.push_back(fmt::format("the trail of {} is not whole", tenant.name));
  }
  return problems;
}

std::string blanked(const HttpAnswer& answer) {
  std::string text = answer.head + "\r\n\r\n" + answer.body;
  if (const auto id = answer.header("X-Request-Id"); id && !id->empty())
    for (std::size_t at = 0; (at = text.find(*id, at)) != std::string::npos;) text.replace(at, id->size(), "(id)");
  // Drawn for each answer: what a passkey is to sign, and the ticket that remembers it.
  for (const std::string_view drawn : {"__Host-parley_ticket=", "\"challenge\":\""})
    if (const auto at = text.find(drawn); at != std::string::npos)
      text.erase(at + drawn.size(), text.find_first_of(";\"", at + drawn.size()) - at - drawn.size());
  if (const auto date = text.find("\r\nDate: "); date != std::string::npos)
    text.erase(date, text.find("\r\n", date + 2) - date);
  return text;
}

}  // namespace parley::testing
