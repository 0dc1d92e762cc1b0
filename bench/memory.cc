// Resident memory under traffic that does not end: it may grow while caches fill, and then must stay.
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "bench/load.h"
#include "bench/server_process.h"

int main(int argc, char** argv) {
  using namespace parley::bench;
  const auto program = option(argc, argv, "program").value_or("build/release/src/parley/parley");
  const long seconds = option(argc, argv, "seconds", 60);
  const auto documents = tigerbeetle_documents();
  if (!documents) return 0;

  const Scratch scratch;
  const auto data = scratch / "data";
  raise_limits(data);
  const auto place = make_place(program, data, "memory", *documents);
  const Questions questions;
  ServerProcess server(program, data);

  std::vector<double> resident;
  std::size_t answered = 0, asked = 0;
  // A tenth of the time each, the first of which fills the caches.
  constexpr int parts = 10;
  for (int part = 0; part < parts; ++part) {
    const auto result =
        run_load({.port = server.port(),
                  .connections = 20,
                  .requests_max = 10'000'000,
                  .time_max = std::chrono::seconds(seconds) / parts,
                  .rate = 150},
                 [&](std::size_t n) {
                   ++asked;
                   // Chats, and a search now and then.
                   if (n % 10 == 0)
                     return get_request(fmt::format("/api/v1/projects/{}/search/?q=replica+{}", place.slug, asked % 97),
                                        place.key);
                   return chat_request(place.slug, place.key, questions.at(asked));
                 });
    if (result.refused + result.broken > 0)
      give_up(
          fmt::format("{} refused (first with {}), {} broken", result.refused, result.first_bad_status, result.broken));
    answered += result.times_ms.size();
    resident.push_back(megabytes(memory_of(server.pid()).resident_bytes));
    remark(fmt::format("{:.1f} MB after {} replies", resident.back(), answered));
  }
  // Of the second half, so that a cache that fills slowly is not taken for a leak, nor a leak for a cache.
  const double grown = resident.back() - resident[parts / 2 - 1];
  report(fmt::format("memory growth in the second half of {} s of traffic, MB", seconds), grown, Goal::at_most,
         seconds >= 300 ? 2 : 4,
         fmt::format("{:.1f} MB after a tenth, {:.1f} at half, {:.1f} at the end, {} replies", resident.front(),
                     resident[parts / 2 - 1], resident.back(), answered));
  return server.stop();
}
