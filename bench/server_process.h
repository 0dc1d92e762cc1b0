#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

#include "bench/measure.h"

namespace parley::bench {

struct CommandResult {
  int status = -1;
  std::string out;
};

/// Runs the program with `--data DATA --json` and these arguments to its end. Standard error goes to ours if `loud`.
enum class Remarks { hidden, shown };
CommandResult run_command(const std::filesystem::path& program, const std::filesystem::path& data,
                          const std::vector<std::string>& arguments, Remarks remarks = Remarks::shown);

/// The value of a string in a flat JSON object, as commands print them.
std::string json_text(const std::string& json, std::string_view key);

/// Writes DATA/parley.toml with every limit out of the way: what is measured is the work, not its refusal.
void raise_limits(const std::filesystem::path& data);

/// An organisation, a project of it with these documents, and a secret key that may ask.
struct Place {
  std::string slug, key;
};
Place make_place(const std::filesystem::path& program, const std::filesystem::path& data, const std::string& name,
                 const std::filesystem::path& documents);

/// `parley serve` in a process of its own, on a free port of the loopback address, its log thrown away.
class ServerProcess {
 public:
  /// Returns once it accepts connections. Gives up if it ends instead, or takes a minute.
  ServerProcess(const std::filesystem::path& program, const std::filesystem::path& data,
                const std::vector<std::string>& more = {});
  /// Kills it if it still runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  std::uint16_t port() const { return port_; }
  pid_t pid() const { return pid_; }
  /// When the process was asked for.
  Time::time_point began() const { return began_; }

  /// SIGTERM, then waits; the exit status.
  int stop();
  /// SIGKILL, then waits.
  void kill();

 private:
  Time::time_point began_ = Time::now();
  pid_t pid_ = -1;
  int errors_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace parley::bench
