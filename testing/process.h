#pragma once

#include <sys/types.h>

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

  /// What it has written to standard output and error once that contains `text`; none if it ended first.
  std::optional<std::string> read_until(std::string_view text);
  void signal(int number) const;
  struct Ended {
    int status = -1;
    std::string output;  ///< all it ever wrote, to both
  };
  Ended wait();

 private:
  pid_t pid_ = -1;
  int output_end_ = -1;
  std::string output_;
};

}  // namespace parley::testing
