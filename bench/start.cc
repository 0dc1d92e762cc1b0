// From the start of the process to the first answered question on an existing folder, and what it then keeps in memory.
#include <vector>

#include <fmt/format.h>

#include "bench/load.h"
#include "bench/server_process.h"

int main(int argc, char** argv) {
  using namespace parley::bench;
  const auto program = option(argc, argv, "program").value_or("build/release/src/parley/parley");
  const long runs = option(argc, argv, "runs", 9);
  const auto documents = tigerbeetle_documents();
  if (!documents) return 0;

  const Scratch scratch;
  const auto data = scratch / "data";
  raise_limits(data);
  const auto place = make_place(program, data, "start", *documents);
  const Questions questions;

  std::vector<double> listening, answered, resident, anonymous;
  for (long run = 0; run < runs; ++run) {
    ServerProcess server(program, data);
    listening.push_back(milliseconds_since(server.began()));
    Connection connection(server.port());
    const auto reply = connection.ask(chat_request(place.slug, place.key, questions.at(static_cast<std::size_t>(run))));
    answered.push_back(milliseconds_since(server.began()));
    if (reply.status != 201) give_up(fmt::format("the first question was answered with {}", reply.status));
    const auto memory = memory_of(server.pid());
    resident.push_back(megabytes(memory.resident_bytes));
    anonymous.push_back(megabytes(memory.anonymous_bytes));
    if (const int status = server.stop(); status != 0) give_up(fmt::format("the server ended with {}", status));
  }
  report("start to first answered question, existing folder, ms", median(answered), Goal::at_most, 150,
         fmt::format("median of {} starts, worst {:.0f}; listening after {:.0f}", runs, percentile(answered, 1),
                     median(listening)));
  report("resident memory after it, MB", median(resident), Goal::at_most, 64,
         fmt::format("of which {:.0f} MB anonymous", median(anonymous)));
}
