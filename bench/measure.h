#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace parley::bench {

using Time = std::chrono::steady_clock;

double milliseconds(Time::duration duration);
inline double milliseconds_since(Time::time_point begin) { return milliseconds(Time::now() - begin); }

/// The value that `share` (0 to 1) of the values do not exceed; 0 for none.
double percentile(std::vector<double> values, double share);
inline double median(std::vector<double> values) { return percentile(std::move(values), 0.5); }

/// The last minute's load average: on a machine that does other things a time is worth little without it.
double load_average();

/// What a durable write costs where `folder` lies.
struct Disk {
  std::string file_system;
  double fdatasync_median_ms = 0;
};
Disk examine_disk(const std::filesystem::path& folder);

struct Memory {
  std::size_t resident_bytes = 0;
  /// Without pages of files: what the process itself asked for.
  std::size_t anonymous_bytes = 0;
};
Memory memory_of(pid_t process);
/// Processor time that the process has used so far: what work costs whatever else the machine does.
double processor_ms(pid_t process);
inline double megabytes(std::size_t bytes) { return static_cast<double>(bytes) / 1e6; }

enum class Goal { at_most, at_least };

/// One line of docs/measurements.md: `scripts/bench` and `scripts/soak` collect the lines that begin with "| ".
///
///   report("start to first answer, ms", 41.2, Goal::at_most, 150, "median of 9");
void report(std::string_view what, double figure, Goal goal, double limit, std::string_view how);
/// A figure without a goal.
void report(std::string_view what, double figure, std::string_view how);
/// A promise that held, or did not.
void report(std::string_view what, bool held, std::string_view how);
/// A line that is for whoever watches, on standard error.
void remark(std::string_view text);

/// A folder that goes with the value. Not in /tmp if TMPDIR says otherwise: what is measured may depend on the disk.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// `--NAME VALUE` among the arguments.
std::optional<std::string> option(int argc, char** argv, std::string_view name);
long option(int argc, char** argv, std::string_view name, long otherwise);

/// The documentation that questions are asked about; none, with a remark, where the shared data is not there.
std::optional<std::filesystem::path> tigerbeetle_documents();

/// Runs `work(n)` for all n below `count` on some threads: what waits for the disk waits together.
void in_parallel(std::size_t count, std::size_t threads, const std::function<void(std::size_t)>& work);

/// Says why the program cannot go on, and ends it.
[[noreturn]] void give_up(std::string_view why);

}  // namespace parley::bench
