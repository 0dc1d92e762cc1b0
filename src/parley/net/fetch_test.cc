#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "parley/net/fetch.h"
#include "testing/loopback_server.h"
#include "testing/process.h"
#include "testing/wait.h"

namespace parley::net {
namespace {

using namespace std::chrono_literals;

using testing::LoopbackServer;

std::string ok(std::string_view body) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX-One: 1\r\n\r\n{}", body.size(), body);
}
std::string redirect(std::string_view to) {
  return fmt::format("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", to);
}

// Another answer each time it is asked.
class FickleResolver final : public Resolver {
 public:
  explicit FickleResolver(std::vector<std::vector<const char*>> answers) : answers_(std::move(answers)) {}
  Result<std::vector<asio::ip::address>> resolve(const std::string&) override {
    const auto& answer = answers_[std::min(asked_++, answers_.size() - 1)];
    std::vector<asio::ip::address> addresses;
    for (const char* text : answer) addresses.push_back(asio::ip::make_address(text));
    return addresses;
  }
  std::size_t asked() const { return asked_; }

 private:
  std::vector<std::vector<const char*>> answers_;
  std::size_t asked_ = 0;
};

EgressPolicy allowing(std::vector<std::string> entries) { return EgressPolicy::parse(entries).value(); }

class Fetching : public ::testing::Test {
 protected:
  Result<FetchAnswer> get(std::string_view url, FetcherOptions options, Resolver& resolver = system_resolver(),
                          std::vector<FetchHeader> headers = {}) {
    Fetcher fetcher(workers, std::move(options), resolver);
    return wait(fetcher.fetch({.url = parse_http_url(url).value(), .headers = std::move(headers)}));
  }
  Workers workers{2};
};

Code code_of(const Result<FetchAnswer>& answer) { return answer ? Code::internal : answer.error().code(); }

TEST_F(Fetching, loopback_needs_an_entry_in_the_list) {
  LoopbackServer server([](const auto&) { return LoopbackServer::Said{ok("hello")}; });
  EXPECT_EQ(code_of(get(server.url(), {})), Code::permission_denied);
  EXPECT_EQ(code_of(get(fmt::format("http://localhost:{}/", server.port()), {})), Code::permission_denied);
  EXPECT_EQ(code_of(get(fmt::format("http://2130706433:{}/", server.port()), {})), Code::permission_denied);
  EXPECT_EQ(code_of(get(fmt::format("http://[::ffff:7f00:1]:{}/", server.port()), {})), Code::permission_denied);
  EXPECT_EQ(server.calls(), 0) << "refused before a packet was sent";
  const auto answer = get(server.url("/a?b"), {.policy = allowing({server.place()})});
  ASSERT_TRUE(answer) << describe_for_operator(answer.error());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body.reveal(), "hello");
  EXPECT_EQ(answer->header("x-one"), "1");
  EXPECT_TRUE(server.last_request().starts_with("GET /a?b HTTP/1.1\r\n"));
  EXPECT_EQ(server.last_request().find("Cookie"), std::string::npos);
}

TEST_F(Fetching, plain_http_is_for_listed_places_alone) {
  EXPECT_EQ(code_of(get("http://8.8.8.8/", {})), Code::permission_denied);
}

TEST_F(Fetching, the_connection_goes_to_the_address_that_was_checked) {
  LoopbackServer server([](const auto&) { return LoopbackServer::Said{ok("checked")}; });
  LoopbackServer inside([](const auto&) { return LoopbackServer::Said{ok("secret")}; }, "127.0.0.2");
  // The second question would be answered with an address that is not allowed; it is never asked.
  FickleResolver resolver({{"127.0.0.1"}, {"127.0.0.2"}});
  const auto answer =
      get(fmt::format("http://changes.example:{}/", server.port()), {.policy = allowing({server.place()})}, resolver);
  ASSERT_TRUE(answer) << describe_for_operator(answer.error());
  EXPECT_EQ(answer->body.reveal(), "checked");
  EXPECT_EQ(resolver.asked(), 1U);
  EXPECT_EQ(inside.calls(), 0);
  EXPECT_NE(server.last_request().find(fmt::format("Host: changes.example:{}", server.port())), std::string::npos);
}

TEST_F(Fetching, one_bad_address_spoils_the_answer) {
  LoopbackServer server([](const auto&) { return LoopbackServer::Said{ok("x")}; });
  for (const char* bad : {"10.0.0.1", "::1", "169.254.169.254", "0.0.0.0", "::ffff:10.0.0.1"}) {
    FickleResolver resolver({{"127.0.0.1", bad}});
    EXPECT_EQ(code_of(get(fmt::format("http://two.example:{}/", server.port()), {.policy = allowing({server.place()})},
                          resolver)),
              Code::permission_denied)
        << bad;
  }
  EXPECT_EQ(server.calls(), 0);
}

TEST_F(Fetching, a_redirect_to_a_private_address_is_refused) {
  std::string to;
  LoopbackServer server([&](const std::string& request) {
    return request.starts_with("GET /go") ? LoopbackServer::Said{redirect(to)} : LoopbackServer::Said{ok("there")};
  });
  LoopbackServer inside([](const auto&) { return LoopbackServer::Said{ok("secret")}; });
  const FetcherOptions options{.policy = allowing({server.place()})};
  for (const std::string& where :
       {inside.url(), std::string("http://169.254.169.254/latest/meta-data"), std::string("http://[::1]/"),
        "http://2130706433:" + std::to_string(inside.port()) + "/", std::string("http://10.0.0.1/")}) {
    to = where;
    EXPECT_EQ(code_of(get(server.url("/go"), options)), Code::permission_denied) << where;
  }
  for (const std::string& where : {std::string("file:///etc/hostname"), std::string("gopher://127.0.0.1/")}) {
    to = where;
    EXPECT_EQ(code_of(get(server.url("/go"), options)), Code::invalid_argument) << where;
  }
  EXPECT_EQ(inside.calls(), 0);
  to = "/arrived";
  const auto answer = get(server.url("/go"), options);
  ASSERT_TRUE(answer) << describe_for_operator(answer.error());
  EXPECT_EQ(answer->body.reveal(), "there");
  EXPECT_EQ(answer->url.target, "/arrived");
}

TEST_F(Fetching, redirects_end_and_credentials_stay_with_their_origin) {
  LoopbackServer endless([](const auto&) { return LoopbackServer::Said{redirect("/again")}; });
  EXPECT_EQ(code_of(get(endless.url(), {.policy = allowing({endless.place()})})), Code::unavailable);
  EXPECT_EQ(endless.calls(), 4) << "the first and three redirects";

  LoopbackServer other([](const auto&) { return LoopbackServer::Said{ok("other")}; });
  LoopbackServer server([&](const auto&) { return LoopbackServer::Said{redirect(other.url())}; });
  std::vector<FetchHeader> headers;
  headers.push_back({"Authorization", Secret("Bearer canary")});
  const auto answer =
      get(server.url(), {.policy = allowing({server.place(), other.place()})}, system_resolver(), std::move(headers));
  ASSERT_TRUE(answer) << describe_for_operator(answer.error());
  EXPECT_NE(server.last_request().find("Authorization: Bearer canary"), std::string::npos);
  EXPECT_EQ(other.last_request().find("canary"), std::string::npos);
}

TEST_F(Fetching, a_body_is_posted_and_its_redirect_is_not_followed) {
  LoopbackServer server([](const auto&) { return LoopbackServer::Said{redirect("/elsewhere")}; });
  Fetcher fetcher(workers, {.policy = allowing({server.place()})});
  const auto answer = wait(fetcher.fetch({.url = parse_http_url(server.url("/token")).value(),
                                          .headers = {{"Content-Type", Secret("application/x-www-form-urlencoded")}},
                                          .body = Secret("code=abc")}));
  ASSERT_TRUE(answer) << describe_for_operator(answer.error());
  EXPECT_EQ(answer->status, 302);
  EXPECT_EQ(server.calls(), 1);
  EXPECT_TRUE(server.last_request().starts_with("POST /token HTTP/1.1\r\n"));
  EXPECT_TRUE(server.last_request().ends_with("\r\n\r\ncode=abc"));
}

TEST_F(Fetching, headers_cannot_be_smuggled) {
  LoopbackServer server([](const auto&) { return LoopbackServer::Said{ok("x")}; });
  const FetcherOptions options{.policy = allowing({server.place()})};
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{{"X", "a\r\nY: b"},
                                                                                    {"X", "a\n"},
                                                                                    {"X", std::string("a\0b", 3)},
                                                                                    {"X: y", "a"},
                                                                                    {"", "a"},
                                                                                    {"X\r\nY", "a"}}) {
    std::vector<FetchHeader> headers;
    headers.push_back({name, Secret(value)});
    EXPECT_EQ(code_of(get(server.url(), options, system_resolver(), std::move(headers))), Code::invalid_argument);
  }
  EXPECT_EQ(server.calls(), 0);
}

TEST_F(Fetching, large_answers_are_cut) {
  const std::string big(3000, 'x');
  FetcherOptions options{.limits = {.body_bytes_max = 2000, .header_bytes_max = 1000}};
  LoopbackServer honest([&](const auto&) { return LoopbackServer::Said{ok(big)}; });
  LoopbackServer unsaid([&](const auto&) { return LoopbackServer::Said{"HTTP/1.1 200 OK\r\n\r\n" + big}; });
  LoopbackServer chunked([&](const auto&) {
    return LoopbackServer::Said{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nbb8\r\n" + big + "\r\n0\r\n\r\n"};
  });
  LoopbackServer head([&](const auto&) { return LoopbackServer::Said{"HTTP/1.1 200 OK\r\nX: " + big + "\r\n\r\n"}; });
  for (const auto* server : {&honest, &unsaid, &chunked, &head}) {
    options.policy = allowing({server->place()});
    EXPECT_EQ(code_of(get(server->url(), options)), Code::too_large);
  }
}

TEST_F(Fetching, slow_answers_are_cut) {
  FetcherOptions options{.limits = {.time_max = 300ms}};
  LoopbackServer silent([](const auto&) { return LoopbackServer::Said{"", LoopbackServer::Then::hold}; });
  LoopbackServer halfway([](const auto&) {
    return LoopbackServer::Said{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", LoopbackServer::Then::hold};
  });
  for (const auto* server : {&silent, &halfway}) {
    options.policy = allowing({server->place()});
    EXPECT_EQ(code_of(get(server->url(), options)), Code::timeout);
  }
}

TEST_F(Fetching, a_broken_answer_is_an_error_and_not_an_answer) {
  for (const char* bytes : {"", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"}) {
    LoopbackServer server([&](const auto&) { return LoopbackServer::Said{bytes}; });
    EXPECT_EQ(code_of(get(server.url(), {.policy = allowing({server.place()})})), Code::unavailable) << bytes;
  }
}

TEST_F(Fetching, proxies_of_the_environment_are_ignored) {
  LoopbackServer proxy([](const auto&) { return LoopbackServer::Said{ok("proxy")}; });
  LoopbackServer server([](const auto&) { return LoopbackServer::Said{ok("direct")}; });
  for (const char* name : {"http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"})
    ::setenv(name, proxy.url().c_str(), 1);
  const auto answer = get(server.url(), {.policy = allowing({server.place(), proxy.place()})});
  for (const char* name : {"http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"}) ::unsetenv(name);
  ASSERT_TRUE(answer) << describe_for_operator(answer.error());
  EXPECT_EQ(answer->body.reveal(), "direct");
  EXPECT_EQ(proxy.calls(), 0);
}

TEST_F(Fetching, https_to_what_does_not_speak_it_is_an_error) {
  LoopbackServer server([](const auto&) { return LoopbackServer::Said{ok("plain")}; });
  EXPECT_EQ(code_of(get(fmt::format("https://127.0.0.1:{}/", server.port()), {.policy = allowing({server.place()})})),
            Code::unavailable);
}

// A certificate made for this run, and a server that has it.
class TlsServer {
 public:
  explicit TlsServer(const std::vector<std::string>& options = {}) {
    std::string name = (std::filesystem::temp_directory_path() / "parley_fetch_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    const auto key = (folder_ / "key.pem").string();
    const auto made = testing_run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                   "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=id.example",
                                   "-addext", "subjectAltName=DNS:id.example", "-keyout", key, "-out", certificate()});
    if (made != 0) return;
    std::vector<std::string> words{"openssl",     "s_server", "-accept", "127.0.0.1:0", "-cert",
                                   certificate(), "-key",     key,       "-www"};
    words.insert(words.end(), options.begin(), options.end());
    program_ = std::make_unique<parley::testing::Program>(words);
    constexpr std::string_view mark = "ACCEPT 127.0.0.1:";
    if (const auto said = program_->read_until(mark))
      port_ = static_cast<std::uint16_t>(std::strtoul(said->c_str() + said->find(mark) + mark.size(), nullptr, 10));
  }
  ~TlsServer() { std::filesystem::remove_all(folder_); }
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  std::string certificate() const { return (folder_ / "certificate.pem").string(); }
  std::uint16_t port() const { return port_; }
  std::string url(std::string_view host) const { return fmt::format("https://{}:{}/", host, port_); }
  std::string place() const { return fmt::format("127.0.0.1:{}", port_); }

 private:
  static int testing_run(const std::vector<std::string>& words) { return parley::testing::run_program(words).status; }

  std::filesystem::path folder_;
  std::unique_ptr<parley::testing::Program> program_;
  std::uint16_t port_ = 0;
};

TEST_F(Fetching, certificates_are_verified) {
  FickleResolver resolver({{"127.0.0.1"}});
  const TlsServer server;
  ASSERT_NE(server.port(), 0) << "openssl s_server did not start";
  const auto policy = allowing({server.place()});
  EXPECT_EQ(code_of(get(server.url("id.example"), {.policy = policy}, resolver)), Code::unavailable)
      << "signed by nobody we know";
  const FetcherOptions trusting{.policy = policy, .ca_file = server.certificate()};
  EXPECT_EQ(code_of(get(server.url("other.example"), trusting, resolver)), Code::unavailable) << "another's name";
  const auto answer = get(server.url("id.example"), trusting, resolver);
  ASSERT_TRUE(answer) << describe_for_operator(answer.error());
  EXPECT_EQ(answer->status, 200);
}

TEST_F(Fetching, tls_before_1_2_is_refused) {
  FickleResolver resolver({{"127.0.0.1"}});
  const TlsServer server({"-no_tls1_3", "-no_tls1_2", "-cipher", "ALL:@SECLEVEL=0"});
  ASSERT_NE(server.port(), 0) << "openssl s_server did not start";
  EXPECT_EQ(code_of(get(server.url("id.example"),
                        {.policy = allowing({server.place()}), .ca_file = server.certificate()}, resolver)),
            Code::unavailable);
}

}  // namespace
}  // namespace parley::net
