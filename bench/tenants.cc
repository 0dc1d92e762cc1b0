// Ten thousand tenants, a thousand of them with a project, documents and traffic: memory, start, and how it answers.
#include <sys/resource.h>

#include <cmath>
#include <fstream>
#include <random>

#include <fmt/format.h>

#include "bench/inside.h"
#include "bench/server_process.h"

namespace parley::bench {
namespace {

/// Numbers below `count`, the n-th as likely as 1/n.
class Zipf {
 public:
  explicit Zipf(std::size_t count) {
    for (std::size_t n = 1; n <= count; ++n)
      sums_.push_back((sums_.empty() ? 0 : sums_.back()) + 1.0 / static_cast<double>(n));
  }
  std::size_t operator()(std::mt19937_64& random) const {
    const double at = std::uniform_real_distribution<double>(0, sums_.back())(random);
    return static_cast<std::size_t>(std::ranges::lower_bound(sums_, at) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

std::size_t peak_bytes(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/status", process));
  for (std::string word; file >> word;) {
    std::size_t kib = 0;
    if (word == "VmHWM:" && file >> kib) return kib * 1024;
  }
  return 0;
}

}  // namespace
}  // namespace parley::bench

int main(int argc, char** argv) {
  using namespace parley;
  using namespace parley::bench;
  const auto program = option(argc, argv, "program").value_or("build/release/src/parley/parley");
  const auto count = static_cast<std::size_t>(option(argc, argv, "tenants", 10'000));
  const auto active = std::min(count, static_cast<std::size_t>(option(argc, argv, "active", 1'000)));
  const long seconds = option(argc, argv, "seconds", 20);
  const auto documents = tigerbeetle_documents();
  if (!documents) return 0;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);

  const Scratch scratch;
  const auto data = scratch / "data";
  raise_limits(data);
  // A small site each: the pages of one chapter.
  const auto pages = *documents / "operating";
  std::vector<Place> places(active);
  {
    const auto at = open_installation(data);
    auto begin = Time::now();
    in_parallel(count - active, 16, [&](std::size_t n) {
      must(at->wait(at->tenants->create(fmt::format("quiet{}", n))), "create a tenant");
    });
    const double each = milliseconds_since(begin) / static_cast<double>(std::max<std::size_t>(count - active, 1));
    begin = Time::now();
    in_parallel(active, 8, [&](std::size_t n) {
      const auto name = fmt::format("busy{}", n);
      const auto project = make_project(*at, name, pages);
      places[n] = {.slug = name, .key = std::string(make_key(*at, project).reveal())};
    });
    report("making a tenant durably, ms", each, fmt::format("{} tenants, 16 at once", count - active));
    report("making a tenant with a project, its documents and index, ms",
           milliseconds_since(begin) / static_cast<double>(active), fmt::format("{} of them, 8 at once", active));
  }

  const Questions questions;
  std::vector<double> starts, first_answers, start_memory;
  for (int run = 0; run < 7; ++run) {
    ServerProcess server(program, data);
    starts.push_back(milliseconds_since(server.began()));
    Connection connection(server.port());
    const auto& place = places[static_cast<std::size_t>(run) % active];
    if (connection.ask(chat_request(place.slug, place.key, questions.at(0))).status != 201)
      give_up("the first question was not answered");
    first_answers.push_back(milliseconds_since(server.began()));
    start_memory.push_back(megabytes(memory_of(server.pid()).resident_bytes));
    if (run < 6) server.stop();
  }
  report(
      fmt::format("start with {} tenants, to the first answered question, ms", count), median(first_answers),
      Goal::at_most, 150,
      fmt::format("median of 7 starts, listening after {:.0f}; {:.0f} MB then", median(starts), median(start_memory)));

  ServerProcess server(program, data);
  const Zipf zipf(active);
  std::mt19937_64 random(7);
  std::vector<bool> met(active);
  // First everybody once, so that "traffic on 1,000 of them" is true of each, then as they come.
  std::size_t number = 0;
  const auto next = [&](std::size_t) {
    const std::size_t n = number < active ? number : zipf(random);
    ++number;
    met[n] = true;
    return chat_request(places[n].slug, places[n].key, questions.at(number));
  };
  const auto warm = run_load(
      {.port = server.port(), .connections = 50, .requests_max = active, .time_max = std::chrono::seconds(60)}, next);
  const auto result = run_load(
      {.port = server.port(), .connections = 50, .requests_max = 1'000'000, .time_max = std::chrono::seconds(seconds)},
      next);
  if (warm.refused + warm.broken + result.refused + result.broken > 0)
    give_up(fmt::format("{} questions refused (first with {}), {} broken", warm.refused + result.refused,
                        std::max(warm.first_bad_status, result.first_bad_status), warm.broken + result.broken));
  const auto memory = memory_of(server.pid());
  report(
      fmt::format("{} tenants, Zipf traffic on {} of them: resident memory, MB", count, std::ranges::count(met, true)),
      megabytes(memory.resident_bytes), Goal::at_most, 256,
      fmt::format("{:.0f} MB anonymous, peak {:.0f} MB; {:.0f} replies a second, p50 {:.1f} ms, p95 {:.1f} ms",
                  megabytes(memory.anonymous_bytes), megabytes(peak_bytes(server.pid())), result.per_second(),
                  percentile(result.times_ms, 0.5), percentile(result.times_ms, 0.95)));
  return server.stop();
}
