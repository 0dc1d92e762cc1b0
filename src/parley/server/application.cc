#include "parley/server/application.h"

#include <sys/resource.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "parley/api/pipeline.h"
#include "parley/log/log.h"
#include "parley/notify/console_mailer.h"
#include "parley/notify/smtp_mailer.h"

namespace parley::server {

class Application::Readiness final : public api::Health {
 public:
  bool ready() const override { return ready_; }
  void set(bool ready) { ready_ = ready; }

 private:
  std::atomic<bool> ready_ = false;
};

/// Work that comes round: writing batches, counting, closing what is idle.
class Application::Housekeeping {
 public:
  explicit Housekeeping(Installation& at) : at_(at), thread_([this](std::stop_token stop) { run(stop); }) {}
  ~Housekeeping() {
    thread_.request_stop();
    wake_.notify_all();
    thread_.join();
    finish();
  }

 private:
  void run(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    for (int second = 1; !stop.stop_requested(); ++second) {
      wake_.wait_for(lock, std::chrono::seconds(1), [&] { return stop.stop_requested(); });
      if (stop.stop_requested()) return;
      report(at_.wait(at_.trail_batch->flush()), "trail_flush_failed");
      report(at_.sealer->put_due(), "seal_due_failed");
      report(at_.wait(at_.budgets->flush()), "budget_flush_failed");
      if (second % 60 == 0) {
        report_sealed(at_.sealer->sweep());
        report(at_.wait(at_.keys->flush_last_used()), "last_used_flush_failed");
        report(at_.wait(at_.sessions->flush_last_seen()), "last_seen_flush_failed");
        report(at_.wait(at_.refusals->flush()), "refusal_flush_failed");
      }
      if (second % 3600 == 0) report(at_.wait(at_.sessions->sweep()), "session_sweep_failed");
    }
  }

  void finish() {
    report(at_.wait(at_.trail_batch->close()), "trail_flush_failed");
    report(at_.wait(at_.keys->flush_last_used()), "last_used_flush_failed");
    report(at_.wait(at_.sessions->flush_last_seen()), "last_seen_flush_failed");
    report(at_.wait(at_.refusals->flush()), "refusal_flush_failed");
    report(at_.wait(at_.budgets->flush()), "budget_flush_failed");
    // After the last record.
    report_sealed(at_.sealer->finish());
  }

  static void report_sealed(const Result<Sealer::Swept>& swept) {
    if (!swept) return report(std::unexpected(swept.error()), "seal_sweep_failed");
    if (swept->sealed > 0) log::write(log::Level::info, "trails_sealed", {{"count", swept->sealed}});
    // One that cannot be sealed concerns one tenant, and may mean that its trail was changed.
    for (const auto& failure : swept->failed) report(std::unexpected(failure), "seal_failed");
  }

  // Kept for the next round by whoever failed; the operator must hear of it.
  static void report(const Result<void>& outcome, Literal event) {
    if (!outcome)
      log::write(log::Level::error, event,
                 {{"reason", outcome.error().reason()},
                  log::Field::operator_text("detail", outcome.error().operator_detail())});
  }

  Installation& at_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

namespace {

/// As many connections as descriptors leave room for: silent ones must not take those that stores and indexes need.
std::size_t connections_that_fit() {
  // 512 open tenants of five, 128 indexes of ten, and some for logs, certificates, backups and commands.
  constexpr std::size_t reserved = 512 * 5 + 128 * 10 + 256;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto allowed = static_cast<std::size_t>(limit.rlim_cur);
  return std::min(http::ServerOptions().connections_max, allowed > 2 * reserved ? allowed - reserved : allowed / 2);
}

/// What subjects of limits are hashed with. Nodes that share counts share it; one that counts alone draws its own, so
/// that it changes with each start.
admission::HashKey count_key(Installation& at) {
  std::array<std::uint8_t, 16> bytes{};
  if (at.config().redis) {
    const auto shared = at.folder().keyring().derive("admission counts");
    std::memcpy(bytes.data(), shared.secret().reveal().data(), bytes.size());
  } else {
    at.random.fill(bytes);
  }
  admission::HashKey key;
  for (std::size_t i = 0; i < 8; ++i) {
    key.first = key.first << 8 | bytes[i];
    key.second = key.second << 8 | bytes[8 + i];
  }
  return key;
}

std::unique_ptr<notify::Mailer> open_mailer(Installation& at) {
  if (at.config().mail) return std::make_unique<notify::SmtpMailer>(*at.config().mail, at.clock, at.random);
  return std::make_unique<notify::ConsoleMailer>();
}

}  // namespace

Application::Application(Installation& at, const ApplicationOptions& options)
    : at_(at),
      outlet_(options.tls_cert.empty() ? api::Outlet::Transport::plain : api::Outlet::Transport::tls),
      web_(api::embedded_pages()),
      readiness_(std::make_unique<Readiness>()),
      mailer_(open_mailer(at)),
      letters_(*mailer_, letter_threads_, at.config().own_address.origin(),
               at.config().mail ? MailedLetters::Reach::mailboxes : MailedLetters::Reach::console),
      // Without other nodes it counts by itself, faster than through a store.
      admission_(at.config().limits, at.clock, count_key(at), at.config().redis ? at.counters.get() : nullptr,
                 at.config().proxies),
      slots_(at.config().slots),
      services_{.clock = at.clock,
                .random = at.random,
                .outlet = outlet_,
                .admission = admission_,
                .slots = slots_,
                .authenticator = *at.authenticator,
                .own_address = at.config().own_address,
                .projects = *at.projects,
                .door = *at.door,
                .keys = *at.keys,
                .visitor_tokens = *at.visitor_tokens,
                .issuers = *at.issuers,
                .set_up = *at.set_up,
                .people = {.tenants = *at.tenants,
                           .accounts = *at.accounts,
                           .links = *at.account_links,
                           .sessions = *at.sessions,
                           .factors = *at.second_factors,
                           .passkeys = *at.passkeys,
                           .providers = *at.providers,
                           .members = *at.members,
                           .invitations = *at.invitations,
                           .letters = letters_},
                .trail = *at.recorder,
                .library = *at.library,
                .turns = *at.turns,
                .web = web_,
                .health = *readiness_},
      housekeeping_(std::make_unique<Housekeeping>(at)) {}

Application::~Application() = default;

Result<std::unique_ptr<Application>> Application::start(Installation& at, ApplicationOptions options) {
  std::unique_ptr<Application> application(new Application(at, options));
  Application& self = *application;
  const std::size_t cores = std::max<std::size_t>(1, std::thread::hardware_concurrency());
  self.server_ = PARLEY_TRY(http::Server::start(
      {.address = options.address,
       .port = options.port,
       .threads = at.config().threads != 0 ? at.config().threads : cores,
       .tls_cert = options.tls_cert,
       .tls_key = options.tls_key,
       .connections_max = connections_that_fit()},
      [&self](http::Exchange& exchange) { return api::serve(self.services_, exchange); },
      [&self](int status) { return self.outlet_.refusal(status); }));
  self.readiness_->set(true);
  return application;
}

std::uint16_t Application::port() const { return server_->port(); }

void Application::stop() {
  readiness_->set(false);
  server_->stop(std::chrono::duration_cast<std::chrono::milliseconds>(at_.config().stop_grace));
  housekeeping_.reset();
}

}  // namespace parley::server
