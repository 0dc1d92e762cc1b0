#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"

namespace parley::server {

/// Where a command's words go: the terminal it was typed in, or the socket that leads there.
class Output {
 public:
  virtual ~Output() = default;
  virtual void out(std::string_view text) = 0;  ///< the answer
  virtual void err(std::string_view text) = 0;  ///< remarks and progress
  virtual bool is_terminal() const = 0;         ///< may `err` redraw a line
  virtual bool cancelled() const = 0;           ///< has whoever asked gone away
};

/// A command as somebody typed it.
struct AdminCommand {
  std::vector<std::string> arguments;  ///< without the program's name
  std::filesystem::path folder;        ///< the working folder it was typed in
  bool is_terminal = false;
  std::uint32_t uid = 0;  ///< of the process that asked, as the kernel says
};

/// Runs a command and gives its exit status. Called on a thread of its own.
using AdminHandler = std::function<int(const AdminCommand&, Output&)>;

/// `DIR/admin.sock`: how a command line reaches the server that holds the folder. Mode 0600, and only this user and
/// root get an answer, by SO_PEERCRED.
class AdminSocket {
 public:
  virtual ~AdminSocket() = default;  ///< stops accepting, waits for running commands, removes the socket

  static Result<std::unique_ptr<AdminSocket>> listen(const std::filesystem::path& data, AdminHandler handler);
};

/// Hands a command to the server of this folder. None if no server listens there.
Result<std::optional<int>> call_admin(const std::filesystem::path& data, const AdminCommand& command, Output& output);

}  // namespace parley::server
