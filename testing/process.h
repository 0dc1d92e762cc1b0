#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace parley::testing {

struct Finished {
  int status = -1;  ///< exit status; 128 + n if signal n ended it
  std::string out, err;
};

using Variables = std::map<std::string, std::string>;  ///< added to this process's own

/// Runs a program to its end. `in` is its standard input.
Finished run_program(const std::vector<std::string>& words, const Variables& variables = {}, std::string_view in = {});

/// A program that goes on while the test does other things. Killed with the value, if it is still there.
class Program {
 public:
  explicit Program(const std::vector<std::string>& words, const Variables& variables = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// What it has written to standard error once that contains `text`; none if it ended first.
  std::optional<std::string> read_error_until(std::string_view text);
  void signal(int number) const;
  /// Its exit status, and what was left to read.
  Finished wait();
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int error_ = -1;
  std::filesystem::path out_;
  std::string errors_;
};

}  // namespace parley::testing
