#pragma once

#include "parley/cli/command_line.h"
#include "parley/server/admin_socket.h"
#include "parley/server/installation.h"

namespace parley::cli {

/// Carries out any command but `serve` and `restore` on an open installation: the one of this process, or of the
/// server that was asked over its admin socket; it is the same code. Gives the exit status: 0 done, 1 it could not be
/// done or (eval, verify, doctor) something is not as it should be.
int run_command(const CommandLine& line, server::Installation& installation, server::Output& output, std::uint32_t uid);

}  // namespace parley::cli
