// What everything before a handler costs: reading the sender, finding the route, authenticating, admitting, finding the
// project, authorizing, validating, noting the read, making the reply. In processor time of the whole process, since
// that is what does not change with whatever else the machine does.
//
//   chain_figures [--keys 100000] [--tenants 10000] [--benchmark_…]
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <iostream>
#include <map>
#include <random>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "bench/inside.h"
#include "parley/admission/admission.h"
#include "parley/admission/slots.h"
#include "parley/api/actions.h"
#include "parley/api/letters.h"
#include "parley/api/outlet.h"
#include "parley/api/pipeline.h"
#include "parley/api/services.h"
#include "parley/api/web_files.h"
#include "parley/identity/sender.h"
#include "parley/log/log.h"
#include "parley/server/recorder.h"

namespace parley::bench {
namespace {

// Below what a batch of the trail holds: what is measured is noting a read, and writing out has a figure of its own.
constexpr std::size_t requests_per_batch = 900;

class StillClock final : public Clock {
 public:
  Timestamp now() const override { return at; }
  Timestamp at = net::SystemClock().now();
};

/// A request that comes from memory, and an answer that goes nowhere.
class Rehearsal final : public http::Exchange {
 public:
  http::RequestHead request;
  int status = 0;

  const http::RequestHead& head() const override { return request; }
  Async<std::string> read_body(std::size_t) override { co_return std::string(); }
  asio::awaitable<void> send(http::SafeReply reply) override {
    status = reply.status();
    benchmark::DoNotOptimize(reply);
    co_return;
  }
  Async<void> start_stream(http::SafeReply) override { co_return refused(); }
  Async<void> write(http::SafeChunk) override { co_return refused(); }
  Async<void> finish_stream() override { co_return refused(); }
  Async<void> start_upgrade(http::SafeReply) override { co_return refused(); }
  Async<std::string> read_upgraded(std::size_t) override { co_return refused(); }
  void when_client_leaves(std::function<void()>) override {}

 private:
  static std::unexpected<Error> refused() { return fail(Code::unsupported, "not rehearsed"); }
};

class AlwaysReady final : public api::Health {
 public:
  bool ready() const override { return true; }
};

class NoLetters final : public api::Letters {
 public:
  bool reaches_people() const override { return false; }
  void send_reset(identity::Letter) override {}
  void send_confirmation(identity::Letter) override {}
  void send_invitation(identity::Letter, std::string) override {}
  void send_notice(std::string, Literal) override {}
  std::string invitation_link(const Secret&) const override { return {}; }
};

/// The action of `GET /api/v1/projects/{slug}/`, without what it reads from the tenant's tables.
struct HandleNothing {
  using Permission = api::ReadProject;
  using Input = api::NoInput;
  static Async<api::Reply> handle(api::Services&, api::Context, Authorized<Permission> permit, Validated<Input>) {
    co_return api::Reply::json(200, boost::json::object{{"slug", permit.project().slug}});
  }
};

/// Counted as ever, and never full.
admission::Limits wide_limits() {
  admission::Limits limits;
  for (std::size_t i = 0; i < admission::limits_count; ++i) limits[i] = {1'000'000'000, std::chrono::minutes(1)};
  return limits;
}

/// An installation with these many tenants and keys, wired as the server wires it but for the clock.
class World {
 public:
  struct Place {
    std::string slug, authorization;
    TenantId tenant;
  };

  World(server::Installation& at, const Clock& clock)
      : at_(at),
        clock_(clock),
        admission_(wide_limits(), clock, admission::HashKey{}),
        slots_(at.config().slots),
        keys_(at.store->control(), clock),
        projects_(*at.tenants, clock),
        tokens_(at.folder().keyring().derive("visitor tokens"), clock, at.random),
        authenticator_(keys_, tokens_, *at.issuers, *at.sessions, *at.members),
        web_(api::embedded_pages()) {
    renew();
  }

  /// Starts a new batch of reads for the trail, empty.
  void renew() {
    services_.reset();
    recorder_.reset();
    batch_ = std::make_unique<trail::TrailBatch>(*at_.store, *at_.trail, clock_);
    recorder_ = std::make_unique<server::TrailRecorder>(*at_.store, *at_.trail, *batch_, *at_.refusals);
    services_.emplace(api::Services{.clock = clock_,
                                    .random = at_.random,
                                    .outlet = outlet_,
                                    .admission = admission_,
                                    .slots = slots_,
                                    .authenticator = authenticator_,
                                    .own_address = own_address_,
                                    .projects = projects_,
                                    .door = *at_.door,
                                    .keys = keys_,
                                    .visitor_tokens = tokens_,
                                    .issuers = *at_.issuers,
                                    .set_up = *at_.set_up,
                                    .people = {.tenants = *at_.tenants,
                                               .accounts = *at_.accounts,
                                               .links = *at_.account_links,
                                               .sessions = *at_.sessions,
                                               .factors = *at_.second_factors,
                                               .passkeys = *at_.passkeys,
                                               .providers = *at_.providers,
                                               .members = *at_.members,
                                               .invitations = *at_.invitations,
                                               .letters = letters_},
                                    .trail = *recorder_,
                                    .library = *at_.library,
                                    .turns = *at_.turns,
                                    .web = web_,
                                    .health = health_});
  }

  api::Services& services() { return *services_; }
  trail::TrailBatch& batch() { return *batch_; }

  static void aim(Rehearsal& exchange, const Place& place) {
    exchange.request.method = http::Method::get;
    exchange.request.path = "/api/v1/projects/" + place.slug + "/";
    exchange.request.peer = boost::asio::ip::make_address("192.0.2.7");
    exchange.request.headers = {
        {"Host", "localhost:8080"}, {"User-Agent", "bench"}, {"Accept", "*/*"}, {"Authorization", place.authorization}};
  }

  /// What api/pipeline.cc does for this route, step by step, with an action that reads nothing.
  asio::awaitable<void> chain(Rehearsal& exchange) {
    api::Services& s = *services_;
    const http::RequestHead& head = exchange.head();
    api::Context context;
    context.request = crypto::random_id<RequestId>(s.random);
    context.head = &head;
    context.sender = identity::read_sender(
        {.origin = head.header("Origin"), .fetch_site = head.header("Sec-Fetch-Site"), .host = head.header("Host")},
        s.own_address);
    auto from = s.admission.admit_address(head.peer, head.headers);
    context.from = &*from;
    auto match = api::find_route(head.method, head.path);
    context.parameter = match.parameter;
    const identity::Credentials credentials{.authorization = head.header("Authorization"),
                                            .session = {},
                                            .use = {},
                                            .sender = context.sender,
                                            .client = from->client()};
    auto caller = co_await s.authenticator.authenticate(credentials);
    auto admitted = co_await s.admission.admit(*from, *caller, admission::work_of(match.route->action->cost));
    const bool worth = identity::Gate::worth_reading(*match.route->action, caller->who(), context.sender);
    auto project = co_await s.projects.find(std::string(context.parameter), identity::Reach::of(caller->who()));
    api::Settled settled;
    const Principal who = admitted->who();
    auto reply = co_await api::detail::perform<HandleNothing>(s, context, *std::move(admitted), *std::move(project), {},
                                                              &settled);
    auto noted =
        co_await s.trail.note(context.request, who, match.route->action->name, settled.rule, trail::Decision::allowed);
    if (!worth || !noted) give_up("the read was not noted");
    co_await exchange.send(s.outlet.reply(*std::move(reply), {.request = context.request, .site = {}}));
  }

 private:
  server::Installation& at_;
  const Clock& clock_;
  api::Outlet outlet_{api::Outlet::Transport::plain};
  identity::OwnAddress own_address_;
  admission::Admission admission_;
  admission::Slots slots_;
  identity::KeyStore keys_;
  identity::ProjectDirectory projects_;
  identity::VisitorTokens tokens_;
  identity::Authenticator authenticator_;
  api::WebFiles web_;
  AlwaysReady health_;
  NoLetters letters_;
  std::unique_ptr<trail::TrailBatch> batch_;
  std::unique_ptr<server::TrailRecorder> recorder_;
  std::optional<api::Services> services_;
};

/// Runs coroutines on this thread, to their end.
void run(asio::awaitable<void> work) {
  asio::io_context io;
  asio::co_spawn(io, std::move(work), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
  io.run();
}

struct Setting {
  std::unique_ptr<server::Installation> at;
  StillClock still;
  net::SystemClock moving;
  World::Place real;                 ///< a project with a tenant of its own, whose tables are there
  std::vector<World::Place> places;  ///< one key of each of many tenants
};
Setting* setting = nullptr;

enum class How : std::uint8_t { whole, chain };

asio::awaitable<void> requests(World& world, const std::vector<World::Place>& places, std::size_t first,
                               std::size_t count, How how) {
  Rehearsal exchange;
  for (std::size_t i = 0; i < count; ++i) {
    World::aim(exchange, places[(first + i) % places.size()]);
    if (how == How::whole) co_await api::serve(world.services(), exchange);
    else co_await world.chain(exchange);
    if (exchange.status != 200) give_up(fmt::format("a request was answered with {}", exchange.status));
  }
}

void measure(benchmark::State& state, const std::vector<World::Place>& places, const Clock& clock, How how) {
  World world(*setting->at, clock);
  std::size_t first = 0;
  // Every key and slug once, so that all are remembered.
  run(requests(world, places, 0, places.size(), how));
  for (auto _ : state) {
    state.PauseTiming();
    world.renew();
    // Opens the batch of each tenant that is to come, which stays open while it is used.
    run(requests(world, places, first, std::min(places.size(), requests_per_batch), how));
    state.ResumeTiming();
    run(requests(world, places, first, requests_per_batch, how));
    first += requests_per_batch;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * requests_per_batch));
}

void step(benchmark::State& state, const auto& once) {
  World world(*setting->at, setting->still);
  Rehearsal exchange;
  World::aim(exchange, setting->real);
  for (auto _ : state) once(world, exchange);
}

/// A step that is awaited.
void awaited_step(benchmark::State& state, auto once) {
  World world(*setting->at, setting->still);
  Rehearsal exchange;
  World::aim(exchange, setting->real);
  run(once(world, exchange));
  const auto many = [](World& w, Rehearsal& e, auto one) -> asio::awaitable<void> {
    for (std::size_t i = 0; i < requests_per_batch; ++i) co_await one(w, e);
  };
  for (auto _ : state) {
    state.PauseTiming();
    world.renew();
    run(once(world, exchange));
    state.ResumeTiming();
    run(many(world, exchange, once));
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * requests_per_batch));
}

asio::awaitable<void> step_authenticate(World& world, Rehearsal& exchange) {
  const identity::Credentials credentials{.authorization = exchange.head().header("Authorization"),
                                          .session = {},
                                          .use = {},
                                          .sender = {.kind = Sender::Kind::program, .origin = {}},
                                          .client = exchange.head().peer};
  auto caller = co_await world.services().authenticator.authenticate(credentials);
  benchmark::DoNotOptimize(caller);
}
asio::awaitable<void> step_admit(World& world, Rehearsal& exchange) {
  const identity::Credentials credentials{.authorization = exchange.head().header("Authorization"),
                                          .session = {},
                                          .use = {},
                                          .sender = {.kind = Sender::Kind::program, .origin = {}},
                                          .client = exchange.head().peer};
  static auto caller = co_await world.services().authenticator.authenticate(credentials);
  static auto from = world.services().admission.admit_address(exchange.head().peer);
  auto admitted = co_await world.services().admission.admit(*from, *caller, admission::Work::read);
  benchmark::DoNotOptimize(admitted);
}
asio::awaitable<void> step_find_project(World& world, Rehearsal&) {
  auto found = co_await world.services().projects.find(setting->real.slug, {.tenant = setting->real.tenant});
  benchmark::DoNotOptimize(found);
}
asio::awaitable<void> step_note(World& world, Rehearsal&) {
  static const TenantId tenant = crypto::random_id<TenantId>(crypto::system_random());
  auto noted = co_await world.services().trail.note(
      RequestId(), {.kind = PrincipalKind::secret_key, .tenant = tenant, .project = ProjectId()}, "project.read",
      "scope_held", trail::Decision::allowed);
  benchmark::DoNotOptimize(noted);
}

void make_steps() {
  const auto add = [](const char* name, auto once) {
    benchmark::RegisterBenchmark(fmt::format("step/{}", name).c_str(), [once](benchmark::State& state) {
      step(state, once);
    })->MeasureProcessCPUTime();
  };
  add("request id", [](World& world, Rehearsal&) {
    benchmark::DoNotOptimize(crypto::random_id<RequestId>(world.services().random));
  });
  add("read sender", [](World& world, Rehearsal& exchange) {
    const auto& head = exchange.head();
    benchmark::DoNotOptimize(identity::read_sender(
        {.origin = head.header("Origin"), .fetch_site = head.header("Sec-Fetch-Site"), .host = head.header("Host")},
        world.services().own_address));
  });
  add("admit address", [](World& world, Rehearsal& exchange) {
    benchmark::DoNotOptimize(world.services().admission.admit_address(exchange.head().peer, exchange.head().headers));
  });
  add("find route", [](World&, Rehearsal& exchange) {
    benchmark::DoNotOptimize(api::find_route(exchange.head().method, exchange.head().path));
  });
  add("reply", [](World& world, Rehearsal&) {
    benchmark::DoNotOptimize(world.services().outlet.reply(
        api::Reply::json(200, boost::json::object{{"slug", setting->real.slug}}), {.request = {}, .site = {}}));
  });
  add("log line", [](World&, Rehearsal&) {
    log::write(log::Level::info, "request",
               {{"request_id", RequestId()},
                {"method", Literal("GET")},
                {"route", Literal("/api/v1/projects/{slug}/")},
                {"status", std::int64_t{200}},
                {"duration_us", std::int64_t{17}},
                {"caller", Literal("secret_key")},
                {"user_id", KeyId()},
                {"tenant", TenantId()},
                {"rule", Literal("scope_held")}});
  });
  const auto add_awaited = [](const char* name, auto once) {
    benchmark::RegisterBenchmark(fmt::format("step/{}", name).c_str(), [once](benchmark::State& state) {
      awaited_step(state, once);
    })->MeasureProcessCPUTime();
  };
  add_awaited("authenticate a remembered key", step_authenticate);
  add_awaited("admit the caller", step_admit);
  add_awaited("find a remembered project", step_find_project);
  add_awaited("note the read", step_note);
}

/// Writing the noted reads out, which happens once a second beside the requests.
void write_out(benchmark::State& state) {
  World world(*setting->at, setting->still);
  const std::vector<World::Place> one{setting->real};
  for (auto _ : state) {
    state.PauseTiming();
    world.renew();
    run(requests(world, one, 0, requests_per_batch, How::chain));
    state.ResumeTiming();
    must(setting->at->wait(world.batch().flush()), "flush");
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * requests_per_batch));
}

/// Microseconds of processor time for one request, by the name of the run.
class Collector final : public benchmark::ConsoleReporter {
 public:
  Collector() : ConsoleReporter(OO_None) { SetOutputStream(&std::cerr); }
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const auto& run : runs) {
      const auto name = run.benchmark_name().substr(0, run.benchmark_name().find("/process_time"));
      const auto items = run.counters.find("items_per_second");
      micros[name] = items != run.counters.end() ? 1e6 / items->second.value : run.GetAdjustedCPUTime() / 1e3;
    }
  }
  std::map<std::string, double> micros;
};

void fill(Setting& world, std::size_t tenants, std::size_t keys) {
  auto& at = *world.at;
  const auto make = [&](std::size_t n) {
    const auto name = fmt::format("tenant-{}", n);
    const auto tenant = must(at.wait(at.tenants->create(name)), "create a tenant").id;
    const auto project = must(at.wait(at.tenants->create_project(tenant, {.name = name, .slug = name})), "a project");
    World::Place place{.slug = name, .authorization = {}, .tenant = tenant};
    const auto own = keys / tenants + (n < keys % tenants ? 1 : 0);
    for (std::size_t k = 0; k < own; ++k) {
      const auto key = must(at.wait(at.keys->create({.tenant = tenant,
                                                     .project = project.id,
                                                     .kind = identity::KeyKind::secret,
                                                     .name = "bench",
                                                     .scopes = ScopeSet{Scope::project_read},
                                                     .origins = {},
                                                     .lifetime = std::chrono::hours(24)})),
                            "a key");
      place.authorization = "Bearer " + std::string(key.text.reveal());
    }
    world.places[n] = std::move(place);
  };
  world.places.resize(tenants);
  in_parallel(tenants, 16, make);
  world.real = world.places[0];
}

}  // namespace
}  // namespace parley::bench

int main(int argc, char** argv) {
  using namespace parley;
  using namespace parley::bench;
  const auto tenants = static_cast<std::size_t>(std::max(1L, option(argc, argv, "tenants", 10'000)));
  const auto keys = std::max(tenants, static_cast<std::size_t>(option(argc, argv, "keys", 100'000)));
  benchmark::Initialize(&argc, argv);

  const Scratch scratch;
  Setting world;
  world.at = open_installation(scratch / "data");
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  log::set_sink_descriptor(nowhere);
  log::set_level(log::Level::info);
  setting = &world;
  const auto begin = Time::now();
  fill(world, tenants, keys);
  remark(fmt::format("{} keys of {} tenants made in {:.0f} s", keys, tenants, milliseconds_since(begin) / 1000));

  const std::vector<World::Place> one{world.real};
  const auto add = [](const char* name, const std::vector<World::Place>& places, const Clock& clock, How how) {
    benchmark::RegisterBenchmark(name, [&places, &clock, how](benchmark::State& state) {
      measure(state, places, clock, how);
    })->MeasureProcessCPUTime();
  };
  make_steps();
  add("chain, one key", one, world.still, How::chain);
  add("whole, one key", one, world.still, How::whole);
  add("chain, a key of each tenant", world.places, world.still, How::chain);
  add("chain, a key of each tenant, time passing", world.places, world.moving, How::chain);
  benchmark::RegisterBenchmark("trail, writing a noted read out", write_out)->MeasureProcessCPUTime();

  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  auto& micros = collector.micros;
  if (micros.contains("chain, one key"))
    report("everything before the handler, remembered key, µs of processor", micros["chain, one key"], Goal::at_most,
           15,
           fmt::format("{} keys of {} tenants stored; with the log line {:.2f}", keys, tenants,
                       micros["chain, one key"] + micros["step/log line"]));
  if (micros.contains("whole, one key"))
    report("the whole request but the socket, µs of processor", micros["whole, one key"],
           "api::serve with GET project: the handler's read, all threads");
  if (micros.contains("chain, a key of each tenant") && micros.contains("chain, one key"))
    report("the same with a key of each of many tenants in turn, times one key's",
           micros["chain, a key of each tenant"] / micros["chain, one key"], Goal::at_most, 1.3,
           fmt::format("{:.2f} µs; {:.2f} with time passing, so that each key and project is read again each second",
                       micros["chain, a key of each tenant"], micros["chain, a key of each tenant, time passing"]));
  if (micros.contains("trail, writing a noted read out"))
    report("writing a noted read to the trail, µs of processor", micros["trail, writing a noted read out"],
           "beside the requests, 900 in one transaction");
  world.at.reset();
  ::close(nowhere);
  return 0;
}
