#include <atomic>
#include <future>

#include <gtest/gtest.h>
#include <poll.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "parley/http/server.h"
#include "parley/http/server_fixture.h"

namespace parley::http {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr std::string_view get = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

bool has(const std::string& text, std::string_view part) { return text.contains(part); }

asio::awaitable<void> hello(Exchange& exchange) {
  auto reply = Outlet::reply(200, "hello", {{"Content-Type", "text/plain"}});
  co_await exchange.send(std::move(reply));
}

/// Waits for as long as nobody cancels it.
asio::awaitable<void> wait_for_ever() {
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
  co_await timer.async_wait(asio::use_awaitable);
}

TEST(HttpServer, AnswersAndKeepsTheConnection) {
  const auto server = start_server(hello);
  RawClient client(server->port());
  for (int i = 0; i < 3; ++i) {
    const auto reply = client.say(get).hear_reply();
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << reply;
    EXPECT_TRUE(has(reply, " GMT\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")) << reply;
    EXPECT_FALSE(has(reply, "Connection:"));
  }
}

TEST(HttpServer, TellsTheHandlerWhoAsks) {
  const auto server = start_server(echo);
  RawClient client(server->port());
  const auto reply = client.say("POST /a%20b?c=d HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody").hear_reply();
  EXPECT_TRUE(reply.ends_with("POST /a%20b?c=d body")) << reply;
  EXPECT_TRUE(has(reply, "X-Peer: 127.0.0.1\r\n")) << reply;
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  const auto server = start_server(echo);
  RawClient client(server->port());
  std::string all;
  for (int i = 0; i < 200; ++i) {
    all += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok";
  }
  client.say(all);
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(client.hear_reply().ends_with("\r\n\r\nPOST /" + std::to_string(i) + " ok")) << i;
  }
}

TEST(HttpServer, TakesARequestTornIntoBytes) {
  const auto server = start_server(echo);
  RawClient client(server->port());
  for (const char c :
       "POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"s) {
    client.say({&c, 1});
  }
  EXPECT_TRUE(client.hear_reply().ends_with("POST /t abcde"));
  EXPECT_TRUE(client.say(get).hear_reply().ends_with("GET /x "));
}

TEST(HttpServer, HeadHasTheLengthButNoBody) {
  const auto server = start_server(hello);
  RawClient client(server->port());
  client.say("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").say(get);
  const auto head = client.hear_until("\r\n\r\n");
  EXPECT_TRUE(has(head, "Content-Length: 5\r\n"));
  EXPECT_TRUE(client.hear_reply().starts_with("HTTP/1.1 200 OK")) << "the next reply follows at once";
}

TEST(HttpServer, NoContentHasNeitherLengthNorBody) {
  const auto server = start_server([](Exchange& exchange) -> asio::awaitable<void> {
    auto reply = Outlet::reply(204, "not sent");
    co_await exchange.send(std::move(reply));
  });
  RawClient client(server->port());
  const auto first = client.say(get).hear_until("\r\n\r\n");
  EXPECT_FALSE(has(first, "Content-Length")) << first;
  EXPECT_TRUE(client.say(get).hear_until("\r\n\r\n").starts_with("HTTP/1.1 204 No Content\r\n"));
}

TEST(HttpServer, SpeaksHttp10) {
  const auto server = start_server(hello);
  RawClient closing(server->port());
  EXPECT_TRUE(has(closing.say("GET / HTTP/1.0\r\n\r\n").hear_to_the_end(), "Connection: close\r\n"));
  RawClient keeping(server->port());
  for (int i = 0; i < 2; ++i) {
    const auto reply = keeping.say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").hear_reply();
    EXPECT_TRUE(has(reply, "Connection: keep-alive\r\n")) << reply;
  }
}

TEST(HttpServer, ClosesWhenAsked) {
  const auto server = start_server(hello);
  RawClient client(server->port());
  const auto reply = client.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").say(get).hear_to_the_end();
  EXPECT_TRUE(has(reply, "Connection: close\r\n"));
  EXPECT_TRUE(reply.ends_with("hello"));
  EXPECT_EQ(reply.find("HTTP/1.1", 1), std::string::npos) << "nothing after the close is answered";
}

TEST(HttpServer, SaysContinueOnlyToABodyItWants) {
  const auto server = start_server(echo);
  RawClient client(server->port());
  client.say("POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.hear_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(client.say("ok").hear_reply().ends_with("POST /c ok"));

  client.say("POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\nExpect: 100-continue\r\n\r\n");
  const auto refused = client.hear_to_the_end();
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 413 ")) << refused;
  EXPECT_TRUE(has(refused, "Connection: close\r\n"));
}

TEST(HttpServer, RefusesALongBodyBeforeReadingIt) {
  const auto server = start_server(echo);
  RawClient client(server->port());
  const auto reply = client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n").hear_reply();
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 413 ")) << reply;
}

TEST(HttpServer, CountsAChunkedBody) {
  const auto server = start_server(echo);
  RawClient client(server->port());
  client.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  const auto chunk = "8000\r\n" + std::string(0x8000, 'x') + "\r\n";
  for (int i = 0; i < 4; ++i) client.say(chunk);
  const auto reply = client.hear_to_the_end();
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 413 ")) << reply.substr(0, 100);
}

TEST(HttpServer, MovesLargeBodiesWhole) {
  const auto server = start_server([](Exchange& exchange) -> asio::awaitable<void> {
    auto body = co_await exchange.read_body(64 * 1024 * 1024);
    auto reply = Outlet::reply(200, body ? std::move(*body) : "failed");
    co_await exchange.send(std::move(reply));
  });
  std::string large(20 * 1024 * 1024, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 >> 3);
  RawClient client(server->port());
  client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(large.size()) + "\r\n\r\n").say(large);
  client.hear_until("\r\n\r\n");
  EXPECT_TRUE(client.hear(large.size()) == large);
}

TEST(HttpServer, BrokenChunkingIsAnErrorToTheHandlerAndEndsTheConnection) {
  const auto server = start_server(echo);
  RawClient client(server->port());
  client.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n").say(get);
  const auto reply = client.hear_to_the_end();
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 400 ")) << reply;
  EXPECT_TRUE(reply.ends_with("malformed chunked body")) << reply;
}

TEST(HttpServer, AnUnreadBodyIsNotTakenForARequest) {
  const auto server = start_server(hello);
  RawClient client(server->port());
  // In one piece, in two, and chunked: dropped, and the connection stays.
  client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\n").say(get);
  EXPECT_TRUE(client.hear_reply().ends_with("hello"));
  EXPECT_TRUE(client.say("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").hear_until("\r\n\r\n").starts_with("HTTP/1.1 200"));
  client.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
  EXPECT_TRUE(client.hear_reply().ends_with("hello"));
  // Too long to be worth reading: closed, but the answer arrives although we still send.
  RawClient large(server->port());
  large.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + std::string(200'000, 'x'));
  const auto reply = large.hear_to_the_end();
  EXPECT_TRUE(reply.ends_with("hello")) << reply;
  EXPECT_TRUE(has(reply, "Connection: close\r\n"));
}

TEST(HttpServer, NoiseEndsItsOwnConnectionAlone) {
  const auto server = start_server(hello);
  RawClient healthy(server->port());
  EXPECT_TRUE(healthy.say(get).hear_reply().ends_with("hello"));
  const std::pair<std::string, std::string> cases[] = {
      {"\x16\x03\x01\x02\x00\x01", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"GET /" + std::string(9000, 'a'), "414"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(17000, 'a'), "431"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
      {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
      {"GET / HTTP/1.1\r\nHost: a\r\nExpect: cake\r\n\r\n", "417"},
      {"GET / HTTP/1.1\nHost: a\n\n", "400"},
  };
  for (const auto& [bytes, status] : cases) {
    RawClient client(server->port());
    const auto reply = client.say(bytes).hear_to_the_end();
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 " + status)) << bytes.substr(0, 80) << "\n" << reply;
    EXPECT_TRUE(reply.ends_with("refused"));
    EXPECT_TRUE(has(reply, "Connection: close\r\n"));
    EXPECT_TRUE(healthy.say(get).hear_reply().ends_with("hello"));
  }
}

TEST(HttpServer, SlowHeadersGet408HoweverTheyTrickle) {
  const auto server = start_server(hello, {.header_timeout = 100ms});
  RawClient silent(server->port());
  silent.say("GET / HT");
  RawClient trickling(server->port());
  trickling.say("GET / HTTP/1.1\r\nX: ");
  std::string reply;
  pollfd readable{trickling.fd(), POLLIN, 0};
  while (::poll(&readable, 1, 10) == 0) trickling.say("x");
  reply = trickling.hear_to_the_end();
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 408 ")) << reply;
  EXPECT_TRUE(silent.hear_to_the_end().starts_with("HTTP/1.1 408 "));
}

TEST(HttpServer, SlowBodiesTimeOut) {
  const auto server = start_server(echo, {.body_timeout = 100ms});
  RawClient client(server->port());
  const auto reply = client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc").hear_to_the_end();
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 408 ")) << reply;
}

TEST(HttpServer, IdleConnectionsEndWithoutAWord) {
  const auto server = start_server(hello, {.idle_timeout = 100ms});
  RawClient fresh(server->port());
  RawClient used(server->port());
  EXPECT_TRUE(used.say(get).hear_reply().ends_with("hello"));
  EXPECT_EQ(fresh.hear_to_the_end(), "");
  EXPECT_EQ(used.hear_to_the_end(), "");
}

TEST(HttpServer, AClientThatTakesNothingIsCut) {
  const auto server = start_server(
      [](Exchange& exchange) -> asio::awaitable<void> {
        auto reply = Outlet::reply(200, std::string(64 * 1024 * 1024, 'x'));
        co_await exchange.send(std::move(reply));
      },
      {.send_timeout = 100ms});
  RawClient client(server->port());
  client.say(get);
  EXPECT_TRUE(eventually([&] { return server->connections() == 1; }));
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
}

TEST(HttpServer, HundredsOfIdleConnectionsStopNobody) {
  const auto server = start_server(hello);
  std::vector<RawClient> idle;
  for (int i = 0; i < 400; ++i) {
    idle.emplace_back(server->port());
    ASSERT_TRUE(idle.back().connected());
    if (i % 2) idle.back().say("GET / HT");
  }
  EXPECT_TRUE(eventually([&] { return server->connections() == 400; }));
  RawClient client(server->port());
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(client.say(get).hear_reply().ends_with("hello"));
  EXPECT_TRUE(idle[1].say("TP/1.1\r\nHost: a\r\n\r\n").hear_reply().ends_with("hello"));
}

TEST(HttpServer, ConnectionsBeyondTheLimitWaitTheirTurn) {
  const auto server = start_server(hello, {.threads = 1, .connections_max = 2});
  RawClient first(server->port());
  RawClient second(server->port());
  EXPECT_TRUE(first.say(get).hear_reply().ends_with("hello"));
  EXPECT_TRUE(second.say(get).hear_reply().ends_with("hello"));
  RawClient third(server->port());
  third.say(get);
  EXPECT_TRUE(first.say(get).hear_reply().ends_with("hello"));
  EXPECT_EQ(server->connections(), 2);
  first.close();
  EXPECT_TRUE(third.hear_reply().ends_with("hello"));
}

asio::awaitable<void> stream_three(Exchange& exchange) {
  auto head = Outlet::reply(200, "first;", {{"Content-Type", "text/event-stream"}});
  if (!co_await exchange.start_stream(std::move(head))) co_return;
  for (const char* text : {"second;", "", "third"}) {
    auto chunk = Outlet::chunk(text);
    if (!co_await exchange.write(std::move(chunk))) co_return;
  }
  co_await exchange.finish_stream();
}

TEST(HttpServer, StreamsInChunks) {
  const auto server = start_server(stream_three);
  RawClient client(server->port());
  for (int i = 0; i < 2; ++i) {
    const auto head = client.say(get).hear_until("\r\n\r\n");
    EXPECT_TRUE(has(head, "Transfer-Encoding: chunked\r\n"));
    EXPECT_FALSE(has(head, "Content-Length"));
    EXPECT_EQ(client.hear_until("0\r\n\r\n"), "6\r\nfirst;\r\n7\r\nsecond;\r\n5\r\nthird\r\n0\r\n\r\n");
  }
  const auto head = client.say("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").say(get).hear_until("\r\n\r\n");
  EXPECT_TRUE(client.hear_until("\r\n\r\n").starts_with("HTTP/1.1 200")) << "HEAD has no body to stream";
  RawClient old(server->port());
  const auto reply = old.say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").hear_to_the_end();
  EXPECT_TRUE(reply.ends_with("\r\n\r\nfirst;second;third")) << reply;
  EXPECT_TRUE(has(reply, "Connection: close\r\n"));
}

asio::awaitable<void> shout_back(Exchange& exchange) {
  auto head = Outlet::reply(101, "", {{"Upgrade", "shout"}});
  if (!co_await exchange.start_upgrade(std::move(head))) {
    auto refusal = Outlet::reply(426, "upgrade, please");
    co_await exchange.send(std::move(refusal));
    co_return;
  }
  for (;;) {
    auto heard = co_await exchange.read_upgraded(4);
    if (!heard && heard.error().code() == Code::timeout) heard = "?";
    if (!heard) co_return;
    auto chunk = Outlet::chunk(*heard + "!");
    if (!co_await exchange.write(std::move(chunk))) co_return;
    if (*heard == "bye") break;
  }
  co_await exchange.finish_stream();
}

TEST(HttpServer, HandsAnUpgradedConnectionOver) {
  const auto server = start_server(shout_back, {.idle_timeout = 100ms});
  RawClient client(server->port());
  // The first words come in the same packet as the request.
  client.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: shout\r\n\r\nGET / HTT");
  const auto head = client.hear_until("\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n")) << head;
  EXPECT_TRUE(has(head, "Connection: Upgrade\r\n") && has(head, "Upgrade: shout\r\n")) << head;
  EXPECT_EQ(client.hear_until("HT!T!"), "GET !/ HT!T!") << "bytes as they are, not a request";
  EXPECT_EQ(client.hear_until("?!"), "?!") << "silence is told to the handler, which goes on";
  EXPECT_EQ(client.say("bye").hear_to_the_end(), "bye!");
  RawClient leaving(server->port());
  leaving.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n").hear_until("\r\n\r\n");
  leaving.close();
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
}

TEST(HttpServer, UpgradesNothingThatDidNotAsk) {
  const auto server = start_server(shout_back);
  for (const char* request : {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: shout\r\n\r\n",
                              "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n",
                              "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nContent-Length: 1\r\n\r\nx",
                              "GET / HTTP/1.0\r\nConnection: Upgrade\r\n\r\n"}) {
    RawClient client(server->port());
    EXPECT_TRUE(client.say(request).hear_reply().starts_with("HTTP/1.1 426 ")) << request;
  }
}

TEST(HttpServer, AStreamWithoutItsEndIsCut) {
  const auto server = start_server([](Exchange& exchange) -> asio::awaitable<void> {
    auto head = Outlet::reply(200, "half");
    co_await exchange.start_stream(std::move(head));
  });
  RawClient client(server->port());
  const auto reply = client.say(get).hear_to_the_end();
  EXPECT_TRUE(reply.ends_with("\r\n\r\n4\r\nhalf\r\n")) << reply;
}

asio::awaitable<void> stream_until_nobody_listens(Exchange& exchange, std::promise<Code>* ended) {
  auto head = Outlet::reply(200, "");
  auto written = co_await exchange.start_stream(std::move(head));
  while (written) {
    auto chunk = Outlet::chunk(std::string(1000, 'x'));
    written = co_await exchange.write(std::move(chunk));
    asio::steady_timer pause(co_await asio::this_coro::executor, 1ms);
    co_await pause.async_wait(asio::use_awaitable);
  }
  ended->set_value(written.error().code());
}

TEST(HttpServer, NoticesAClientThatLeavesMidStream) {
  std::promise<Code> ended;
  const auto server = start_server([&](Exchange& exchange) { return stream_until_nobody_listens(exchange, &ended); });
  RawClient client(server->port());
  client.say(get).hear_until("xxxx");
  client.close();
  EXPECT_EQ(ended.get_future().get(), Code::cancelled);
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
}

asio::awaitable<void> think_until_nobody_listens(Exchange& exchange, std::promise<Code>* ended) {
  auto head = Outlet::reply(200, "thinking");
  co_await exchange.start_stream(std::move(head));
  asio::steady_timer first_word(co_await asio::this_coro::executor, std::chrono::hours(1));
  exchange.when_client_leaves([&first_word] { first_word.cancel(); });
  boost::system::error_code ignored;
  co_await first_word.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  auto chunk = Outlet::chunk("too late");
  const auto written = co_await exchange.write(std::move(chunk));
  ended->set_value(written ? Code::internal : written.error().code());
}

TEST(HttpServer, TellsAHandlerThatWaitsThatItsClientHasLeft) {
  std::promise<Code> ended;
  const auto server = start_server([&](Exchange& exchange) { return think_until_nobody_listens(exchange, &ended); });
  RawClient client(server->port());
  client.say(get).hear_until("thinking");
  client.close();
  EXPECT_EQ(ended.get_future().get(), Code::cancelled);
}

TEST(HttpServer, AHandlerThatDoesNotAnswerGetsItsClientA500) {
  const auto server = start_server([](Exchange&) -> asio::awaitable<void> { co_return; });
  RawClient client(server->port());
  EXPECT_TRUE(client.say(get).hear_to_the_end().starts_with("HTTP/1.1 500 "));
}

TEST(HttpServer, AHandlerThatThrowsEndsItsConnectionAlone) {
  const auto server = start_server([](Exchange& exchange) -> asio::awaitable<void> {
    if (exchange.head().path == "/throw") throw std::runtime_error("against the rules");
    co_await hello(exchange);
  });
  RawClient healthy(server->port());
  EXPECT_TRUE(healthy.say(get).hear_reply().ends_with("hello"));
  RawClient client(server->port());
  EXPECT_EQ(client.say("GET /throw HTTP/1.1\r\nHost: a\r\n\r\n").hear_to_the_end(), "");
  EXPECT_TRUE(healthy.say(get).hear_reply().ends_with("hello"));
}

asio::awaitable<void> send_with(Exchange& exchange, std::vector<Header> headers) {
  auto reply = Outlet::reply(200, "secret", std::move(headers));
  co_await exchange.send(std::move(reply));
}

TEST(HttpServer, AReplyThatWouldSplitIsNotSent) {
  const std::vector<Header> bad[] = {{{"X", "a\r\nSet-Cookie: b"}}, {{"X\n", "a"}},   {{"", "a"}},
                                     {{"Content-Length", "3"}},     {{"X", "a\0b"s}}, {{"transfer-encoding", "x"}}};
  std::atomic<std::size_t> turn{0};
  const auto server = start_server([&](Exchange& exchange) { return send_with(exchange, bad[turn]); });
  for (; turn < std::size(bad); ++turn) {
    RawClient client(server->port());
    const auto reply = client.say(get).hear_to_the_end();
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 500 ")) << reply;
    EXPECT_FALSE(has(reply, "secret"));
  }
}

TEST(HttpServer, ASecondServerOnThePortIsAnError) {
  const auto server = start_server(hello);
  const auto second = Server::start({.port = server->port()}, hello, refuse_with_status);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::conflict);
  EXPECT_FALSE(Server::start({.address = "nowhere", .port = 0}, hello, refuse_with_status));
  EXPECT_FALSE(Server::start({.port = 0, .tls_cert = "x"}, hello, refuse_with_status));
}

TEST(HttpServer, ThePortIsFreeAfterStopping) {
  auto server = start_server(hello);
  const auto port = server->port();
  RawClient client(port);
  EXPECT_TRUE(client.say(get).hear_reply().ends_with("hello"));
  server->stop(1s);
  EXPECT_TRUE(client.is_ended());
  EXPECT_TRUE(Server::start({.port = port}, hello, refuse_with_status));
}

asio::awaitable<void> hello_when_allowed(Exchange& exchange, std::promise<void>* running,
                                         const std::atomic<bool>* may_finish) {
  running->set_value();
  while (!*may_finish) {
    asio::steady_timer pause(co_await asio::this_coro::executor, 1ms);
    co_await pause.async_wait(asio::use_awaitable);
  }
  co_await hello(exchange);
}

TEST(HttpServer, StoppingLetsARunningExchangeFinish) {
  std::promise<void> running;
  std::atomic<bool> may_finish{false};
  const auto server =
      start_server([&](Exchange& exchange) { return hello_when_allowed(exchange, &running, &may_finish); });
  RawClient idle(server->port());
  RawClient client(server->port());
  client.say(get);
  running.get_future().get();
  auto stopped = std::async(std::launch::async, [&] { server->stop(std::chrono::seconds(patience_seconds)); });
  EXPECT_TRUE(idle.is_ended()) << "idle connections close at once";
  EXPECT_TRUE(eventually([&] { return !RawClient(server->port()).connected(); })) << "and no new ones are taken";
  may_finish = true;
  const auto reply = client.hear_to_the_end();
  EXPECT_TRUE(reply.ends_with("hello")) << reply;
  EXPECT_TRUE(has(reply, "Connection: close\r\n"));
  client.close();
  stopped.get();
  EXPECT_EQ(server->connections(), 0);
}

asio::awaitable<void> hold_on(std::promise<void>* running, std::atomic<bool>* ended) {
  struct Mark {
    std::atomic<bool>* ended;
    ~Mark() { *ended = true; }
  };
  const Mark mark{ended};
  running->set_value();
  co_await wait_for_ever();
}

TEST(HttpServer, StoppingCutsWhatOutlastsTheGrace) {
  std::promise<void> running;
  std::atomic<bool> ended{false};
  const auto server = start_server([&](Exchange&) { return hold_on(&running, &ended); });
  RawClient client(server->port());
  client.say(get);
  running.get_future().get();
  server->stop(20ms);
  EXPECT_TRUE(ended) << "the handler's frame is gone, and with it what it held";
  EXPECT_EQ(client.hear_to_the_end(), "");
  EXPECT_EQ(server->connections(), 0);
}

TEST(HttpServer, StoppingCutsAStalledSender) {
  const auto server = start_server(echo);
  RawClient client(server->port());
  client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
  RawClient half(server->port());
  half.say("GET / HT");
  EXPECT_TRUE(eventually([&] { return server->connections() == 2; }));
  server->stop(20ms);
  EXPECT_TRUE(half.is_ended());
}

}  // namespace
}  // namespace parley::http
