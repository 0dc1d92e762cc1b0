// How long an event loop keeps a small request waiting while the same process checks passwords and indexes again.
//
// Measured from outside: the round trip of GET /healthz on idle keep-alive connections, which needs the loop and
// nothing behind it. It also holds the kernel's own delays in waking the loop and this program, so a third figure says
// how late this program is woken by a bare timer meanwhile.
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <iostream>
#include <thread>

#include <fmt/format.h>

#include "bench/corpus.h"
#include "bench/inside.h"
#include "bench/server_process.h"
#include "parley/identity/gate.h"
#include "parley/server/application.h"

namespace parley::bench {
namespace {

namespace fs = std::filesystem;

constexpr int password_checks = 100;
// Below the queue of the password workers, so that none is turned away.
constexpr int checks_at_once = 8;

/// The serving process: what `parley serve` runs, and for each line of standard input one round of work.
int serve(const fs::path& data, const fs::path& pages) {
  const auto at = open_installation(data);
  const auto project = make_project(*at, "lag", pages / "0");
  const Secret password("a long enough sentence about herons 47");
  must(at->wait(at->accounts->create("somebody@example.org", password)), "create an account");
  const auto application = must(server::Application::start(*at, {}), "serve");
  fmt::print("{}\n", application->port());
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    const auto begin = Time::now();
    double checked_ms = 0, indexed_ms = 0;
    {
      std::jthread indexing([&] {
        const auto permit =
            identity::Gate::authorize<knowledge::IngestDocuments>(at->local_operator(::geteuid()), project);
        must(at->library->ingest(permit, {.paths = {pages / line}, .base_url = {}}, {}), "ingest");
        indexed_ms = milliseconds_since(begin);
      });
      std::vector<std::jthread> checking;
      for (int t = 0; t < checks_at_once; ++t)
        checking.emplace_back([&, t] {
          for (int i = t; i < password_checks; i += checks_at_once)
            must(at->wait(at->accounts->verify_password("somebody@example.org", password)), "check a password");
        });
      checking.clear();
      checked_ms = milliseconds_since(begin);
    }
    fmt::print("{:.0f} {:.0f}\n", checked_ms, indexed_ms);
    std::fflush(stdout);
  }
  application->stop();
  return 0;
}

struct Lag {
  std::vector<double> round_trips_ms, wakes_ms;
};

/// Asks on each connection in turn, a millisecond between two questions, until `over` says so.
Lag probe(std::vector<Connection>& connections, const std::function<bool()>& over) {
  Lag lag;
  const auto request = get_request("/healthz");
  for (std::size_t n = 0; !over(); ++n) {
    timespec pause{.tv_sec = 0, .tv_nsec = 1'000'000};
    const auto slept = Time::now();
    ::nanosleep(&pause, nullptr);
    const auto begin = Time::now();
    lag.wakes_ms.push_back(milliseconds(begin - slept) - 1);
    if (connections[n % connections.size()].ask(request).status != 200) give_up("/healthz does not answer");
    lag.round_trips_ms.push_back(milliseconds_since(begin));
  }
  return lag;
}

}  // namespace
}  // namespace parley::bench

int main(int argc, char** argv) {
  using namespace parley::bench;
  if (const auto data = option(argc, argv, "serve")) return serve(*data, option(argc, argv, "pages").value_or(""));
  const long rounds = option(argc, argv, "rounds", 3);
  const auto documents = tigerbeetle_documents();
  if (!documents) return 0;
  const Scratch scratch;
  raise_limits(scratch / "data");
  // A version of the pages for each round, all different: each is indexed from scratch.
  multiply_corpus(*documents, scratch / "pages" / "0", 200'000);
  for (long round = 1; round <= rounds; ++round)
    multiply_corpus(*documents, scratch / "pages" / std::to_string(round), 20'000'000);

  std::array<int, 2> to{}, from{};
  if (::pipe2(to.data(), O_CLOEXEC) != 0 || ::pipe2(from.data(), O_CLOEXEC) != 0) give_up("no pipe");
  const auto self = fs::canonical("/proc/self/exe");
  const pid_t server = ::fork();
  if (server == 0) {
    ::dup2(to[0], 0);
    ::dup2(from[1], 1);
    ::execl(self.c_str(), self.c_str(), "--serve", (scratch / "data").c_str(), "--pages", (scratch / "pages").c_str(),
            nullptr);
    ::_exit(127);
  }
  ::close(to[0]);
  ::close(from[1]);
  FILE* const answers = ::fdopen(from[0], "r");
  unsigned port = 0;
  // The log of requests comes out beside the answers.
  std::array<char, 4096> line{};
  const auto next_line = [&] { return std::fgets(line.data(), line.size(), answers) != nullptr; };
  if (!next_line() || std::sscanf(line.data(), "%u", &port) != 1) give_up("the server did not start");

  std::vector<Connection> connections;
  for (int i = 0; i < 4; ++i) connections.emplace_back(static_cast<std::uint16_t>(port));
  std::vector<double> idle_p99, busy_p50, busy_p99, busy_worst, wake_p99, spent;
  for (long round = 1; round <= rounds; ++round) {
    const auto begin = Time::now();
    const auto idle = probe(connections, [&] { return Time::now() - begin > std::chrono::seconds(1); });
    idle_p99.push_back(percentile(idle.round_trips_ms, 0.99));
    std::atomic<bool> done = false;
    const auto order = fmt::format("{}\n", round);
    if (::write(to[1], order.data(), order.size()) < 0) give_up("the server has gone");
    std::jthread waiting([&] {
      double checked = 0, indexed = 0;
      if (next_line() && std::sscanf(line.data(), "%lf %lf", &checked, &indexed) == 2)
        spent.push_back(std::max(checked, indexed));
      remark(
          fmt::format("{} password checks took {:.0f} ms, the re-index {:.0f} ms", password_checks, checked, indexed));
      done = true;
    });
    const auto busy = probe(connections, [&] { return done.load(); });
    waiting.join();
    busy_p50.push_back(median(busy.round_trips_ms));
    busy_p99.push_back(percentile(busy.round_trips_ms, 0.99));
    busy_worst.push_back(percentile(busy.round_trips_ms, 1));
    wake_p99.push_back(percentile(busy.wakes_ms, 0.99));
  }
  ::close(to[1]);
  int status = 0;
  ::waitpid(server, &status, 0);
  report("event-loop lag during 100 password checks and a re-index, p99 ms", median(busy_p99), Goal::at_most, 5,
         fmt::format("round trip of /healthz on idle connections, p50 {:.2f}, worst {:.1f}, median of {} rounds of "
                     "{:.1f} s; {:.2f} without the work; a bare timer of the measuring process is late by {:.2f}",
                     median(busy_p50), median(busy_worst), rounds, median(spent) / 1000, median(idle_p99),
                     median(wake_p99)));
  return status == 0 ? 0 : 1;
}
