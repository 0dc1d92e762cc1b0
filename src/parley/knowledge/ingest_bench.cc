#include <filesystem>
#include <fstream>
#include <string>

#include <benchmark/benchmark.h>

#include "parley/crypto/random.h"
#include "parley/db/migration.h"
#include "parley/knowledge/ingest.h"
#include "parley/net/clock.h"
#include "testing/test_store.h"

namespace parley::knowledge {
namespace {

using namespace db::literals;

/// Follows the store and keeps nothing: what is left is the cost of reading, parsing and storing.
class NoIndex final : public IndexSink {
 public:
  Result<void> replace(const ChangedDocument&) override { return {}; }
  Result<void> remove(std::string_view) override { return {}; }
  Result<void> commit(std::int64_t revision) override {
    revision_ = revision;
    return {};
  }
  Result<std::int64_t> revision() override { return revision_; }

 private:
  std::int64_t revision_ = 0;
};

// 400 pages of 40 KB: reference pages, the longer kind.
constexpr int pages = 400;
std::uint64_t write_pages(const std::filesystem::path& folder) {
  std::uint64_t bytes = 0;
  for (int i = 0; i < pages; ++i) {
    std::string text = "# Page " + std::to_string(i) + "\n\n";
    for (int section = 0; section < 60; ++section)
      text +=
          "## Section " + std::to_string(section) +
          "\n\nThe server reads its configuration when it starts, and again when it is told to. Values that are not "
          "set keep\ntheir defaults; see [the table](../options.md#defaults) for what they are, and why `" +
          std::to_string(i * 60 + section) +
          "` is one of them.\n\n- `listen`: the address and the port\n- `data`: the folder that holds everything\n\n"
          "| Name | Default |\n|---|---|\n| `limit` | 15/min |\n\n```sh\nserver --listen 127.0.0.1:8080\n```\n\n";
    bytes += text.size();
    std::ofstream(folder / ("page" + std::to_string(i) + ".md")) << text;
  }
  return bytes;
}

db::MigrationSet migrations() {
  db::MigrationSet set{.program_version = "0.1.0"};
  set.tenant.push_back(db::migration_of("0001_projects.sql",
                                        "-- oldest: 0.1.0\n-- @all\nCREATE TABLE projects (\n  {tenant_column}\n  id "
                                        "TEXT NOT NULL,\n  PRIMARY KEY ({tenant}id)\n);\n"));
  for (const auto& migration : db::compiled_migrations().tenant)
    if (migration.name == "0002_knowledge") set.tenant.push_back(migration);
  return set;
}

void ingest_folder(benchmark::State& state) {
  db::TemporaryFolder folder;
  const std::uint64_t bytes = write_pages(folder.path());
  const auto store = db::TestStore::open(db::Engine::sqlite, migrations()).value();
  const net::SystemClock clock;
  for (auto _ : state) {
    state.PauseTiming();
    const TenantId tenant = db::random_tenant_id();
    const auto project = crypto::random_id<ProjectId>();
    if (!store->store().create_tenant(tenant)) std::abort();
    const auto session = store->store().tenant(tenant);
    if (!session.write_blocking(
            [&](db::TenantWriter& writer) { return writer.run("INSERT INTO projects (id) VALUES ($1)"_sql, project); }))
      std::abort();
    NoIndex index;
    state.ResumeTiming();
    const auto report = ingest(session, project, {.paths = {folder.path()}, .base_url = {}}, index, clock);
    if (!report || report->added != pages) std::abort();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(bytes));
}
BENCHMARK(ingest_folder)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace parley::knowledge
