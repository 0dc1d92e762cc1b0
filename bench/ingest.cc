// Markdown from files through store and search index to the last commit, on one core.
#include <sched.h>

#include <vector>

#include <fmt/format.h>

#include "bench/corpus.h"
#include "bench/server_process.h"

int main(int argc, char** argv) {
  using namespace parley::bench;
  const auto program = option(argc, argv, "program").value_or("build/release/src/parley/parley");
  const auto wanted = static_cast<std::size_t>(option(argc, argv, "megabytes", 50)) * 1'000'000;
  const long runs = option(argc, argv, "runs", 3);
  const auto documents = tigerbeetle_documents();
  if (!documents) return 0;

  const Scratch scratch;
  const auto corpus = scratch / "corpus";
  const auto bytes = multiply_corpus(*documents, corpus, wanted);
  // Inherited by the program, which is started from here.
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  if (::sched_setaffinity(0, sizeof one, &one) != 0) give_up("one core cannot be chosen");

  std::vector<double> rates, again;
  for (long run = 0; run < runs; ++run) {
    const auto data = scratch / fmt::format("data{}", run);
    const auto must = [&](const std::vector<std::string>& arguments) {
      if (run_command(program, data, arguments).status != 0) give_up("parley " + arguments[0] + " failed");
    };
    must({"tenant", "create", "bench"});
    must({"project", "create", "--tenant", "bench", "--name", "bench", "--slug", "bench"});
    auto begin = Time::now();
    must({"ingest", "--project", "bench", corpus.string()});
    rates.push_back(megabytes(bytes) / milliseconds_since(begin) * 1000);
    begin = Time::now();
    must({"ingest", "--project", "bench", corpus.string()});
    again.push_back(megabytes(bytes) / milliseconds_since(begin) * 1000);
    std::filesystem::remove_all(data);
  }
  const auto disk = examine_disk(scratch.path());
  report("ingest of Markdown, one core, through commit, MB/s", median(rates), Goal::at_least, 5,
         fmt::format("{:.0f} MB, median of {} runs, start of the program included; {}, median fdatasync {:.2f} ms",
                     megabytes(bytes), runs, disk.file_system, disk.fdatasync_median_ms));
  report("the same again, nothing changed, MB/s", median(again), "every document is compared by its digest");
}
