#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "parley/server/admin_socket.h"
#include "parley/server/installation.h"

namespace parley::server {

struct ServeOptions {
  std::filesystem::path data;
  std::optional<std::string> listen;        ///< instead of the configured one
  std::filesystem::path tls_cert, tls_key;  ///< likewise
  bool demo = false;                        ///< make and fill the demo project
  /// Runs a command that came in over the admin socket.
  std::function<int(Installation&, const AdminCommand&, Output&)> run_command;
};

/// Serves until SIGTERM or SIGINT, then lets running answers finish. Gives the exit status. Prints where it can be
/// reached, and the set-up link while there is no account, to standard error; standard output is the log's.
int serve(ServeOptions options);

}  // namespace parley::server
