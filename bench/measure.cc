#include "bench/measure.h"

#include <fcntl.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include <fmt/format.h>

namespace parley::bench {

namespace fs = std::filesystem;

double milliseconds(Time::duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto at = std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())));
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(at);
  std::ranges::nth_element(values, nth);
  return *nth;
}

double load_average() {
  std::ifstream file("/proc/loadavg");
  double load = 0;
  file >> load;
  return load;
}

namespace {

/// The type of the mount that holds the path: the longest mount point in front of it.
std::string file_system_of(const fs::path& folder) {
  std::ifstream mounts("/proc/self/mounts");
  const std::string wanted = fs::weakly_canonical(folder).string() + "/";
  std::string best, type = "unknown";
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string device, point, kind;
    words >> device >> point >> kind;
    const std::string prefix = point.ends_with('/') ? point : point + "/";
    if (wanted.starts_with(prefix) && prefix.size() >= best.size()) {
      best = prefix;
      type = kind;
    }
  }
  return type;
}

}  // namespace

Disk examine_disk(const fs::path& folder) {
  Disk disk{.file_system = file_system_of(folder)};
  const auto file = folder / "fdatasync";
  const int fd = ::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return disk;
  const std::array<char, 4096> page{};
  std::vector<double> times;
  // Appending, as a write-ahead log does. The first ones meet whatever else waited for the disk.
  for (int i = 0; i < 120; ++i) {
    const auto begin = Time::now();
    if (::write(fd, page.data(), page.size()) < 0 || ::fdatasync(fd) != 0) break;
    if (i >= 20) times.push_back(milliseconds_since(begin));
  }
  ::close(fd);
  std::error_code ignored;
  fs::remove(file, ignored);
  disk.fdatasync_median_ms = median(times);
  return disk;
}

Memory memory_of(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/status", process));
  Memory memory;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    std::size_t kib = 0;
    words >> name >> kib;
    if (name == "VmRSS:") memory.resident_bytes = kib * 1024;
    if (name == "RssAnon:") memory.anonymous_bytes = kib * 1024;
  }
  return memory;
}

double processor_ms(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  // Behind the name, which may hold blanks: state, ten numbers, then the two.
  std::istringstream words(text.substr(std::min(text.size(), text.rfind(')') + 1)));
  std::string skipped;
  for (int i = 0; i < 11; ++i) words >> skipped;
  double user = 0, system = 0;
  words >> user >> system;
  return (user + system) * 1000 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

namespace {

void print_row(std::string_view what, std::string_view figure, std::string_view goal, std::string_view met,
               std::string_view how) {
  fmt::print("| {} | {} | {} | {} | {}; load {:.1f} |\n", what, figure, goal, met, how, load_average());
  std::fflush(stdout);
}

}  // namespace

void report(std::string_view what, double figure, Goal goal, double limit, std::string_view how) {
  const bool met = goal == Goal::at_most ? figure <= limit : figure >= limit;
  print_row(what, fmt::format("{:.4g}", figure), fmt::format("{} {:g}", goal == Goal::at_most ? "≤" : "≥", limit),
            met ? "yes" : "NO", how);
}

void report(std::string_view what, double figure, std::string_view how) {
  print_row(what, fmt::format("{:.4g}", figure), "", "", how);
}

void report(std::string_view what, bool held, std::string_view how) {
  print_row(what, held ? "held" : "BROKEN", "holds", held ? "yes" : "NO", how);
}

void remark(std::string_view text) { fmt::print(stderr, "  {}\n", text); }

Scratch::Scratch() {
  std::string pattern = (fs::temp_directory_path() / "parley-bench-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) give_up("no scratch folder can be made");
  path_ = pattern;
}

Scratch::~Scratch() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::optional<std::string> option(int argc, char** argv, std::string_view name) {
  for (int i = 1; i + 1 < argc; ++i)
    if (argv[i] == "--" + std::string(name)) return argv[i + 1];
  return std::nullopt;
}

long option(int argc, char** argv, std::string_view name, long otherwise) {
  const auto text = option(argc, argv, name);
  return text ? std::strtol(text->c_str(), nullptr, 10) : otherwise;
}

std::optional<fs::path> tigerbeetle_documents() {
  const fs::path folder = "../shared/data/docs/tigerbeetle";
  std::error_code error;
  if (fs::is_directory(folder, error)) return fs::canonical(folder);
  remark(folder.string() + " is not there (run from the root of the repository): skipped");
  return std::nullopt;
}

void in_parallel(std::size_t count, std::size_t threads, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> all;
  for (std::size_t t = 0; t < threads; ++t)
    all.emplace_back([&] {
      for (std::size_t n = 0; (n = next++) < count;) work(n);
    });
}

void give_up(std::string_view why) {
  fmt::print(stderr, "cannot go on: {}\n", why);
  std::exit(1);
}

}  // namespace parley::bench
