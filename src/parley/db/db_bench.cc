// What state costs. `build/release/src/parley/db/db_bench`; the PostgreSQL half needs PARLEY_TEST_POSTGRES.
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

#include <benchmark/benchmark.h>

#include "parley/db/sqlite/sqlite_store.h"
#include "testing/test_store.h"

namespace parley::db {
namespace {

Result<void> add_one(TenantWriter& w, std::int64_t id) {
  static const std::string words(300, 'x');
  PARLEY_TRY(w.run("INSERT INTO kinds (id, number, words) VALUES ($1, $2, $3)"_sql, std::to_string(id), id, words));
  return {};
}

std::atomic<std::int64_t> next_id = 0;

/// Writers that each wait for their write before the next; time per write is wall time over all writes.
void durable_writes(benchmark::State& state, Engine engine) {
  if (!TestStore::available(engine)) return state.SkipWithError(TestStore::why_not);
  const auto store = TestStore::open(engine).value();
  const auto tenant = random_tenant_id();
  if (!store->store().create_tenant(tenant)) return state.SkipWithError("cannot make a tenant");
  const auto session = store->store().tenant(tenant);
  const auto writers = state.range(0);
  constexpr int each = 40;
  for (auto _ : state) {
    std::vector<std::jthread> threads;
    for (std::int64_t t = 0; t < writers; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < each; ++i) {
          if (!session.write_blocking([id = ++next_id](TenantWriter& w) { return add_one(w, id); })) std::abort();
        }
      });
    }
  }
  state.counters["writes_per_s"] =
      benchmark::Counter(static_cast<double>(state.iterations() * writers * each), benchmark::Counter::kIsRate);
  state.counters["s_per_write_of_one"] = benchmark::Counter(static_cast<double>(state.iterations() * each),
                                                            benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(durable_writes, sqlite, Engine::sqlite)
    ->Arg(1)
    ->Arg(50)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(durable_writes, postgres, Engine::postgres)
    ->Arg(1)
    ->Arg(50)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void read_one_row(benchmark::State& state, Engine engine) {
  if (!TestStore::available(engine)) return state.SkipWithError(TestStore::why_not);
  const auto store = TestStore::open(engine).value();
  const auto tenant = random_tenant_id();
  if (!store->store().create_tenant(tenant)) return state.SkipWithError("cannot make a tenant");
  const auto session = store->store().tenant(tenant);
  if (!session.write_blocking([](TenantWriter& w) { return add_one(w, 0); })) std::abort();
  for (auto _ : state) {
    benchmark::DoNotOptimize(session.read_blocking([](TenantReader& r) {
      return r.find("SELECT number FROM kinds WHERE id = $1"_sql, [](const Row& row) { return row.integer(0); }, "0");
    }));
  }
}
BENCHMARK_CAPTURE(read_one_row, sqlite, Engine::sqlite)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(read_one_row, postgres, Engine::postgres)->UseRealTime()->Unit(benchmark::kMicrosecond);

/// Creation, then the first write, which opens the file; with the program's own migrations.
void new_tenant_and_first_write(benchmark::State& state) {
  const TemporaryFolder folder;
  auto store = open_sqlite({.folder = folder.path()}).value();
  for (auto _ : state) {
    const auto tenant = random_tenant_id();
    if (!store->create_tenant(tenant)) std::abort();
    const auto written = store->tenant(tenant).read_blocking(
        [](TenantReader& r) { return r.each("SELECT number FROM parley_migrations"_sql, [](const Row&) {}); });
    // Without any migration there is no such table; opening is what is measured.
    benchmark::DoNotOptimize(written);
  }
}
BENCHMARK(new_tenant_and_first_write)->Iterations(200)->UseRealTime()->Unit(benchmark::kMillisecond);

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// Memory of tenants that have been written to and read from and are still open.
void memory_of_open_tenants(benchmark::State& state) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 8192);
  setrlimit(RLIMIT_NOFILE, &limit);
  for (auto _ : state) {
    const TemporaryFolder folder;
    auto store = sqlite::SqliteStore::open({.folder = folder.path()}, test_migrations()).value();
    const auto before = resident_bytes();
    for (int i = 0; i < 512; ++i) {
      const auto tenant = random_tenant_id();
      if (!store->create_tenant(tenant)) std::abort();
      for (int row = 0; row < 20; ++row) {
        if (!store->tenant(tenant).write_blocking([row](TenantWriter& w) { return add_one(w, row); })) std::abort();
      }
      if (!store->tenant(tenant).read_blocking(
              [](TenantReader& r) { return r.each("SELECT * FROM kinds"_sql, [](const Row&) {}); })) {
        std::abort();
      }
    }
    const auto open = store->open_tenants();
    state.counters["open"] = static_cast<double>(open);
    state.counters["kb_per_tenant"] = static_cast<double>(resident_bytes() - before) / 1024 / static_cast<double>(open);
    state.counters["rss_mb"] = static_cast<double>(resident_bytes()) / 1024 / 1024;
  }
}
BENCHMARK(memory_of_open_tenants)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);

/// Reads and writes over many more tenants than are kept open, the n-th as often as 1/n.
void zipf_over_tenants(benchmark::State& state) {
  const TemporaryFolder folder;
  auto store = sqlite::SqliteStore::open({.folder = folder.path()}, test_migrations()).value();
  std::vector<TenantId> ids;
  std::vector<double> weights;
  for (int i = 0; i < state.range(0); ++i) {
    ids.push_back(random_tenant_id());
    weights.push_back(1.0 / (i + 1));
    if (!store->create_tenant(ids.back())) std::abort();
  }
  std::discrete_distribution<std::size_t> which(weights.begin(), weights.end());
  std::mt19937 random(3);
  for (auto _ : state) {
    const auto session = store->tenant(ids[which(random)]);
    if (!session.write_blocking([id = ++next_id](TenantWriter& w) { return add_one(w, id); })) std::abort();
    benchmark::DoNotOptimize(session.read_blocking([](TenantReader& r) {
      return r.find("SELECT COUNT(*) FROM kinds"_sql, [](const Row& row) { return row.integer(0); });
    }));
  }
  state.counters["open"] = static_cast<double>(store->open_tenants());
  state.counters["rss_mb"] = static_cast<double>(resident_bytes()) / 1024 / 1024;
}
BENCHMARK(zipf_over_tenants)->Arg(10'000)->Iterations(5'000)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace parley::db
