// Takes the power away in the middle of chats, ingestion and the making of tenants: what was not synced is lost, or a
// random part of it. Then opens the folder again and compares with what had been acknowledged.
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "bench/inside.h"
#include "parley/identity/gate.h"
#include "parley/log/log.h"
#include "testing/powercut_vfs.h"

namespace parley::bench {
namespace {

namespace fs = std::filesystem;

/// Asks until the power is gone.
void keep_asking(server::Installation& at, const ProjectRef& project, const Questions& questions,
                 std::atomic<std::size_t>& asked, Ledger& ledger, const testing::PowercutVfs& power) {
  while (!power.is_cut()) {
    const std::string text = questions.at(asked++);
    const auto answer =
        at.wait(at.turns->ask(identity::Gate::authorize<chat::Ask>(at.local_operator(::geteuid()), project),
                              {.message = Untrusted<>(text, Origin::user),
                               .chat = {},
                               .page_url = {},
                               .email = {},
                               .metadata = {},
                               .request = {}},
                              nullptr));
    if (!answer) return;
    ledger.add_chat({.slug = "power",
                     .chat = answer->chat.to_string(),
                     .user_message = answer->user_message.to_string(),
                     .ai_message = answer->ai_message.to_string(),
                     .question = text,
                     .answer = answer->text});
  }
}

}  // namespace
}  // namespace parley::bench

int main(int argc, char** argv) {
  using namespace parley;
  using namespace parley::bench;
  const long rounds = option(argc, argv, "rounds", 20);
  const auto seed = static_cast<std::uint64_t>(option(argc, argv, "seed", static_cast<long>(std::random_device{}())));
  const auto documents = tigerbeetle_documents();
  if (!documents) return 0;
  const Scratch scratch;
  const auto data = scratch / "data";
  const Questions questions;
  std::mt19937_64 random(seed);
  Ledger ledger;
  {
    make_project(*open_installation(data), "power", *documents);
  }

  int broken = 0;
  std::atomic<std::size_t> asked = 0;
  long words = 0, tenants = 0, refused_starts = 0;
  const auto begin = Time::now();
  for (long round = 0; round < rounds; ++round) {
    {
      testing::PowercutVfs power(fmt::format("power{}", round));
      power.make_default();
      parley::log::set_level(parley::log::Level::error);
      // Now and then during the start itself.
      if (round % 8 == 7) power.cut_after(random() % 10 + 1);
      auto opened = server::Installation::open(data, server::Absent::create);
      if (opened) {
        server::Installation& at = **opened;
        const auto project = at.wait(at.tenants->find_slug("power"));
        if (project && *project) {
          power.cut_after(random() % 600 + 1);
          std::vector<std::jthread> threads;
          for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] { keep_asking(at, **project, questions, asked, ledger, power); });
          threads.emplace_back([&] {
            const auto pages = scratch / "pages";
            std::filesystem::create_directories(pages);
            while (!power.is_cut()) {
              const std::string word = fmt::format("zq{}p", words++);
              std::ofstream(pages / (word + ".md")) << "# Page\n\nThe word of this page is " << word << ".\n";
              const auto permit =
                  identity::Gate::authorize<knowledge::IngestDocuments>(at.local_operator(::geteuid()), **project);
              if (!at.library->ingest(permit, {.paths = {pages}, .base_url = {}}, {})) return;
              ledger.add_word("power", word);
            }
          });
          threads.emplace_back([&] {
            while (!power.is_cut()) {
              const std::string name = fmt::format("p{}", tenants++);
              if (!at.wait(at.tenants->create(name))) return;
              ledger.add_tenant(name);
            }
          });
        }
      } else {
        ++refused_starts;
      }
      if (opened) opened->reset();
      power.cut();
      power.restore(round % 2 == 0 ? testing::PowercutVfs::Unsynced::lost : testing::PowercutVfs::Unsynced::random_part,
                    random());
    }
    const auto at = open_installation(data);
    const bool all = round + 1 == rounds || round % 25 == 24;
    const auto wrong = ledger.check(*at, all ? Ledger::Which::all : Ledger::Which::recent);
    for (const auto& line : wrong) remark(fmt::format("round {}: {}", round, line));
    broken += static_cast<int>(wrong.size());
  }
  report(fmt::format("power cuts under the whole program, {} rounds", rounds), broken == 0,
         fmt::format("{} messages, {} ingestions and {} tenants acknowledged and read back, trails verified; {} cuts "
                     "during the start; {:.0f} s, seed {}",
                     ledger.messages(), ledger.words(), ledger.tenants(), refused_starts,
                     milliseconds_since(begin) / 1000, seed));
  return broken == 0 ? 0 : 1;
}
