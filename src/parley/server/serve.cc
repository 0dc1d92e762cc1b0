#include "parley/server/serve.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include <fmt/format.h>

#include "parley/api/outlet.h"
#include "parley/api/pipeline.h"
#include "parley/api/web_files.h"
#include "parley/http/server.h"
#include "parley/log/log.h"
#include "parley/server/demo.h"

namespace parley::server {
namespace {

void say(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

int give_up(const Error& error) {
  say(fmt::format("parley: {}\n", describe_for_operator(error)));
  return 1;
}

class Readiness final : public api::Health {
 public:
  bool ready() const override { return ready_; }
  void set(bool ready) { ready_ = ready; }

 private:
  std::atomic<bool> ready_ = false;
};

/// Work that comes round: writing batches, counting, closing what is idle.
class Housekeeping {
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
      if (second % 60 == 0) {
        report(at_.wait(at_.keys->flush_last_used()), "last_used_flush_failed");
        report(at_.wait(at_.refusals->flush()), "refusal_flush_failed");
      }
    }
  }

  void finish() {
    report(at_.wait(at_.trail_batch->close()), "trail_flush_failed");
    report(at_.wait(at_.keys->flush_last_used()), "last_used_flush_failed");
    report(at_.wait(at_.refusals->flush()), "refusal_flush_failed");
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

/// Blocks the signals that end us in every thread made from now on, so that one thread can wait for them.
sigset_t block_ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A client that leaves must be an error code, not the end of the process.
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

Result<void> print_welcome(Installation& at, std::string_view scheme, std::string_view address, std::uint16_t port,
                           bool demo) {
  const bool six = address.find(':') != std::string_view::npos;
  const std::string base = fmt::format("{}://{}{}{}:{}", scheme, six ? "[" : "", address, six ? "]" : "", port);
  say(fmt::format("\nParley answers at {}\n", base));
  if (demo) say(fmt::format("  Ask it about itself:   {}/demo/{}\n", base, demo_slug));
  auto token = at.wait(at.accounts->create_setup_token());
  if (token) {
    // In the fragment, which browsers do not send: the token reaches no log and no proxy.
    say(fmt::format("  First administrator:   {}/setup#{}\n                         (works once, for an hour)\n", base,
                    token->reveal()));
  } else if (token.error().code() != Code::conflict) {
    return std::unexpected(token.error());
  }
  say("  Next: parley tenant create NAME; parley project create --tenant NAME --name \"My docs\";\n"
      "        parley ingest --project SLUG ./docs; parley key create --project SLUG --scopes chat_create\n\n");
  return {};
}

}  // namespace

int serve(ServeOptions options) {
  const sigset_t ending = block_ending_signals();
  log::set_sink(log::Sink::standard_output);

  auto opened = Installation::open(options.data);
  if (!opened) return give_up(opened.error());
  Installation& at = **opened;

  const auto listen = parse_listen(options.listen.value_or(at.config().listen));
  if (!listen) return give_up(listen.error());
  if (options.tls_cert.empty() != options.tls_key.empty())
    return give_up(Error(Code::invalid_argument, "--tls-cert and --tls-key go together"));
  const auto cert = options.tls_cert.empty() ? at.config().tls_cert : options.tls_cert;
  const auto key = options.tls_key.empty() ? at.config().tls_key : options.tls_key;

  if (options.demo) {
    auto made = make_demo(at, say);
    if (!made) return give_up(made.error());
  }

  const api::Outlet outlet(cert.empty() ? api::Outlet::Transport::plain : api::Outlet::Transport::tls);
  const api::WebFiles web(api::embedded_pages());
  Readiness readiness;
  std::array<std::uint8_t, 8> seed{};
  at.random.fill(seed);
  std::uint64_t hash_key = 0;
  for (const auto byte : seed) hash_key = hash_key << 8 | byte;
  admission::Admission admission(at.config().limits, at.clock, hash_key);
  api::Services services{.clock = at.clock,
                         .random = at.random,
                         .outlet = outlet,
                         .admission = admission,
                         .authenticator = *at.authenticator,
                         .projects = *at.projects,
                         .door = *at.door,
                         .visitor_tokens = *at.visitor_tokens,
                         .set_up = *at.set_up,
                         .trail = *at.recorder,
                         .library = *at.library,
                         .turns = *at.turns,
                         .web = web,
                         .health = readiness};

  http::ServerOptions server_options{.address = listen->address,
                                     .port = listen->port,
                                     .threads = at.config().threads != 0
                                                    ? at.config().threads
                                                    : std::max<std::size_t>(1, std::thread::hardware_concurrency()),
                                     .tls_cert = cert,
                                     .tls_key = key};
  auto server = http::Server::start(
      server_options, [&services](http::Exchange& exchange) { return api::serve(services, exchange); },
      [&outlet](int status) { return outlet.refusal(status); });
  if (!server) return give_up(server.error());

  auto admin = AdminSocket::listen(options.data, [&](const AdminCommand& command, Output& output) {
    return options.run_command(at, command, output);
  });
  if (!admin) return give_up(admin.error());

  auto housekeeping = std::make_unique<Housekeeping>(at);
  readiness.set(true);
  if (auto printed = print_welcome(at, cert.empty() ? "http" : "https", listen->address, (*server)->port(), options.demo);
      !printed)
    return give_up(printed.error());
  log::write(log::Level::info, "started", {{"port", std::int64_t{(*server)->port()}}});

  int signal_number = 0;
  sigwait(&ending, &signal_number);
  log::write(log::Level::info, "stopping", {{"signal", std::int64_t{signal_number}}});
  readiness.set(false);
  (*server)->stop(std::chrono::duration_cast<std::chrono::milliseconds>(at.config().stop_grace));
  admin->reset();
  housekeeping.reset();
  log::write(log::Level::info, "stopped", {});
  log::flush();
  return 0;
}

}  // namespace parley::server
