// Markdown from files through store and search index to the last commit, on one core.
#include <sched.h>
#include <sys/resource.h>

#include <vector>

#include <fmt/format.h>

#include "bench/corpus.h"
#include "bench/server_process.h"

namespace {

/// Processor time of the commands that have ended.
double processor_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

}  // namespace

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

  std::vector<double> rates, again, per_second_of_work;
  for (long run = 0; run < runs; ++run) {
    const auto data = scratch / fmt::format("data{}", run);
    const auto must = [&](const std::vector<std::string>& arguments) {
      if (run_command(program, data, arguments).status != 0) give_up("parley " + arguments[0] + " failed");
    };
    must({"tenant", "create", "bench"});
    must({"project", "create", "--tenant", "bench", "--name", "bench", "--slug", "bench"});
    const double worked = processor_seconds();
    auto begin = Time::now();
    must({"ingest", "--project", "bench", corpus.string()});
    rates.push_back(megabytes(bytes) / milliseconds_since(begin) * 1000);
    per_second_of_work.push_back(megabytes(bytes) / (processor_seconds() - worked));
    begin = Time::now();
    must({"ingest", "--project", "bench", corpus.string()});
    again.push_back(megabytes(bytes) / milliseconds_since(begin) * 1000);
    std::filesystem::remove_all(data);
  }
  const auto disk = examine_disk(scratch.path());
  report("ingest of Markdown, one core, through commit, MB/s", median(rates), Goal::at_least, 5,
         fmt::format("{:.0f} MB, median of {} runs, start of the program included; {}, median fdatasync {:.2f} ms",
                     megabytes(bytes), runs, disk.file_system, disk.fdatasync_median_ms));
  report("the same by the processor time it took, MB/s", median(per_second_of_work),
         "what one core would do that has nothing else to do, and waits for no disk");
  report("the same again, nothing changed, MB/s", median(again), "every document is compared by its digest");
}
