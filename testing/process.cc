#include "testing/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace parley::testing {
namespace {

// Nothing in these tests takes this long unless it is broken.
constexpr int patience_ms = 60'000;

std::filesystem::path temporary_file(std::string_view content) {
  std::string name = (std::filesystem::temp_directory_path() / "parley_run_XXXXXX").string();
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) std::abort();
  ::close(fd);
  std::ofstream(name, std::ios::binary) << content;
  return name;
}

std::string take(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  return text;
}

pid_t start(const std::vector<std::string>& words, const Variables& variables, const std::string& in, int out,
            int error) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_adddup2(&actions, error, 2);

  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::vector<std::string> environment;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    if (!variables.contains(text.substr(0, text.find('=')))) environment.push_back(text);
  }
  for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
  std::vector<char*> envp;
  for (auto& entry : environment) envp.push_back(entry.data());
  envp.push_back(nullptr);

  pid_t pid = -1;
  if (::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), envp.data()) != 0) pid = -1;
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

int exit_status(pid_t pid) {
  int status = 0;
  if (pid < 0 || ::waitpid(pid, &status, 0) != pid) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Finished run_program(const std::vector<std::string>& words, const Variables& variables, std::string_view in) {
  const auto in_file = temporary_file(in);
  const auto out_file = temporary_file({});
  const auto err_file = temporary_file({});
  const int out = ::open(out_file.c_str(), O_WRONLY | O_CLOEXEC);
  const int error = ::open(err_file.c_str(), O_WRONLY | O_CLOEXEC);
  const pid_t pid = start(words, variables, in_file.string(), out, error);
  ::close(out);
  ::close(error);
  Finished finished{.status = exit_status(pid), .out = take(out_file), .err = take(err_file)};
  take(in_file);
  return finished;
}

Program::Program(const std::vector<std::string>& words, const Variables& variables) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  pid_ = start(words, variables, "/dev/null", ends[1], ends[1]);
  ::close(ends[1]);
  output_end_ = ends[0];
}

Program::~Program() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    exit_status(pid_);
  }
  ::close(output_end_);
}

std::optional<std::string> Program::read_until(std::string_view text) {
  while (output_.find(text) == std::string::npos) {
    pollfd entry{.fd = output_end_, .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, patience_ms) <= 0) return std::nullopt;
    char buffer[4096];
    const auto count = ::read(output_end_, buffer, sizeof buffer);
    if (count <= 0) return std::nullopt;
    output_.append(buffer, static_cast<std::size_t>(count));
  }
  return output_;
}

void Program::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

Program::Ended Program::wait() {
  // To its end first: a full pipe would keep the program from ending. No program writes this.
  while (read_until(std::string_view("\0\0\0", 3))) {
  }
  return {.status = exit_status(std::exchange(pid_, -1)), .output = output_};
}

}  // namespace parley::testing
