// Questions over HTTP, each answered by the built-in answerer and stored durably with its trail record before the
// reply.
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bench/load.h"
#include "bench/server_process.h"

int main(int argc, char** argv) {
  using namespace parley::bench;
  const auto program = option(argc, argv, "program").value_or("build/release/src/parley/parley");
  const long seconds = option(argc, argv, "seconds", 5);
  const long rounds = option(argc, argv, "rounds", 5);
  const auto connections = static_cast<std::size_t>(option(argc, argv, "connections", 50));
  const auto documents = tigerbeetle_documents();
  if (!documents) return 0;

  const Scratch scratch;
  const auto data = scratch / "data";
  raise_limits(data);
  const auto place = make_place(program, data, "chats", *documents);
  const Questions questions;
  ServerProcess server(program, data);
  const auto ask = [&](std::size_t n) { return chat_request(place.slug, place.key, questions.at(n)); };
  const auto load = [&](double rate, long for_seconds) {
    auto result = run_load({.port = server.port(),
                            .connections = connections,
                            .requests_max = 200'000,
                            .time_max = std::chrono::seconds(for_seconds),
                            .rate = rate},
                           ask);
    if (result.refused + result.broken > 0)
      give_up(fmt::format("{} questions were refused (first with {}), {} not answered", result.refused,
                          result.first_bad_status, result.broken));
    return result;
  };
  // The first question has the index opened, and whoever asks meanwhile is told to come back.
  if (Connection(server.port()).ask(ask(0)).status >= 300) give_up("the first question was not answered");
  (void)load(0, 1);

  // Interleaved, so that what else the machine does meets all of them; the median round counts.
  std::vector<double> closed_p50, closed_p95, closed_rate, paced_p50, paced_p95, syncs;
  // A pace that 50 people cannot type: each asks four times a second.
  const double pace = 4.0 * static_cast<double>(connections);
  Disk disk;
  std::size_t answered = 0;
  const double processor_before = processor_ms(server.pid());
  for (long round = 0; round < rounds; ++round) {
    disk = examine_disk(scratch.path());
    syncs.push_back(disk.fdatasync_median_ms);
    const auto closed = load(0, seconds);
    closed_p50.push_back(percentile(closed.times_ms, 0.5));
    closed_p95.push_back(percentile(closed.times_ms, 0.95));
    closed_rate.push_back(closed.per_second());
    const auto paced = load(pace, seconds);
    answered += closed.times_ms.size() + paced.times_ms.size();
    paced_p50.push_back(percentile(paced.times_ms, 0.5));
    paced_p95.push_back(percentile(paced.times_ms, 0.95));
  }
  const auto how =
      fmt::format("{}, synchronous=FULL (WAL), median fdatasync {:.2f} ms", disk.file_system, median(syncs));
  report(fmt::format("POST /api/v1/chats/, {} connections that never pause, p95 ms", connections), median(closed_p95),
         Goal::at_most, 20,
         fmt::format("p50 {:.1f} ms, {:.0f} a second, median of {} rounds of {} s; {}", median(closed_p50),
                     median(closed_rate), rounds, seconds, how));
  report(fmt::format("the same at {:.0f} a second over {} connections, p95 ms", pace, connections), median(paced_p95),
         Goal::at_most, 20, fmt::format("p50 {:.1f} ms; {}", median(paced_p50), how));
  report("processor time of the server per chat, ms",
         (processor_ms(server.pid()) - processor_before) / static_cast<double>(answered),
         fmt::format("{} chats", answered));
  const auto memory = memory_of(server.pid());
  report("resident memory after that, MB", megabytes(memory.resident_bytes),
         fmt::format("{:.0f} MB anonymous", megabytes(memory.anonymous_bytes)));
  return server.stop();
}
