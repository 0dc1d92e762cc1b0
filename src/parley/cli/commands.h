#pragma once

#include "parley/cli/command_line.h"
#include "parley/server/admin_socket.h"
#include "parley/server/backup.h"
#include "parley/server/installation.h"

namespace parley::cli {

/// Carries out any command but `serve` and `restore` on an open installation: the one of this process, or of the
/// server that was asked over its admin socket; it is the same code. Gives the exit status: 0 done, 1 it could not be
/// done or (eval, verify, doctor) something is not as it should be.
int run_command(const CommandLine& line, server::Installation& installation, server::Output& output, std::uint32_t uid);

/// `parley migrate status|up` on a store that no server holds, opened without migrating it.
bool is_migrate(const Command& command);
int migrate(const CommandLine& line, db::Store& store, const server::DataFolder& folder, server::Output& output);

/// `parley routes`: needs no data folder.
int print_routes(const CommandLine& line, server::Output& output);

int print_restored(const CommandLine& line, server::Output& output, const server::RestoreReport& report);

/// An error in the form the command line asks for: a sentence on standard error, with --json a value on standard output
/// as well. Gives the exit status 1.
int print_error(const CommandLine& line, server::Output& output, const Error& error);

}  // namespace parley::cli
