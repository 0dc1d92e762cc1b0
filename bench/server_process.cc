#include "bench/server_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include <fmt/format.h>
#include <boost/json.hpp>

extern char** environ;

namespace parley::bench {
namespace {

struct Spawned {
  pid_t pid = -1;
  int reading = -1;
};

/// Starts a program with one of its outputs (1 or 2) in a pipe and, unless told otherwise, the rest thrown away.
Spawned spawn(const std::vector<std::string>& words, int piped, Remarks remarks) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) give_up("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (piped == 1) {
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    if (remarks == Remarks::hidden) posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  } else {
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  }
  std::vector<char*> pointers;
  for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  Spawned spawned{.reading = ends[0]};
  const int failed = ::posix_spawn(&spawned.pid, words[0].c_str(), &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (failed != 0) give_up(fmt::format("{} cannot be started", words[0]));
  return spawned;
}

int wait_for(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

CommandResult run_command(const std::filesystem::path& program, const std::filesystem::path& data,
                          const std::vector<std::string>& arguments, Remarks remarks) {
  std::vector<std::string> words{program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  words.insert(words.end(), {"--data", data.string(), "--json"});
  const auto spawned = spawn(words, 1, remarks);
  CommandResult result;
  std::array<char, 4096> buffer{};
  for (ssize_t n = 0; (n = ::read(spawned.reading, buffer.data(), buffer.size())) > 0;)
    result.out.append(buffer.data(), static_cast<std::size_t>(n));
  ::close(spawned.reading);
  result.status = wait_for(spawned.pid);
  return result;
}

std::string json_text(const std::string& json, std::string_view key) {
  boost::system::error_code error;
  const auto value = boost::json::parse(json, error);
  if (error || !value.is_object()) return {};
  const auto* found = value.get_object().if_contains(key);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

void raise_limits(const std::filesystem::path& data) {
  std::filesystem::create_directories(data);
  std::filesystem::permissions(data, std::filesystem::perms::owner_all);
  std::ofstream file(data / "parley.toml");
  file << "[limits]\n";
  for (const auto* name :
       {"chat_per_visitor",        "chat_per_chat",          "chat_per_address",        "chat_per_secret_key",
        "chat_per_public_key",     "chat_per_project",       "chat_per_organisation",   "read_per_visitor",
        "read_per_address",        "read_per_secret_key",    "read_per_public_key",     "read_per_project",
        "read_per_organisation",   "search_per_visitor",     "search_per_address",      "search_per_secret_key",
        "search_per_public_key",   "search_per_project",     "search_per_organisation", "request_per_address",
        "visitor_per_address",     "visitor_per_public_key", "visitor_per_secret_key",  "visitor_per_project",
        "visitor_per_organisation"})
    file << name << " = \"1000000/s\"\n";
}

Place make_place(const std::filesystem::path& program, const std::filesystem::path& data, const std::string& name,
                 const std::filesystem::path& documents) {
  const auto run = [&](const std::vector<std::string>& arguments) {
    auto result = run_command(program, data, arguments);
    if (result.status != 0) give_up(fmt::format("parley {} ended with {}", arguments[0], result.status));
    return result.out;
  };
  run({"tenant", "create", name});
  run({"project", "create", "--tenant", name, "--name", name, "--slug", name});
  run({"ingest", "--project", name, documents.string()});
  const auto key = run({"key", "create", "--project", name, "--scopes", "chat_create,project_search"});
  return {.slug = name, .key = json_text(key, "key")};
}

ServerProcess::ServerProcess(const std::filesystem::path& program, const std::filesystem::path& data,
                             const std::vector<std::string>& more) {
  std::vector<std::string> words{program.string(), "serve", "--listen", "127.0.0.1:0", "--data", data.string()};
  words.insert(words.end(), more.begin(), more.end());
  began_ = Time::now();
  const auto spawned = spawn(words, 2, Remarks::hidden);
  pid_ = spawned.pid;
  errors_ = spawned.reading;
  std::string said;
  std::array<char, 4096> buffer{};
  const std::string_view mark = "Parley answers at http://127.0.0.1:";
  for (;;) {
    pollfd waiting{.fd = errors_, .events = POLLIN, .revents = 0};
    const ssize_t n = ::poll(&waiting, 1, 60'000) > 0 ? ::read(errors_, buffer.data(), buffer.size()) : 0;
    if (n <= 0) {
      ::kill(pid_, SIGKILL);
      give_up(fmt::format("the server did not start: {}", said));
    }
    said.append(buffer.data(), static_cast<std::size_t>(n));
    const auto at = said.find(mark);
    if (at == said.npos || said.find('\n', at) == said.npos) continue;
    port_ = static_cast<std::uint16_t>(std::strtoul(said.c_str() + at + mark.size(), nullptr, 10));
    return;
  }
}

ServerProcess::~ServerProcess() { kill(); }

int ServerProcess::stop() {
  if (pid_ < 0) return -1;
  ::kill(pid_, SIGTERM);
  const int status = wait_for(std::exchange(pid_, -1));
  ::close(errors_);
  return status;
}

void ServerProcess::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  wait_for(std::exchange(pid_, -1));
  ::close(errors_);
}

}  // namespace parley::bench
