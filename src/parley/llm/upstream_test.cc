#include "parley/llm/upstream.h"

#include <future>
#include <map>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "parley/llm/anthropic.h"
#include "parley/llm/builtin.h"
#include "parley/llm/chain.h"
#include "parley/llm/openai.h"
#include "testing/fake_server.h"
#include "testing/scripted_model.h"
#include "testing/wait.h"

namespace parley::llm {
namespace {

using namespace std::chrono_literals;
using testing::CountingPurse;
using testing::FakeServer;
using testing::HearingListener;

// What no error, no text and no name may ever hold: a provider's own words.
constexpr std::string_view canary = "canary-words-of-the-provider";

class KnownSecrets final : public secrets::Secrets {
 public:
  Async<Secret> read(secrets::Reference reference) override {
    ++reads;
    if (values.empty()) co_return fail(Code::not_found, "there is no such secret", reference.to_string());
    co_return Secret(values[std::min(expired, values.size() - 1)]);
  }
  void expire(const secrets::Reference&) override { ++expired; }
  std::vector<std::string> values{"first-key"};
  std::size_t expired = 0;
  int reads = 0;
};

class ExtractOfDocuments final : public Extractor {
 public:
  Async<Extract> extract() override { co_return Extract{.answered = true, .text = "From the documents."}; }
};

std::string delta(std::string_view text) {
  return fmt::format("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", text);
}
const std::string stop_chunk = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const std::string usage_chunk = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":4}}\n\n";
const std::string done_chunk = "data: [DONE]\n\n";
std::string whole_answer() {
  return FakeServer::stream({delta("Hel"), delta("lo"), stop_chunk, usage_chunk, done_chunk});
}

class Upstreams : public ::testing::Test {
 protected:
  std::shared_ptr<UpstreamModel> model_at(const FakeServer& server, http::ClientTimeouts timeouts = {}) {
    std::vector<std::string> allow;
    for (const auto& place : places_) allow.push_back(place);
    allow.push_back(server.place());
    places_ = allow;
    clients_.push_back(http::Client::make(workers_, {.policy = net::EgressPolicy::parse(allow).value()}).value());
    return std::make_shared<UpstreamModel>(
        UpstreamOptions{.card = {.name = "main",
                                 .context_tokens = 2'000,
                                 .output_tokens_max = 100,
                                 .prices = {.input = 1'000'000, .cached_input = 1'000'000, .output = 2'000'000}},
                        .base = net::parse_http_url(server.url("/v1")).value(),
                        .key = secrets::parse_reference("env:SOME_KEY").value(),
                        .timeouts = timeouts},
        std::make_unique<OpenAiProtocol>(OpenAiProtocol::Options{.model = "m"}), *clients_.back(), secrets_);
  }
  Chain chain_of(std::shared_ptr<Model> model, bool with_builtin = false) {
    std::vector<Link> links{{std::move(model), std::make_shared<Breaker>(clock_)}};
    if (with_builtin) links.push_back({std::make_shared<BuiltinModel>(), std::make_shared<Breaker>(clock_)});
    return Chain(std::move(links), crypto::system_random(), {.attempts_max = 2, .wait_min = 1ms, .wait_max = 2ms});
  }
  Async<Completion> ask_async(const Chain& chain) {
    Request request{.messages = {{.role = Role::user, .text = "How do I begin?"}},
                    .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                    .extractor = &extractor_};
    auto paid = PARLEY_CO_TRY(co_await chain.reserve(std::move(request), purse_));
    co_return co_await chain.run(std::move(paid), listener_);
  }
  Async<Completion> ask_twice(const Chain& chain) {
    PARLEY_CO_TRY(co_await ask_async(chain));
    co_return co_await ask_async(chain);
  }
  Result<Completion> ask(const Chain& chain) { return wait(ask_async(chain)); }

  net::Workers workers_{1};
  std::vector<std::string> places_;
  std::vector<std::unique_ptr<http::Client>> clients_;
  KnownSecrets secrets_;
  ManualClock clock_;
  ExtractOfDocuments extractor_;
  CountingPurse purse_;
  HearingListener listener_;
};

TEST_F(Upstreams, an_answer_arrives_however_its_bytes_are_cut) {
  const auto bytes = whole_answer();
  for (const std::size_t piece : {1, 2, 3, 7, 50, 10'000}) {
    FakeServer server([&](auto& talk) { talk.send_in_pieces(bytes, piece); });
    listener_ = {};
    const auto done = ask(chain_of(model_at(server)));
    ASSERT_TRUE(done) << describe_for_operator(done.error());
    EXPECT_EQ(listener_.heard, "Hello");
    EXPECT_EQ(listener_.pieces, 2);
    EXPECT_EQ(done->cost, 28);
    EXPECT_EQ(purse_.settled.back(), 28);
    const auto request = server.requests().at(0);
    EXPECT_TRUE(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n")) << request;
    EXPECT_NE(request.find("\r\nAuthorization: Bearer first-key\r\n"), std::string::npos);
    EXPECT_NE(request.find("\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"),
              std::string::npos);
  }
}

TEST_F(Upstreams, the_connection_is_used_again_though_the_end_comes_in_its_own_packet) {
  const auto bytes = whole_answer();
  FakeServer server([&](auto& talk) { talk.send_in_pieces(bytes, bytes.size() - 5); });
  const auto chain = chain_of(model_at(server));
  ASSERT_TRUE(wait(ask_twice(chain)));
  EXPECT_EQ(server.calls(), 2);
  EXPECT_LE(server.connections(), 2) << "one, unless the second call came before the end of the first";
}

TEST_F(Upstreams, whatever_a_provider_does_the_caller_gets_a_kind_and_never_its_words) {
  struct Case {
    Failure failure;
    FakeServer::Answer answer;
    int calls = 1;
  };
  const auto words = std::string(canary);
  const auto error_body = fmt::format("{{\"error\":{{\"message\":\"{}\"}}}}", words);
  const std::vector<Case> cases{
      {Failure::key_refused, [&](auto& talk) { talk.send(FakeServer::reply(401, "", error_body)); }},
      {Failure::rate_limited,
       [&](auto& talk) { talk.send(FakeServer::reply(429, "Retry-After: 60\r\n", error_body)); }},
      {Failure::rate_limited, [&](auto& talk) { talk.send(FakeServer::reply(429, "Retry-After: 0\r\n", error_body)); },
       2},
      {Failure::provider_broken, [&](auto& talk) { talk.send(FakeServer::reply(500, "", error_body)); }, 2},
      {Failure::overloaded, [&](auto& talk) { talk.send(FakeServer::reply(529, "", error_body)); }, 2},
      {Failure::request_refused, [&](auto& talk) { talk.send(FakeServer::reply(400, "", error_body)); }},
      {Failure::request_refused,
       [&](auto& talk) { talk.send(FakeServer::reply(307, "Location: http://127.0.0.1:1/\r\n", error_body)); }},
      {Failure::bad_answer, [&](auto& talk) { talk.send(FakeServer::ok(words, "text/html")); }},
      {Failure::bad_answer,
       [&](auto& talk) {
         talk.send(FakeServer::reply(200, "Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n",
                                     "\x1f\x8b" + words));
       }},
      {Failure::bad_answer, [&](auto& talk) { talk.send(FakeServer::stream({"data: " + words + "\n\n"})); }},
      {Failure::bad_answer,
       [&](auto& talk) {
         talk.send(FakeServer::stream_head());
         while (talk.send(FakeServer::chunk(words))) continue;
       }},
      {Failure::unreachable,
       [&](auto& talk) {
         talk.send(words + "\r\n\r\n");
         talk.close();
       }},
      {Failure::interrupted,
       [&](auto& talk) {
         talk.send(FakeServer::stream_head() + FakeServer::chunk("data: {"));
         talk.close();
       }},
      {Failure::interrupted, [&](auto& talk) { talk.send(FakeServer::stream({"data: " + error_body + "\n\n"})); }},
      {Failure::timed_out, [&](auto& talk) { talk.wait_until_gone(); }},
      {Failure::timed_out,
       [&](auto& talk) {
         talk.send(FakeServer::stream_head());
         talk.wait_until_gone();
       }},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    FakeServer server(cases[i].answer);
    listener_ = {};
    const auto done = ask(chain_of(model_at(server, {.first_byte = 200ms, .between = 200ms}), true));
    ASSERT_TRUE(done) << i << ": " << describe_for_operator(done.error());
    EXPECT_EQ(done->model, "builtin") << i;
    EXPECT_EQ(listener_.heard, "From the documents.") << i;
    ASSERT_FALSE(done->setbacks.empty()) << i;
    EXPECT_EQ(done->setbacks.back().failure, cases[i].failure)
        << i << ": " << name(done->setbacks.back().failure).view();
    EXPECT_EQ(server.calls(), cases[i].calls) << i;
    EXPECT_LE(purse_.settled.back(), purse_.reserved.back()) << i;
    // The same without a way out: the error is a kind.
    const auto failed = ask(chain_of(model_at(server, {.first_byte = 200ms, .between = 200ms})));
    ASSERT_FALSE(failed) << i;
    EXPECT_EQ(describe_for_operator(failed.error()).find(canary), std::string::npos) << i;
  }
}

TEST_F(Upstreams, an_answer_that_breaks_in_the_middle_is_an_error_and_nobody_elses_answer) {
  for (const bool silent : {false, true}) {
    FakeServer server([&](auto& talk) {
      talk.send(FakeServer::stream_head() + FakeServer::chunk(delta("Hel")));
      if (silent) talk.wait_until_gone();
      else talk.send(FakeServer::chunk(fmt::format("data: {{\"error\":\"{}\"}}\n\n", canary)));
      talk.close();
    });
    listener_ = {};
    const auto done = ask(chain_of(model_at(server, {.between = 200ms}), true));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), silent ? Code::timeout : Code::unavailable);
    EXPECT_EQ(describe_for_operator(done.error()).find(canary), std::string::npos);
    EXPECT_EQ(listener_.heard, "Hel");
    // No count came: 15 letters and the overhead, and one token of answer, guessed.
    EXPECT_EQ(purse_.settled.back(), 14);
  }
}

TEST_F(Upstreams, bytes_that_trickle_do_not_hold_a_call_open) {
  FakeServer server([&](auto& talk) {
    talk.send(FakeServer::stream_head());
    // A line that never ends, a byte at a time and as fast as it goes.
    while (talk.send(FakeServer::chunk("x"))) continue;
  });
  const auto done = ask(chain_of(model_at(server, {.between = 100ms}), true));
  ASSERT_TRUE(done);
  const auto failure = done->setbacks.back().failure;
  EXPECT_TRUE(failure == Failure::timed_out || failure == Failure::bad_answer) << name(failure).view();
}

TEST_F(Upstreams, lines_that_say_nothing_keep_a_call_alive_until_its_total) {
  FakeServer server([&](auto& talk) {
    talk.send(FakeServer::stream_head());
    while (talk.send(FakeServer::chunk(": thinking\n\n"))) continue;
  });
  const auto done = ask(chain_of(model_at(server, {.between = 100ms, .total = 400ms}), true));
  ASSERT_TRUE(done);
  EXPECT_EQ(done->setbacks.back().failure, Failure::timed_out);
}

TEST_F(Upstreams, a_key_that_was_rotated_is_read_anew) {
  secrets_.values = {"old-key", "new-key"};
  FakeServer server([&](auto& talk) {
    if (talk.header("authorization") == "Bearer new-key") talk.send(whole_answer());
    else talk.send(FakeServer::reply(401, "", ""));
  });
  const auto done = ask(chain_of(model_at(server)));
  ASSERT_TRUE(done) << describe_for_operator(done.error());
  EXPECT_EQ(server.calls(), 2);
  EXPECT_TRUE(done->setbacks.empty());
}

TEST_F(Upstreams, without_a_key_nobody_is_asked) {
  secrets_.values.clear();
  FakeServer server([&](auto& talk) { talk.send(whole_answer()); });
  const auto done = ask(chain_of(model_at(server), true));
  ASSERT_TRUE(done);
  EXPECT_EQ(done->setbacks.back().failure, Failure::key_missing);
  EXPECT_EQ(server.calls(), 0);
}

TEST_F(Upstreams, an_address_that_is_not_listed_is_not_asked) {
  FakeServer server([&](auto& talk) { talk.send(whole_answer()); });
  FakeServer other([&](auto& talk) { talk.send(whole_answer()); });
  clients_.push_back(
      http::Client::make(workers_, {.policy = net::EgressPolicy::parse(std::vector{other.place()}).value()}).value());
  const auto model = std::make_shared<UpstreamModel>(
      UpstreamOptions{.card = {.name = "main", .context_tokens = 2'000, .output_tokens_max = 100},
                      .base = net::parse_http_url(server.url("/v1")).value()},
      std::make_unique<OpenAiProtocol>(OpenAiProtocol::Options{.model = "m"}), *clients_.back(), secrets_);
  EXPECT_EQ(ask(chain_of(model, true))->setbacks.back().failure, Failure::address_refused);
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(Upstreams, a_question_that_does_not_fit_costs_nothing) {
  FakeServer server([&](auto& talk) { talk.send(whole_answer()); });
  const auto model = model_at(server);
  Meter meter;
  auto request = std::make_shared<Request>();
  request->messages.push_back({.role = Role::user, .text = std::string(8'000, 'x')});
  std::optional<Attempt> attempt;
  asio::io_context io;
  asio::co_spawn(io, model->run(request, &meter, &listener_),
                 [&](std::exception_ptr, Attempt outcome) { attempt = std::move(outcome); });
  io.run();
  ASSERT_TRUE(attempt);
  EXPECT_EQ(attempt->failure, Failure::too_long);
  EXPECT_EQ(meter.payable(), Usage{});
  EXPECT_EQ(server.calls(), 0);
}

TEST_F(Upstreams, when_the_caller_leaves_the_upstream_call_ends_and_is_paid) {
  std::promise<void> begun, left;
  FakeServer server([&](auto& talk) {
    talk.send(FakeServer::stream_head() + FakeServer::chunk(delta("Hel")));
    begun.set_value();
    talk.wait_until_gone();
    left.set_value();
  });
  const auto chain = chain_of(model_at(server), true);
  asio::io_context io;
  asio::cancellation_signal signal;
  bool ended = false;
  asio::co_spawn(io, ask_async(chain),
                 asio::bind_cancellation_slot(signal.slot(),
                                              [&](std::exception_ptr, const Result<Completion>&) { ended = true; }));
  std::thread leaving([&] {
    begun.get_future().wait();
    asio::post(io, [&] { signal.emit(asio::cancellation_type::terminal); });
  });
  io.run();
  leaving.join();
  EXPECT_TRUE(ended);
  left.get_future().wait();
  EXPECT_EQ(purse_.settled.size(), 1U);
  EXPECT_GT(purse_.settled.at(0), 0);
}

TEST_F(Upstreams, a_probe_tells_whether_a_model_could_be_asked) {
  std::map<std::string, int> status{{"reachable", 200}, {"no list", 404}, {"bad key", 401}, {"broken", 500}};
  for (const auto& [what, code] : status) {
    FakeServer server([&, said = code](auto& talk) { talk.send(FakeServer::reply(said, "", canary)); });
    const auto model = model_at(server);
    std::optional<Attempt> attempt;
    asio::io_context io;
    asio::co_spawn(io, model->probe(), [&](std::exception_ptr, Attempt outcome) { attempt = std::move(outcome); });
    io.run();
    ASSERT_TRUE(attempt);
    EXPECT_EQ(attempt->status, code);
    EXPECT_EQ(attempt->failure.has_value(), code != 200 && code != 404) << what;
    EXPECT_TRUE(server.requests().at(0).starts_with("GET /v1/models HTTP/1.1\r\n"));
  }
}

}  // namespace
}  // namespace parley::llm
