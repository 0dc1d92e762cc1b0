#include "parley/server/installation.h"

#include <ctime>
#include <fstream>

#include <fmt/format.h>

#include "parley/identity/master_key.h"
#include "parley/identity/settings.h"
#include "parley/log/log.h"

namespace parley::server {
namespace {

// Searching computes: more threads than cores would only make each answer later.
std::size_t search_threads() { return std::max<std::size_t>(2, std::thread::hardware_concurrency()); }
// Two Argon2 at once: each takes 64 MiB.
constexpr std::size_t password_threads = 2;
// Commands' coroutines and housekeeping; they mostly wait.
constexpr std::size_t background_threads = 2;

std::string read_line(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

/// Copies everything aside when this program is another version than the one that last had the folder: what it changes
/// can then be undone with the copy and the former program.
Result<void> copy_before_upgrade(const std::filesystem::path& data) {
  const auto mark = data / "version";
  const std::string before = read_line(mark);
  if (before == PARLEY_VERSION) return {};
  if (!before.empty()) {
    const auto copy = data / "backups" / fmt::format("before-{}-{}", PARLEY_VERSION, std::time(nullptr));
    const auto store = PARLEY_TRY(db::open_sqlite({.folder = data, .migrate = db::Migrate::on_request}));
    PARLEY_TRY(store->backup_to(copy));
    log::write(log::Level::info, "backup_before_upgrade", {log::Field::operator_text("folder", copy.string())});
  }
  std::ofstream out(mark, std::ios::trunc);
  out << PARLEY_VERSION << '\n';
  if (!out.flush()) return fail(Code::storage_full, "the data folder cannot be written", mark.string());
  return {};
}

}  // namespace

Installation::Installation(std::filesystem::path data, DataLock lock, Config config)
    : data_(std::move(data)), lock_(std::move(lock)), config_(std::move(config)) {}

Installation::~Installation() = default;

Result<std::unique_ptr<Installation>> Installation::open(std::filesystem::path data) {
  auto lock = PARLEY_TRY(DataLock::take(data));
  auto config = PARLEY_TRY(load_config(data / "parley.toml"));
  std::unique_ptr<Installation> installation(new Installation(std::move(data), std::move(lock), std::move(config)));
  PARLEY_TRY(installation->wire());
  return installation;
}

Result<void> Installation::wire() {
  keyring = std::make_unique<crypto::Keyring>(PARLEY_TRY(identity::load_or_create_master_key(data_, random)));
  if (config_.database_url) {
    store = PARLEY_TRY(db::open_postgres({.connection = *config_.database_url}));
  } else {
    PARLEY_TRY(copy_before_upgrade(data_));
    store = PARLEY_TRY(db::open_sqlite({.folder = data_}));
  }

  background_ = std::make_unique<net::Workers>(background_threads);
  searches_ = std::make_unique<net::Workers>(search_threads());
  passwords_ = std::make_unique<net::Workers>(password_threads);

  const Uuid node = PARLEY_TRY(store->control().write_blocking(
      [&](db::ControlWriter& writer) { return identity::load_or_create_node_id(writer, random); }));
  trail = std::make_unique<trail::Trail>(trail::NodeId(node), clock);
  trail_batch = std::make_unique<trail::TrailBatch>(*store, *trail, clock);
  refusals = std::make_unique<trail::RefusalCounters>(store->control(), trail::NodeId(node), clock);
  recorder = std::make_unique<api::Recorder>(*store, *trail, *trail_batch, *refusals);

  // The hooks name members that are made below: they are called only once everything stands.
  identity::TenantHooks hooks;
  hooks.remove_derived = [this](TenantId tenant, std::optional<ProjectId> project) {
    return library->remove(tenant, project);
  };
  hooks.forget = [this](TenantId tenant) {
    projects->forget(tenant);
    door->forget(tenant);
    keys->forget_tenant(tenant);
  };
  tenants = std::make_unique<identity::TenantStore>(*store, *keyring, *background_, clock, random, std::move(hooks));
  projects = std::make_unique<identity::ProjectDirectory>(*tenants, clock);
  door = std::make_unique<identity::TenantDoor>(*store, *tenants);
  keys = std::make_unique<identity::KeyStore>(store->control(), clock, random);
  hasher = std::make_unique<identity::PasswordHasher>(*passwords_);
  accounts = std::make_unique<identity::AccountStore>(store->control(), *hasher, clock, random);
  set_up = std::make_unique<identity::SetUp>(*accounts, *tenants);
  visitor_tokens = std::make_unique<identity::VisitorTokens>(keyring->derive("visitor tokens"), clock, random);
  authenticator = std::make_unique<identity::Authenticator>(*keys, *visitor_tokens);
  library = std::make_unique<knowledge::Library>(*store, data_, *searches_, clock);
  turns = std::make_unique<chat::Turns>(*door, *library, *trail, clock, random);

  const auto intents = PARLEY_TRY(wait(tenants->finish_intents()));
  // One that cannot be finished concerns one organisation; the others must not wait for it.
  for (const auto& failure : intents.failed)
    log::write(log::Level::error, "intent_failed",
               {{"reason", failure.reason()}, log::Field::operator_text("detail", failure.operator_detail())});
  PARLEY_TRY(wait(trail_batch->record_gaps()));
  return {};
}

}  // namespace parley::server
