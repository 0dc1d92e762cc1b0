#include "parley/server/installation.h"

#include "parley/kv/memory_store.h"
#include "parley/kv/redis_store.h"
#include "parley/log/log.h"
#include "parley/server/watched_store.h"

namespace parley::server {
namespace {

// Searching computes: more threads than cores would only make each answer later.
std::size_t search_threads() { return std::max<std::size_t>(2, std::thread::hardware_concurrency()); }
// Opening mostly waits for the disk; making an index again computes, and two of those leave two threads for opening.
constexpr std::size_t opener_threads = 4;
// Two Argon2 at once: each takes 64 MiB.
constexpr std::size_t password_threads = 2;
// Commands' coroutines and housekeeping; they mostly wait.
constexpr std::size_t background_threads = 2;

// Each waits for one sign-in provider or issuer of identities, at most ten seconds; one that is slow must not hold up
// the others.
constexpr std::size_t fetch_threads = 8;

std::optional<identity::PasskeySite> passkey_site(const Config& config) {
  constexpr const char* name = "Parley";
  if (config.own_address.origin().empty()) return identity::make_local_passkey_site(name);
  auto site = identity::make_passkey_site(config.own_address.origin(), name);
  if (!site) return std::nullopt;
  return *std::move(site);
}

std::string redirect_uri(const Config& config) {
  const auto& origin = config.own_address.origin();
  return origin.empty() ? origin : origin + "/sign-in/callback";
}

}  // namespace

Installation::~Installation() {
  // What a command has spent is as good as a server's.
  if (budgets)
    if (const auto flushed = wait(budgets->flush()); !flushed)
      log::write(log::Level::error, "budget_flush_failed", {{"reason", flushed.error().reason()}});
  // A command may have been all that used a tenant today: whoever opens the folder next finds what is to be sealed.
  if (!sealer) return;
  const auto kept = sealer->put_due();
  if (!kept)
    log::write(
        log::Level::error, "seal_due_failed",
        {{"reason", kept.error().reason()}, log::Field::operator_text("detail", kept.error().operator_detail())});
}

Result<std::unique_ptr<Installation>> Installation::open(DataFolder folder, const Clock& clock) {
  std::unique_ptr<Installation> installation(new Installation(std::move(folder), clock));
  PARLEY_TRY(installation->wire());
  return installation;
}

Result<std::unique_ptr<Installation>> Installation::open(std::filesystem::path folder, Absent absent,
                                                         const Clock& clock) {
  return open(PARLEY_TRY(DataFolder::open(std::move(folder), absent)), clock);
}

Result<void> Installation::wire() {
  opened_store_ = PARLEY_TRY(folder_.open_store(db::Migrate::at_opening));
  sealer = std::make_unique<Sealer>(*opened_store_, PARLEY_TRY(trail::sealing_key(folder_.keyring())), clock);
  store = std::make_unique<WatchedStore>(*opened_store_, [this](TenantId tenant) { sealer->note_used(tenant); });

  background_ = std::make_unique<net::Workers>(background_threads);
  searches_ = std::make_unique<net::Workers>(search_threads());
  openers_ = std::make_unique<net::Workers>(opener_threads);
  passwords_ = std::make_unique<net::Workers>(password_threads, net::Priority::background);

  fetches_ = std::make_unique<net::Workers>(fetch_threads, net::Priority::background);
  issuer_web_ =
      std::make_unique<net::Fetcher>(*fetches_, net::FetcherOptions{.policy = config().egress_issuers.policy,
                                                                    .limits = {},
                                                                    .ca_file = config().egress_issuers.ca_file});
  issuer_keys_ = std::make_unique<identity::TokenKeys>(*issuer_web_, clock);

  const trail::NodeId node(folder_.node());
  trail = std::make_unique<trail::Trail>(node, clock);
  trail_batch = std::make_unique<trail::TrailBatch>(*store, *trail, clock);
  refusals = std::make_unique<trail::RefusalCounters>(store->control(), node, clock);
  recorder = std::make_unique<TrailRecorder>(*store, *trail, *trail_batch, *refusals);

  // The hooks name members that are made below: they are called only once everything stands.
  identity::TenantHooks hooks;
  hooks.remove_derived = [this](TenantId tenant, std::optional<ProjectId> project) {
    return library->remove(tenant, project);
  };
  hooks.forget = [this](TenantId tenant) {
    projects->forget(tenant);
    door->forget(tenant);
    keys->forget_tenant(tenant);
    sessions->forget_tenant(tenant);
    members->forget_tenant(tenant);
    if (budgets) budgets->forget(tenant);
  };
  // In the transaction that makes or removes the project: the one is not without the other.
  hooks.within = [this](db::TenantWriter& writer, identity::ProjectChange change, ProjectId project) -> Result<void> {
    const Literal action = change == identity::ProjectChange::created ? Literal("project.created")  //
                                                                      : Literal("project.removed");
    PARLEY_TRY(trail->append(writer, {.kind = trail::Kind::write,
                                      .actor = trail::Actor::program(),
                                      .action = action,
                                      .object = trail::Object("project", project),
                                      .decision = trail::Decision::allowed,
                                      .rule = "intent",
                                      .request = {}}));
    return {};
  };
  tenants =
      std::make_unique<identity::TenantStore>(*store, folder_.keyring(), *background_, clock, random, std::move(hooks));
  projects = std::make_unique<identity::ProjectDirectory>(*tenants, clock);
  door = std::make_unique<identity::TenantDoor>(*store, *tenants);
  keys = std::make_unique<identity::KeyStore>(store->control(), clock, random);
  hasher = std::make_unique<identity::PasswordHasher>(*passwords_);
  sessions = std::make_unique<identity::SessionStore>(store->control(), clock, random);
  accounts = std::make_unique<identity::AccountStore>(store->control(), *hasher, *sessions, clock, random);
  account_links = std::make_unique<identity::AccountLinks>(store->control(), *hasher, *sessions, clock, random);
  second_factors = std::make_unique<identity::SecondFactors>(
      store->control(), folder_.keyring().derive("second factors"), *sessions, clock, random);
  tickets_ = std::make_unique<identity::SignInTickets>(folder_.keyring().derive("sign-in tickets"), store->control(),
                                                       clock, random);
  passkeys =
      std::make_unique<identity::PasskeyStore>(store->control(), *tickets_, passkey_site(config()), clock, random);
  provider_web_ = std::make_unique<net::Fetcher>(
      *fetches_, net::FetcherOptions{.policy = config().egress_sign_in.policy,
                                     .ca_file = config().egress_sign_in.ca_file.string()});
  provider_keys_ = std::make_unique<identity::TokenKeys>(*provider_web_, clock);
  providers = std::make_unique<identity::ProviderSignIns>(
      store->control(), *provider_web_, *provider_keys_, *tickets_,
      identity::SecretReferences((folder_.path() / "sign_in_secrets").string()), *fetches_,
      identity::ProviderSignInOptions{.redirect_uri = redirect_uri(config())}, clock, random);
  members = std::make_unique<identity::Members>(store->control(), *sessions, clock);
  invitations = std::make_unique<identity::Invitations>(store->control(), *hasher, *members, clock, random);
  set_up = std::make_unique<identity::SetUp>(*accounts, *tenants);
  visitor_tokens = std::make_unique<identity::VisitorTokens>(folder_.keyring().derive("visitor tokens"), clock, random);
  issuers = std::make_unique<identity::IdentityIssuers>(store->control(), folder_.keyring().derive("identity issuers"),
                                                        *issuer_keys_, clock, random);
  authenticator = std::make_unique<identity::Authenticator>(*keys, *visitor_tokens, *issuers, *sessions, *members);
  library = std::make_unique<knowledge::Library>(*store, folder_.path(), *searches_, *openers_, clock);
  models = PARLEY_TRY(ModelHouse::open(config(), clock, random));
  if (const auto& redis = config().redis)
    counters = std::make_unique<kv::RedisStore>(kv::RedisOptions{.address = redis->address, .prefix = redis->prefix});
  else counters = std::make_unique<kv::MemoryStore>(clock);
  budgets = std::make_unique<admission::Budgets>(*store, *counters, clock, config().budgets);
  turns = std::make_unique<chat::Turns>(*door, *library, models->models(), *budgets, *trail, clock, random);

  const auto intents = PARLEY_TRY(wait(tenants->finish_intents()));
  // One that cannot be finished concerns one tenant; the others must not wait for it.
  for (const auto& failure : intents.failed)
    log::write(log::Level::error, "intent_failed",
               {{"reason", failure.reason()}, log::Field::operator_text("detail", failure.operator_detail())});
  PARLEY_TRY(wait(trail_batch->record_gaps()));
  return {};
}

}  // namespace parley::server
