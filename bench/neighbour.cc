// What one organisation feels of another that asks twenty times as much as it may, with the limits that everybody has:
// the same questions at the same pace, alone and beside the flood by turns, so that what else the machine does falls on
// both.
#include <algorithm>
#include <array>
#include <thread>

#include <fmt/format.h>

#include "bench/load.h"
#include "bench/server_process.h"

namespace parley::bench {
namespace {

// As docs/configuration.md has them: chat_per_organisation, chat_per_secret_key, request_per_address.
constexpr double organisation_per_second = 3'000 / 60.0;
constexpr double key_per_second = 600 / 60.0;
constexpr double address_per_second = 6'000 / 60.0;
constexpr double flood_per_second = 20 * organisation_per_second;
constexpr double quiet_per_second = 40;
constexpr std::chrono::milliseconds lead_in{1'000};

/// An organisation with a project and as many keys as its pace takes, twice over: so that what ends it is what the
/// organisation may, and not what a key may.
struct Tenant {
  std::string slug;
  std::vector<std::string> keys;

  std::string request(std::size_t n, const std::string& question) const {
    return chat_request(slug, keys[n % keys.size()], question);
  }
};

Tenant make_tenant(const std::filesystem::path& program, const std::filesystem::path& data, const std::string& name,
                   const std::filesystem::path& documents) {
  const auto place = make_place(program, data, name, documents);
  Tenant tenant{.slug = place.slug, .keys = {place.key}};
  const auto keys = static_cast<std::size_t>(2 * organisation_per_second / key_per_second);
  while (tenant.keys.size() < keys) {
    const auto made = run_command(program, data, {"key", "create", "--project", name, "--scopes", "chat_create"});
    tenant.keys.push_back(json_text(made.out, "key"));
  }
  return tenant;
}

struct Phase {
  LoadResult quiet, flood;
};

}  // namespace
}  // namespace parley::bench

int main(int argc, char** argv) {
  using namespace parley;
  using namespace parley::bench;
  const auto program = option(argc, argv, "program").value_or("build/release/src/parley/parley");
  const auto rounds = option(argc, argv, "rounds", 7);
  const auto phase = std::chrono::milliseconds(option(argc, argv, "phase-ms", 2'500));
  const auto documents = tigerbeetle_documents();
  if (!documents) return 0;

  const Scratch scratch;
  const auto data = scratch / "data";
  const auto pages = *documents / "operating";
  const auto quiet = make_tenant(program, data, "quiet", pages);
  const auto loud = make_tenant(program, data, "loud", pages);
  ServerProcess server(program, data);
  const Questions questions;

  // Each from addresses of its own, and the flood from as many as it takes to come past what an address may: then every
  // request of it is read and its key looked up before it is refused.
  constexpr auto flood_addresses = static_cast<std::size_t>(2 * flood_per_second / address_per_second);
  const LoadOptions as_quiet{.port = server.port(),
                             .connections = 16,
                             .time_max = phase,
                             .rate = quiet_per_second,
                             .addresses = {.network = 1, .count = 16}};
  const LoadOptions as_flood{.port = server.port(),
                             .connections = 4 * flood_addresses,
                             .requests_max = 1'000'000,
                             .time_max = phase,
                             .rate = flood_per_second,
                             .addresses = {.network = 2, .count = flood_addresses}};
  // Each thread has its own place in the questions.
  std::size_t asked_quietly = 0, asked_loudly = 0;
  const auto next_quiet = [&](std::size_t) {
    const auto n = asked_quietly++;
    return quiet.request(n, questions.at(n));
  };
  const auto ask_quietly = [&] { return run_load(as_quiet, next_quiet); };
  const auto flood = [&](LoadOptions options) {
    return run_load(
        options,
        [&](std::size_t) {
          const auto n = asked_loudly++;
          return loud.request(n, questions.at(n));
        },
        [&](std::size_t, const Reply& reply) {
          // 503: its own questions stand in a queue that is full, where it may ask and the machine cannot keep up.
          if (reply.status >= 300 && reply.status != 429 && reply.status != 503)
            give_up(fmt::format("the flood was refused with {}", reply.status));
        });
  };

  // The whole minute's number may come in one burst, which is no more than a tenant may: it is used up first, and what
  // is measured is one who goes on.
  (void)ask_quietly();
  auto burst = as_flood;
  burst.rate = 0;
  burst.connections = 32;
  burst.requests_max = static_cast<std::size_t>(organisation_per_second * 60);
  burst.time_max = std::chrono::seconds(30);
  const auto used = flood(burst);
  remark(fmt::format("the neighbour's burst: {} answered in {:.1f} s", used.times_ms.size(), used.seconds));

  // What the flood takes of the processor, which does not depend on who else wants some.
  double alone_processor_ms = 0, beside_processor_ms = 0;
  std::vector<double> alone_p95, beside_p95, ratios, alone_p50, beside_p50;
  double admitted = 0, refused = 0, flooded_seconds = 0;
  for (long round = 0; round < rounds; ++round) {
    Phase beside;
    const double began = processor_ms(server.pid());
    const auto alone = ask_quietly();
    alone_processor_ms += processor_ms(server.pid()) - began;
    double flooded = 0;
    {
      // What it may by now, since it was quiet for a phase, is used up before anything is measured.
      auto longer = as_flood;
      longer.time_max = lead_in + phase;
      std::jthread neighbour([&] { beside.flood = flood(longer); });
      auto before = as_quiet;
      before.time_max = lead_in;
      (void)run_load(before, next_quiet);
      flooded = processor_ms(server.pid());
      beside.quiet = ask_quietly();
    }
    beside_processor_ms += processor_ms(server.pid()) - flooded;
    for (const auto* each : std::array<const LoadResult*, 2>{&alone, &beside.quiet})
      if (each->refused + each->broken > 0)
        give_up(fmt::format("the quiet one was refused {} times (first with {}), and cut off {} times", each->refused,
                            each->first_bad_status, each->broken));
    alone_p95.push_back(percentile(alone.times_ms, 0.95));
    beside_p95.push_back(percentile(beside.quiet.times_ms, 0.95));
    alone_p50.push_back(median(alone.times_ms));
    beside_p50.push_back(median(beside.quiet.times_ms));
    ratios.push_back(beside_p95.back() / alone_p95.back());
    admitted += static_cast<double>(beside.flood.times_ms.size());
    refused += static_cast<double>(beside.flood.refused);
    flooded_seconds += beside.flood.seconds;
    remark(fmt::format("round {}: alone p95 {:.2f} ms, beside {:.2f} ms; flood {:.0f} a second, {:.0f} answered", round,
                       alone_p95.back(), beside_p95.back(),
                       static_cast<double>(beside.flood.times_ms.size() + beside.flood.refused) / beside.flood.seconds,
                       beside.flood.per_second()));
  }
  // A flood that could not be sent would show nothing.
  const double asked_per_second = (admitted + refused) / flooded_seconds;
  if (asked_per_second < 0.9 * flood_per_second)
    remark(fmt::format("only {:.0f} requests a second could be sent", asked_per_second));
  report("a question beside a quiet neighbour, p95, ms", median(alone_p95),
         fmt::format("median of {} rounds, {:.0f} questions a second; p50 {:.2f}", rounds, quiet_per_second,
                     median(alone_p50)));
  report("the same beside one at 20 times its limit, p95, ms", median(beside_p95),
         fmt::format("{:.0f} requests a second, {:.0f} of them answered, the rest refused; p50 {:.2f}",
                     asked_per_second, admitted / flooded_seconds, median(beside_p50)));
  const double measured_seconds = static_cast<double>(rounds) * std::chrono::duration<double>(phase).count();
  report("processor time for a request of the flood, ms",
         (beside_processor_ms - alone_processor_ms) / (flood_per_second * measured_seconds),
         fmt::format("the answered ones included; a question alone takes {:.2f}",
                     alone_processor_ms / (quiet_per_second * measured_seconds)));
  report("the one by the other", median(ratios), Goal::at_most, 1.5,
         fmt::format("median of the rounds; {:.2f} to {:.2f}", *std::ranges::min_element(ratios),
                     *std::ranges::max_element(ratios)));
  return server.stop();
}
