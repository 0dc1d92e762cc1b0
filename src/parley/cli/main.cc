#include "parley/cli/main.h"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "parley/cli/command_line.h"
#include "parley/cli/commands.h"
#include "parley/log/log.h"
#include "parley/server/backup.h"
#include "parley/server/serve.h"
#include "parley/text/utf8.h"

namespace parley::cli {
namespace {

/// Set by Ctrl-C: a command that asks between two steps ends in good order; a second Ctrl-C ends it at once.
volatile std::sig_atomic_t interrupted = 0;

void stop_in_good_order() {
  std::signal(SIGINT, [](int) {
    interrupted = 1;
    std::signal(SIGINT, SIG_DFL);
  });
}

class Terminal final : public server::Output {
 public:
  void out(std::string_view text) override { std::fwrite(text.data(), 1, text.size(), stdout); }
  void err(std::string_view text) override {
    std::fflush(stdout);
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
  }
  bool is_terminal() const override { return ::isatty(STDERR_FILENO) == 1; }
  bool cancelled() const override { return interrupted != 0; }
};

/// A command that reached a running server. It was parsed there already by whoever typed it, but only this parse
/// counts.
int run_in_server(server::Installation& installation, const server::AdminCommand& command, server::Output& output) {
  const auto line = parse_command_line(command.arguments, command.folder);
  if (!line) {
    output.err(line.error().text);
    return line.error().status;
  }
  return run_command(*line, installation, output, command.uid);
}

int run_serve(const CommandLine& line, const Serve& command) {
  return server::serve({.data = line.data,
                        .listen = command.listen,
                        .tls_cert = command.tls_cert,
                        .tls_key = command.tls_key,
                        .demo = command.demo,
                        .run_command = run_in_server});
}

/// `parley migrate`: on the store alone, since opening an installation would migrate it.
int run_migrate(const CommandLine& line, server::Output& output) {
  auto folder = server::DataFolder::open(line.data, server::Absent::refuse);
  if (!folder) return print_error(line, output, folder.error());
  auto store = folder->open_store(db::Migrate::on_request);
  if (!store) return print_error(line, output, store.error());
  return migrate(line, **store, *folder, output);
}

int run_restore(const CommandLine& line, const Restore& command, server::Output& output) {
  if (command.verify) {
    const auto report = server::verify_backup(command.from);
    if (!report) return print_error(line, output, report.error());
    return print_restored(line, output, {.backup = *report});
  }
  const auto report = server::restore_backup(command.from, line.data, ::geteuid());
  if (!report) return print_error(line, output, report.error());
  return print_restored(line, output, *report);
}

/// Commands that make a data folder where there is none; any other would only hide a mistyped name.
server::Absent absent_folder(const Command& command) {
  return std::holds_alternative<TenantCreate>(command) ? server::Absent::create : server::Absent::refuse;
}

}  // namespace

int run(int argc, char** argv) {
  // Everything this program makes is its user's alone: databases, keys, sockets, backups.
  ::umask(0077);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  for (const auto& argument : arguments) {
    // Names and questions go into JSON, into the database and to other people's screens.
    if (!text::is_valid_utf8(argument)) {
      std::fputs("parley: what is typed must be UTF-8\n", stderr);
      return 2;
    }
  }
  std::error_code error;
  const auto folder = std::filesystem::current_path(error);
  const auto line = parse_command_line(arguments, folder);
  if (!line) {
    std::fputs(line.error().text.c_str(), line.error().status == 0 ? stdout : stderr);
    return line.error().status;
  }
  if (const auto* command = std::get_if<Serve>(&line->command)) return run_serve(*line, *command);

  // A command's answer is on standard output, so its log goes to standard error, and only what matters.
  log::set_sink(log::Sink::standard_error);
  log::set_level(log::Level::warning);
  Terminal terminal;
  if (const auto* command = std::get_if<Restore>(&line->command)) return run_restore(*line, *command, terminal);
  if (std::holds_alternative<Routes>(line->command)) return print_routes(*line, terminal);

  const server::AdminCommand typed{
      .arguments = arguments, .folder = folder, .is_terminal = terminal.is_terminal(), .uid = ::geteuid()};
  const auto answered = server::call_admin(line->data, typed, terminal);
  if (!answered) return print_error(*line, terminal, answered.error());
  if (*answered) return **answered;

  if (is_migrate(line->command)) return run_migrate(*line, terminal);
  stop_in_good_order();
  auto installation = server::Installation::open(line->data, absent_folder(line->command));
  if (!installation) return print_error(*line, terminal, installation.error());
  return run_command(*line, **installation, terminal, ::geteuid());
}

}  // namespace parley::cli
