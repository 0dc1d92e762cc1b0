#include "parley/http/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <future>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "parley/net/descriptor.h"
#include "testing/fake_server.h"
#include "testing/process.h"
#include "testing/wait.h"

namespace parley::http {
namespace {

using namespace std::chrono_literals;
using testing::FakeServer;

net::EgressPolicy allowing(const std::vector<std::string>& entries) {
  return net::EgressPolicy::parse(entries).value();
}

struct Whole {
  int status = 0;
  std::string body;
  int pieces = 0;
};

Async<Whole> ask(Client& client, ClientRequest request, ClientTimeouts timeouts, Sent* sent) {
  const auto answer = PARLEY_CO_TRY(co_await client.send(std::move(request), timeouts, sent));
  Whole whole{.status = answer->head().status};
  while (true) {
    const auto piece = PARLEY_CO_TRY(co_await answer->read());
    if (piece.empty()) break;
    whole.body += piece;
    ++whole.pieces;
  }
  co_return whole;
}

Async<Whole> ask_twice(Client& client, ClientRequest request, ClientTimeouts timeouts) {
  PARLEY_CO_TRY(co_await ask(client, request, timeouts, nullptr));
  co_return PARLEY_CO_TRY(co_await ask(client, request, timeouts, nullptr));
}

class Asking : public ::testing::Test {
 protected:
  std::unique_ptr<Client> client_for(const FakeServer& server, ClientOptions options = {}) {
    options.policy = allowing({server.place()});
    return Client::make(workers, std::move(options)).value();
  }
  static ClientRequest post(const FakeServer& server, std::string body = "{}") {
    return {.url = net::parse_http_url(server.url("/v1/x?y")).value(),
            .headers = {{"Authorization", Secret("Bearer canary")}},
            .body = std::move(body)};
  }
  static Code code_of(const Result<Whole>& result) { return result ? Code::internal : result.error().code(); }

  net::Workers workers{2};
};

TEST_F(Asking, sends_a_request_and_reads_the_answer_however_it_is_torn) {
  const std::string bytes = FakeServer::stream({"one", " and ", "two"});
  for (const std::size_t piece : {1, 2, 3, 5, 8, 1000}) {
    FakeServer server([&](auto& talk) { talk.send_in_pieces(bytes, piece); });
    const auto client = client_for(server);
    const auto answer = wait(ask(*client, post(server, "the body"), {}, nullptr));
    ASSERT_TRUE(answer) << describe_for_operator(answer.error());
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "one and two");
    const auto request = server.requests().at(0);
    EXPECT_TRUE(request.starts_with("POST /v1/x?y HTTP/1.1\r\nHost: 127.0.0.1:")) << request;
    EXPECT_NE(request.find("\r\nAuthorization: Bearer canary\r\n"), std::string::npos);
    EXPECT_NE(request.find("\r\nAccept-Encoding: identity\r\n"), std::string::npos);
    EXPECT_TRUE(request.ends_with("\r\n\r\nthe body"));
  }
}

TEST_F(Asking, a_large_body_goes_out_whole) {
  std::string got;
  FakeServer server([&](auto& talk) {
    got = talk.body();
    talk.send(FakeServer::ok("fine"));
  });
  const std::string body(3'000'000, 'b');
  const auto client = client_for(server);
  ASSERT_TRUE(wait(ask(*client, post(server, body), {}, nullptr)));
  EXPECT_EQ(got, body);
}

TEST_F(Asking, a_connection_is_kept_for_the_next_request_on_the_same_loop) {
  FakeServer server([&](auto& talk) { talk.send(FakeServer::ok("fine")); });
  const auto client = client_for(server);
  ASSERT_TRUE(wait(ask_twice(*client, post(server), {})));
  EXPECT_EQ(server.calls(), 2);
  EXPECT_EQ(server.connections(), 1);
  FakeServer closing([&](auto& talk) {
    talk.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    talk.close();
  });
  const auto other = client_for(closing);
  ASSERT_TRUE(wait(ask_twice(*other, post(closing), {})));
  EXPECT_EQ(closing.connections(), 2);
}

Async<int> leave_twice(Client& client, ClientRequest request) {
  int status = 0;
  for (int i = 0; i < 2; ++i) {
    auto answer = PARLEY_CO_TRY(co_await client.send(request, {}));
    status = answer->head().status;
    ClientAnswer::leave(std::move(answer));
    // The end of the first is read meanwhile.
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  }
  co_return status;
}

TEST_F(Asking, a_connection_is_kept_though_nobody_reads_the_answer) {
  FakeServer server([&](auto& talk) { talk.send(FakeServer::reply(429, "", "slow down")); });
  const auto client = client_for(server);
  EXPECT_EQ(wait(leave_twice(*client, post(server))).value(), 429);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(Asking, a_kept_connection_that_is_closed_under_the_request_is_replaced_once) {
  FakeServer server([&](auto& talk) {
    // The second request meets a server that has just decided to close.
    if (talk.number() == 1) return talk.close();
    talk.send(FakeServer::ok("fine"));
  });
  const auto client = client_for(server);
  const auto answer = wait(ask_twice(*client, post(server), {}));
  ASSERT_TRUE(answer) << describe_for_operator(answer.error());
  EXPECT_EQ(server.calls(), 3);
  FakeServer never([&](auto& talk) { talk.close(); });
  const auto other = client_for(never);
  Sent sent = Sent::no;
  EXPECT_EQ(code_of(wait(ask(*other, post(never), {}, &sent))), Code::unavailable);
  EXPECT_EQ(never.calls(), 1) << "a new connection that is cut is not tried again: the server may have begun";
  EXPECT_EQ(sent, Sent::maybe);
}

TEST_F(Asking, an_address_that_is_not_listed_is_never_connected_to) {
  FakeServer server([&](auto& talk) { talk.send(FakeServer::ok("fine")); });
  const auto client = Client::make(workers).value();
  Sent sent = Sent::maybe;
  EXPECT_EQ(code_of(wait(ask(*client, post(server), {}, &sent))), Code::permission_denied);
  EXPECT_EQ(sent, Sent::no);
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(Asking, a_name_is_asked_for_once_and_its_checked_address_used) {
  class Fickle final : public net::Resolver {
   public:
    Result<std::vector<asio::ip::address>> resolve(const std::string&) override {
      return std::vector{asio::ip::make_address(asked_++ == 0 ? "127.0.0.1" : "127.0.0.2")};
    }
    int asked_ = 0;
  } resolver;
  FakeServer server([&](auto& talk) { talk.send(FakeServer::ok("fine")); });
  const auto client = Client::make(workers, {.policy = allowing({server.place()})}, resolver).value();
  ClientRequest request = post(server);
  request.url = net::parse_http_url(fmt::format("http://changes.example:{}/", server.port())).value();
  ASSERT_TRUE(wait(ask_twice(*client, request, {})));
  EXPECT_EQ(resolver.asked_, 1);
  EXPECT_NE(server.requests().at(0).find(fmt::format("\r\nHost: changes.example:{}\r\n", server.port())),
            std::string::npos);
  // On a new loop there is no connection yet, and the name now leads elsewhere.
  EXPECT_EQ(code_of(wait(ask(*client, request, {}, nullptr))), Code::permission_denied);
}

TEST_F(Asking, a_name_server_that_hangs_is_not_waited_for) {
  class Hanging final : public net::Resolver {
   public:
    Result<std::vector<asio::ip::address>> resolve(const std::string&) override {
      released.get_future().wait();
      return fail(Code::unavailable, "the host's name leads nowhere");
    }
    std::promise<void> released;
  } resolver;
  const auto client = Client::make(workers, {}, resolver).value();
  asio::io_context io;
  Code code = Code::internal;
  asio::co_spawn(
      io, ask(*client, {.url = net::parse_http_url("https://hangs.example/").value()}, {.connect = 50ms}, nullptr),
      [&](std::exception_ptr, const Result<Whole>& outcome) {
        code = code_of(outcome);
        resolver.released.set_value();
      });
  io.run();
  EXPECT_EQ(code, Code::timeout);
}

TEST_F(Asking, every_wait_has_an_end) {
  FakeServer silent([](auto& talk) { talk.wait_until_gone(); });
  EXPECT_EQ(code_of(wait(ask(*client_for(silent), post(silent), {.first_byte = 50ms}, nullptr))), Code::timeout);
  FakeServer headless([](auto& talk) {
    while (talk.send("X")) continue;
  });
  EXPECT_EQ(code_of(wait(ask(*client_for(headless), post(headless), {.first_byte = 50ms}, nullptr))),
            Code::unavailable);
  FakeServer halfway([](auto& talk) {
    talk.send(FakeServer::stream_head() + FakeServer::chunk("half"));
    talk.wait_until_gone();
  });
  EXPECT_EQ(code_of(wait(ask(*client_for(halfway), post(halfway), {.between = 50ms}, nullptr))), Code::timeout);
  EXPECT_EQ(code_of(wait(ask(*client_for(halfway), post(halfway), {.total = 50ms}, nullptr))), Code::timeout);
  FakeServer endless([](auto& talk) {
    talk.send(FakeServer::stream_head());
    while (talk.send(FakeServer::chunk("more"))) continue;
  });
  EXPECT_EQ(code_of(wait(ask(*client_for(endless), post(endless), {.between = 50ms}, nullptr))), Code::timeout)
      << "bytes alone are no progress";
}

/// Takes no connection: its queue is full from the start.
class FullQueue {
 public:
  FullQueue(const char* address, std::uint16_t port) {
    at_.sin_family = AF_INET;
    at_.sin_port = htons(port);
    ::inet_pton(AF_INET, address, &at_.sin_addr);
    listener_ = net::Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&at_), sizeof at_), 0);
    EXPECT_EQ(::listen(listener_.get(), 0), 0);
    for (auto& filler : fillers_) {
      filler = net::Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      static_cast<void>(::connect(filler.get(), reinterpret_cast<const sockaddr*>(&at_), sizeof at_));
    }
  }

 private:
  sockaddr_in at_{};
  net::Descriptor listener_;
  std::array<net::Descriptor, 4> fillers_;
};

TEST_F(Asking, an_address_that_swallows_packets_leaves_time_for_the_next) {
  class Two final : public net::Resolver {
    Result<std::vector<asio::ip::address>> resolve(const std::string&) override {
      return std::vector{asio::ip::make_address("127.0.0.2"), asio::ip::make_address("127.0.0.1")};
    }
  } resolver;
  for (const bool silent : {false, true}) {
    FakeServer server([&](auto& talk) {
      if (silent) talk.wait_until_gone();
      else talk.send(FakeServer::ok("fine"));
    });
    const FullQueue swallowing("127.0.0.2", server.port());
    const auto client =
        Client::make(workers, {.policy = allowing({server.place(), fmt::format("127.0.0.2:{}", server.port())})},
                     resolver)
            .value();
    auto request = post(server);
    request.url = net::parse_http_url(fmt::format("http://two.example:{}/", server.port())).value();
    const auto answer = wait(ask(*client, std::move(request), {.connect = 200ms, .first_byte = 300ms}, nullptr));
    EXPECT_EQ(server.calls(), 1);
    // The time-outs after the one that passed hold as well.
    if (silent) EXPECT_EQ(code_of(answer), Code::timeout);
    else EXPECT_TRUE(answer) << describe_for_operator(answer.error());
  }
}

TEST_F(Asking, what_is_no_answer_is_an_error) {
  for (const char* bytes : {"", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    FakeServer server([&](auto& talk) {
      talk.send(bytes);
      talk.close();
    });
    EXPECT_EQ(code_of(wait(ask(*client_for(server), post(server), {}, nullptr))), Code::unavailable) << bytes;
  }
  FakeServer redirecting([](auto& talk) { talk.send(FakeServer::reply(307, "Location: /elsewhere\r\n", "")); });
  const auto answer = wait(ask(*client_for(redirecting), post(redirecting), {}, nullptr));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 307);
  EXPECT_EQ(redirecting.calls(), 1);
}

TEST_F(Asking, headers_cannot_be_smuggled) {
  FakeServer server([](auto& talk) { talk.send(FakeServer::ok("x")); });
  for (const char* value : {"a\r\nY: b", "a\n", "a\x01"}) {
    auto request = post(server);
    request.headers.push_back({"X", Secret(value)});
    EXPECT_EQ(code_of(wait(ask(*client_for(server), std::move(request), {}, nullptr))), Code::invalid_argument);
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(Asking, a_cancelled_call_closes_its_connection) {
  std::promise<void> asked, left;
  FakeServer server([&](auto& talk) {
    talk.send(FakeServer::stream_head() + FakeServer::chunk("half"));
    asked.set_value();
    talk.wait_until_gone();
    left.set_value();
  });
  const auto client = client_for(server);
  asio::io_context io;
  asio::cancellation_signal signal;
  bool ended = false;
  asio::co_spawn(io, ask(*client, post(server), {}, nullptr),
                 asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr, const Result<Whole>& outcome) {
                   ended = true;
                   EXPECT_FALSE(outcome && outcome->status != 0);
                 }));
  std::thread canceller([&] {
    asked.get_future().wait();
    asio::post(io, [&] { signal.emit(asio::cancellation_type::terminal); });
  });
  io.run();
  canceller.join();
  EXPECT_TRUE(ended);
  left.get_future().wait();
}

TEST_F(Asking, works_on_a_strand_of_a_pool_without_keeping_connections) {
  FakeServer server([&](auto& talk) { talk.send(FakeServer::ok("fine")); });
  const auto client = client_for(server);
  std::promise<bool> done;
  asio::co_spawn(asio::make_strand(workers.executor()), ask_twice(*client, post(server), {}),
                 [&](std::exception_ptr, const Result<Whole>& outcome) { done.set_value(outcome.has_value()); });
  EXPECT_TRUE(done.get_future().get());
  EXPECT_EQ(server.connections(), 2);
}

// A certificate made for this run, and a server that has it.
class TlsServer {
 public:
  TlsServer() {
    std::string name = (std::filesystem::temp_directory_path() / "parley_client_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    const auto key = (folder_ / "key.pem").string();
    const auto made =
        testing::run_program({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                              "-nodes", "-days", "1", "-subj", "/CN=models.example", "-addext",
                              "subjectAltName=DNS:models.example", "-keyout", key, "-out", certificate()});
    if (made.status != 0) return;
    program_ = std::make_unique<testing::Program>(std::vector<std::string>{
        "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate(), "-key", key, "-www"});
    constexpr std::string_view mark = "ACCEPT 127.0.0.1:";
    if (const auto said = program_->read_until(mark))
      port_ = static_cast<std::uint16_t>(std::strtoul(said->c_str() + said->find(mark) + mark.size(), nullptr, 10));
  }
  ~TlsServer() { std::filesystem::remove_all(folder_); }
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  std::string certificate() const { return (folder_ / "certificate.pem").string(); }
  std::uint16_t port() const { return port_; }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<testing::Program> program_;
  std::uint16_t port_ = 0;
};

TEST_F(Asking, certificates_are_verified) {
  class Here final : public net::Resolver {
    Result<std::vector<asio::ip::address>> resolve(const std::string&) override {
      return std::vector{asio::ip::make_address("127.0.0.1")};
    }
  } resolver;
  const TlsServer server;
  ASSERT_NE(server.port(), 0) << "openssl s_server did not start";
  const auto policy = allowing({fmt::format("127.0.0.1:{}", server.port())});
  const auto get = [&](const char* host, ClientOptions options) {
    const auto client = Client::make(workers, std::move(options), resolver).value();
    return wait(ask(*client, {.url = net::parse_http_url(fmt::format("https://{}:{}/", host, server.port())).value()},
                    {}, nullptr));
  };
  EXPECT_EQ(code_of(get("models.example", {.policy = policy})), Code::unavailable) << "signed by nobody we know";
  const ClientOptions trusting{.policy = policy, .ca_file = server.certificate()};
  EXPECT_EQ(code_of(get("other.example", trusting)), Code::unavailable) << "another's name";
  EXPECT_EQ(code_of(get("127.0.0.1", trusting)), Code::unavailable) << "no name";
  const auto answer = get("models.example", trusting);
  ASSERT_TRUE(answer) << describe_for_operator(answer.error());
  EXPECT_EQ(answer->status, 200);
  EXPECT_FALSE(Client::make(workers, {.ca_file = "/nonexistent.pem"}));
}

}  // namespace
}  // namespace parley::http
