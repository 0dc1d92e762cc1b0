// What admission costs a request. `build/release/src/parley/admission/admission_bench`; the Redis half needs
// PARLEY_TEST_REDIS.
#include <chrono>
#include <cstdlib>

#include <unistd.h>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "parley/admission/admission.h"
#include "parley/admission/slots.h"
#include "parley/crypto/random.h"
#include "parley/kv/redis_store.h"
#include "parley/net/clock.h"
#include "testing/wait.h"

namespace parley::identity {
class Authenticator {
 public:
  static Authenticated authenticate(Principal who) { return Authenticated(std::move(who)); }
};
}  // namespace parley::identity

namespace parley::admission {
namespace {

Limits out_of_reach() {
  Limits limits;
  for (std::size_t i = 0; i < limits_count; ++i) limits[i] = {kv::rate_count_max, std::chrono::hours(1)};
  return limits;
}

std::vector<Authenticated> visitors(std::int64_t number) {
  std::vector<Authenticated> made;
  const auto tenant = crypto::random_id<TenantId>();
  const auto project = crypto::random_id<ProjectId>();
  for (std::int64_t i = 0; i < number; ++i)
    made.push_back(identity::Authenticator::authenticate({.kind = PrincipalKind::visitor,
                                                          .id = crypto::random_uuid(),
                                                          .tenant = tenant,
                                                          .project = project,
                                                          .scopes = ScopeSet::public_keys()}));
  return made;
}

/// A visitor's question: its address, then visitor, address, project and organisation at once.
Async<> admit_all(benchmark::State* state, Admission* admission) {
  const auto callers = visitors(state->range(0));
  std::vector<boost::asio::ip::address> addresses;
  for (std::uint32_t i = 0; i < callers.size(); ++i)
    addresses.emplace_back(boost::asio::ip::address_v4(0x0a000000U + i * 2'654'435'761U % 0xffffffU));
  std::size_t next = 0, refused = 0;
  for (auto _ : *state) {
    auto from = admission->admit_address(addresses[next]);
    if (!from) {
      ++refused;
      continue;
    }
    const auto admitted = co_await admission->admit(*from, callers[next], Work::chat);
    refused += admitted ? 0 : 1;
    if (++next == callers.size()) next = 0;
  }
  state->counters["refused"] = static_cast<double>(refused);
  co_return Result<void>();
}

void admit_in_memory(benchmark::State& state) {
  const net::SystemClock clock;
  Admission admission(out_of_reach(), clock, {1, 2});
  (void)wait(admit_all(&state, &admission));
}
BENCHMARK(admit_in_memory)->Arg(1)->Arg(100'000);

void refuse_an_address(benchmark::State& state) {
  const net::SystemClock clock;
  Limits limits = out_of_reach();
  limits.of("request_per_address") = {1, std::chrono::hours(1)};
  Admission admission(limits, clock, {1, 2});
  const auto address = boost::asio::ip::make_address("192.0.2.1");
  for (auto _ : state) benchmark::DoNotOptimize(admission.admit_address(address));
}
BENCHMARK(refuse_an_address);

void admit_in_redis(benchmark::State& state) {
  const char* url = std::getenv("PARLEY_TEST_REDIS");
  if (!url) return state.SkipWithError("PARLEY_TEST_REDIS names no server");
  const net::SystemClock clock;
  kv::RedisStore shared({.address = kv::parse_redis_url(url).value(), .prefix = fmt::format("bench{}", ::getpid())});
  Admission admission(out_of_reach(), clock, {1, 2}, &shared);
  (void)wait(admit_all(&state, &admission));
}
BENCHMARK(admit_in_redis)->Arg(1)->Arg(10'000)->UseRealTime();

asio::awaitable<void> one_of_many(Admission* admission, const Authenticated* caller, std::int64_t times) {
  for (std::int64_t i = 0; i < times; ++i) {
    auto from = admission->admit_address(boost::asio::ip::address_v4(1));
    (void)co_await admission->admit(*from, *caller, Work::chat);
  }
}

/// A hundred requests at once: what waits together travels together.
void admit_a_hundred_at_once_in_redis(benchmark::State& state) {
  const char* url = std::getenv("PARLEY_TEST_REDIS");
  if (!url) return state.SkipWithError("PARLEY_TEST_REDIS names no server");
  const net::SystemClock clock;
  kv::RedisStore shared({.address = kv::parse_redis_url(url).value(), .prefix = fmt::format("bench{}", ::getpid())});
  Admission admission(out_of_reach(), clock, {1, 2}, &shared);
  const auto callers = visitors(100);
  for (auto _ : state) {
    asio::io_context io;
    for (const auto& caller : callers) asio::co_spawn(io, one_of_many(&admission, &caller, 10), asio::detached);
    io.run();
  }
  state.SetItemsProcessed(state.iterations() * 1'000);
}
BENCHMARK(admit_a_hundred_at_once_in_redis)->UseRealTime()->Unit(benchmark::kMillisecond);

Async<> come_and_go(benchmark::State* state, Slots* slots) {
  const auto tenant = crypto::random_id<TenantId>();
  for (auto _ : *state) {
    const auto slot = co_await slots->enter(tenant);
    benchmark::DoNotOptimize(slot);
  }
  co_return Result<void>();
}

void a_free_slot(benchmark::State& state) {
  Slots slots{SlotLimits()};
  (void)wait(come_and_go(&state, &slots));
}
BENCHMARK(a_free_slot);

void client_behind_two_proxies(benchmark::State& state) {
  const Proxies proxies{
      .trusted = {*net::parse_network_range("10.0.0.0/8"), *net::parse_network_range("192.168.0.0/16")},
      .header = ForwardedHeader::x_forwarded_for};
  const std::array<std::string_view, 1> lines{"198.51.100.7, 203.0.113.9, 10.1.2.3"};
  const auto peer = boost::asio::ip::make_address("10.0.0.1");
  for (auto _ : state) benchmark::DoNotOptimize(client_of(peer, lines, proxies));
}
BENCHMARK(client_behind_two_proxies);

}  // namespace
}  // namespace parley::admission
