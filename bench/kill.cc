// Ends the program with SIGKILL at random moments of chats, ingestion and the making of tenants, and between each two
// steps of what touches two files; then starts it again and compares with what had been acknowledged.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "bench/inside.h"
#include "bench/server_process.h"
#include "parley/knowledge/index.h"

namespace parley::bench {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void die_now() {
  ::kill(::getpid(), SIGKILL);
  std::abort();
}

/// An index whose process ends beside one of its commits.
class DyingSink final : public knowledge::IndexSink {
 public:
  enum class Moment { before_commit, after_commit, during_changes };
  DyingSink(knowledge::Index index, Moment moment) : index_(std::move(index)), moment_(moment) {}
  Result<void> replace(const knowledge::ChangedDocument& changed) override {
    PARLEY_TRY(index_.replace(changed.document));
    if (moment_ == Moment::during_changes) die_now();
    return {};
  }
  Result<void> remove(std::string_view path) override { return index_.remove(path); }
  Result<void> commit(std::int64_t revision) override {
    if (moment_ == Moment::before_commit) die_now();
    PARLEY_TRY(index_.commit(static_cast<std::uint64_t>(revision)));
    die_now();
  }
  Result<std::int64_t> revision() override { return static_cast<std::int64_t>(PARLEY_TRY(index_.revision())); }

 private:
  knowledge::Index index_;
  Moment moment_;
};

struct Fault {
  const char* deed;
  const char* step;
};
// Every place where one file has been written and the next has not.
constexpr Fault faults[] = {
    {"create_tenant", "intended"},         {"create_tenant", "tenant_made"}, {"create_project", "intended"},
    {"create_project", "project_made"},    {"remove_project", "intended"},   {"remove_project", "project_removed"},
    {"remove_project", "derived_removed"}, {"remove_tenant", "intended"},    {"remove_tenant", "tenant_removed"},
    {"ingest", "during_changes"},          {"ingest", "before_commit"},      {"ingest", "after_commit"},
};

/// In a process of its own: does the deed as the program would, and ends behind the step.
int die_at(const fs::path& data, const std::string& deed, const std::string& step, const std::string& name) {
  const auto at = open_installation(data);
  net::Workers workers(1);
  identity::TenantHooks hooks;
  hooks.remove_derived = [&](TenantId tenant, std::optional<ProjectId> project) {
    return at->library->remove(tenant, project);
  };
  hooks.after_step = [&](Literal done) -> Result<void> {
    if (done.view() == step) die_now();
    return {};
  };
  identity::TenantStore tenants(*at->store, at->folder().keyring(), workers, at->clock, at->random, std::move(hooks));
  if (deed == "create_tenant") {
    must(at->wait(tenants.create(name)), deed);
    return 1;
  }
  const auto tenant = must(at->wait(tenants.find_by_name(name)), deed);
  if (!tenant) give_up("there is no tenant " + name);
  if (deed == "create_project") must(at->wait(tenants.create_project(tenant->id, {.name = name, .slug = name})), deed);
  if (deed == "remove_tenant") must(at->wait(tenants.remove(tenant->id)), deed);
  const auto project = must(at->wait(at->tenants->find_slug(name)), deed);
  if (!project) give_up("there is no project " + name);
  if (deed == "remove_project") must(at->wait(tenants.remove_project(tenant->id, project->project)), deed);
  if (deed == "ingest") {
    const auto moment = step == "before_commit"  ? DyingSink::Moment::before_commit
                        : step == "after_commit" ? DyingSink::Moment::after_commit
                                                 : DyingSink::Moment::during_changes;
    const auto folder = data / "tenants" / tenant->id.to_string() / "index" / project->project.to_string();
    DyingSink sink(must(knowledge::Index::open(folder), "open the index"), moment);
    must(knowledge::ingest(at->store->tenant(tenant->id), project->project,
                           {.paths = {data.parent_path() / ("pages-" + name)}, .base_url = {}}, sink, at->clock),
         deed);
  }
  return 1;
}

void write_page(const fs::path& folder, const std::string& word) {
  fs::create_directories(folder);
  std::ofstream(folder / (word + ".md")) << "# Page " << word << "\n\nThe word of this page is " << word
                                         << ". It occurs nowhere else.\n";
}

int show(const std::vector<std::string>& wrong, std::string_view when) {
  for (const auto& line : wrong) remark(fmt::format("{}: {}", when, line));
  return wrong.empty() ? 0 : 1;
}

/// Each fault in turn; the number of promises broken.
int run_faults(const fs::path& self, const fs::path& scratch, long times) {
  const auto data = scratch / "faults";
  raise_limits(data);
  int broken = 0;
  for (long time = 0; time < times; ++time) {
    for (const auto& [deed, step] : faults) {
      const std::string name = fmt::format("{}-{}-{}", deed, step, time);
      std::string slug = name;
      std::ranges::replace(slug, '_', '-');
      const std::string_view what(deed);
      const std::string word = fmt::format("zq{}x{}", time, &deed - &faults[0].deed);
      const auto pages = scratch / ("pages-" + slug);
      if (what != "create_tenant") {
        const auto at = open_installation(data);
        if (what == "create_project") {
          must(at->wait(at->tenants->create(slug)), "create a tenant");
        } else {
          write_page(pages, "first" + word);
          make_project(*at, slug, pages);
          write_page(pages, word);
        }
      }
      const pid_t child = ::fork();
      if (child == 0) {
        ::execl(self.c_str(), self.c_str(), "--child", data.c_str(), "--deed", deed, "--step", step, "--name",
                slug.c_str(), nullptr);
        ::_exit(127);
      }
      int status = 0;
      ::waitpid(child, &status, 0);
      if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        remark(fmt::format("{}: the process did not get to the fault (status {})", name, status));
        ++broken;
        continue;
      }
      const auto at = open_installation(data);
      broken += show(check_folder(*at), name);
      const bool is_tenant = must(at->wait(at->tenants->find_by_name(slug)), "find a tenant").has_value();
      const bool is_project = must(at->wait(at->tenants->find_slug(slug)), "find a project").has_value();
      if (is_tenant != (what != "remove_tenant")) broken += show({"the tenant should be there, or gone"}, name);
      if (is_project != (what == "create_project" || what == "ingest"))
        broken += show({"the project should be there, or gone"}, name);
      if (what == "ingest") {
        // Stored before the index was told: it must be found without reading the files again.
        Ledger ledger;
        ledger.add_word(slug, "first" + word);
        if (std::string_view(step) != "during_changes") ledger.add_word(slug, word);
        broken += show(ledger.check(*at, Ledger::Which::all), name);
      }
    }
  }
  return broken;
}

int run_rounds(const fs::path& program, const fs::path& scratch, const fs::path& documents, long rounds,
               std::mt19937_64& random, Ledger& ledger) {
  const auto data = scratch / "rounds";
  raise_limits(data);
  const auto place = make_place(program, data, "kill", documents);
  const Questions questions;
  int broken = 0;
  std::atomic<std::size_t> asked = 0;
  long words = 0, tenants = 0;
  for (long round = 0; round < rounds; ++round) {
    ServerProcess server(program, data);
    std::atomic<bool> over = false;
    std::jthread chats([&] {
      std::vector<std::string> texts;
      (void)run_load(
          {.port = server.port(), .connections = 8, .requests_max = 100'000},
          [&](std::size_t) {
            texts.push_back(questions.at(asked++));
            return chat_request(place.slug, place.key, texts.back());
          },
          [&](std::size_t n, const Reply& reply) { ledger.add_reply(place.slug, texts[n], reply); });
    });
    // What a command acknowledges is its exit status. One that finds the server gone opens the folder itself, and what
    // it then acknowledges counts as well.
    std::jthread pages([&] {
      while (!over) {
        const std::string word = fmt::format("zq{}k", words++);
        write_page(scratch / "pages", word);
        if (run_command(program, data, {"ingest", "--project", place.slug, (scratch / "pages").string()},
                        Remarks::hidden)
                .status == 0)
          ledger.add_word(place.slug, word);
      }
    });
    std::jthread makers([&] {
      while (!over) {
        const std::string name = fmt::format("t{}", tenants++);
        if (run_command(program, data, {"tenant", "create", name}, Remarks::hidden).status == 0)
          ledger.add_tenant(name);
      }
    });
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 700'000));
    over = true;
    server.kill();
    chats.join();
    pages.join();
    makers.join();
    const bool last = round + 1 == rounds;
    const auto at = open_installation(data);
    broken += show(ledger.check(*at, last || round % 25 == 24 ? Ledger::Which::all : Ledger::Which::recent),
                   fmt::format("round {}", round));
  }
  return broken;
}

}  // namespace
}  // namespace parley::bench

int main(int argc, char** argv) {
  using namespace parley::bench;
  if (const auto data = option(argc, argv, "child"))
    return die_at(*data, option(argc, argv, "deed").value_or(""), option(argc, argv, "step").value_or(""),
                  option(argc, argv, "name").value_or(""));
  const auto program = option(argc, argv, "program").value_or("build/release/src/parley/parley");
  const long rounds = option(argc, argv, "rounds", 20);
  const auto seed = static_cast<std::uint64_t>(option(argc, argv, "seed", static_cast<long>(std::random_device{}())));
  const auto documents = tigerbeetle_documents();
  if (!documents) return 0;
  const Scratch scratch;

  const long times = std::max(1L, rounds / 40);
  const int faults_broken = run_faults(std::filesystem::canonical("/proc/self/exe"), scratch.path(), times);
  report("kill -9 between each two steps that touch two files", faults_broken == 0,
         fmt::format("{} faults, {} times each", std::size(faults), times));

  std::mt19937_64 random(seed);
  Ledger ledger;
  const auto begin = Time::now();
  const int broken = run_rounds(program, scratch.path(), *documents, rounds, random, ledger);
  report(fmt::format("kill -9 at random moments, {} rounds", rounds), broken == 0,
         fmt::format("{} messages, {} ingestions and {} tenants acknowledged and read back, trails verified; {:.0f} s, "
                     "seed {}",
                     ledger.messages(), ledger.words(), ledger.tenants(), milliseconds_since(begin) / 1000, seed));
  return faults_broken + broken == 0 ? 0 : 1;
}
