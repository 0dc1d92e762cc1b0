#include "parley/server/serve.h"

#include <pthread.h>
#include <signal.h>

#include <cstdio>

#include <fmt/format.h>

#include "parley/log/log.h"
#include "parley/server/application.h"
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

  auto opened = Installation::open(options.data, Absent::create);
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

  auto application =
      Application::start(at, {.address = listen->address, .port = listen->port, .tls_cert = cert, .tls_key = key});
  if (!application) return give_up(application.error());

  auto admin = AdminSocket::listen(options.data, [&](const AdminCommand& command, Output& output) {
    return options.run_command(at, command, output);
  });
  if (!admin) return give_up(admin.error());

  const std::uint16_t port = (*application)->port();
  if (auto printed = print_welcome(at, cert.empty() ? "http" : "https", listen->address, port, options.demo); !printed)
    return give_up(printed.error());
  log::write(log::Level::info, "started", {{"port", port}});

  int signal_number = 0;
  sigwait(&ending, &signal_number);
  log::write(log::Level::info, "stopping", {{"signal", std::int64_t{signal_number}}});
  (*application)->stop();
  admin->reset();
  log::write(log::Level::info, "stopped", {});
  log::flush();
  return 0;
}

}  // namespace parley::server
