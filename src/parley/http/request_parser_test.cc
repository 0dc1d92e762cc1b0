#include "parley/http/request_parser.h"

#include <gtest/gtest.h>

#include "parley/http/parser_driver.h"

namespace parley::http {
namespace {

using namespace std::string_literals;

SeenStream whole(std::string_view bytes, ParserLimits limits = {}) {
  return run_parser(bytes, [](std::size_t left) { return left; }, limits);
}

TEST(RequestParser, ReadsAHead) {
  const auto seen =
      whole("POST /a/b%20c?q=1&r HTTP/1.1\r\nHost: x.test:80\r\nX-Two:\t spaced out \t\r\nX-None:\r\n\r\n");
  ASSERT_EQ(seen.requests.size(), 1);
  const auto& head = seen.requests[0].head;
  EXPECT_EQ(head.method, Method::post);
  EXPECT_EQ(head.path, "/a/b%20c");
  EXPECT_EQ(head.query, "q=1&r");
  EXPECT_EQ(head.header("host"), "x.test:80");
  EXPECT_EQ(head.header("x-two"), "spaced out");
  EXPECT_EQ(head.header("X-NONE"), "");
  EXPECT_EQ(head.header("absent"), std::nullopt);
  EXPECT_EQ(head.content_length, std::nullopt);
}

TEST(RequestParser, ReadsRequestsOneAfterAnother) {
  const auto seen = whole(
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
      "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n"
      "\r\nGET /3 HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\nignored");
  ASSERT_EQ(seen.requests.size(), 3);
  EXPECT_EQ(seen.requests[0].body, "abc");
  EXPECT_EQ(seen.requests[1].body, "abc0123456789");
  EXPECT_EQ(seen.requests[2].head.path, "/3");
  EXPECT_TRUE(seen.closed);
}

TEST(RequestParser, NothingIsKeptFromTheRequestBefore) {
  const auto seen = whole(
      "POST /1?q HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nZ"
      "GET /2 HTTP/1.1\r\nHost: b\r\n\r\n");
  ASSERT_EQ(seen.requests.size(), 2);
  const auto& second = seen.requests[1].head;
  EXPECT_EQ(second.query, "");
  EXPECT_EQ(second.headers.size(), 1);
  EXPECT_EQ(second.content_length, std::nullopt);
}

TEST(RequestParser, KeepsTheConnectionAsTheVersionSays) {
  EXPECT_FALSE(whole("GET / HTTP/1.1\r\nHost: a\r\n\r\n").closed);
  EXPECT_TRUE(whole("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").closed);
  EXPECT_TRUE(whole("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n").closed);
  EXPECT_TRUE(whole("GET / HTTP/1.0\r\n\r\n").closed);
  EXPECT_FALSE(whole("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").closed);
}

TEST(RequestParser, RefusesEverySecondReading) {
  const auto with = [](std::string_view headers) {
    return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(headers) + "\r\n";
  };
  const auto chunked = [&](std::string_view body) {
    return with("Transfer-Encoding: chunked\r\n") + std::string(body);
  };
  const std::pair<std::string, int> cases[] = {
      // framing
      {with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), 400},
      {with("Content-Length: 1\r\nContent-Length: 1\r\n"), 400},
      {with("Content-Length: 1, 1\r\n"), 400},
      {with("Content-Length: +1\r\n"), 400},
      {with("Content-Length: -1\r\n"), 400},
      {with("Content-Length: 0x1\r\n"), 400},
      {with("Content-Length: 1 1\r\n"), 400},
      {with("Content-Length:\r\n"), 400},
      {with("Content-Length: 18446744073709551617\r\n"), 413},
      {with("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {with("Transfer-Encoding: chunked, chunked\r\n"), 501},
      {with("Transfer-Encoding: xchunked\r\n"), 501},
      {with("Transfer-Encoding: identity\r\n"), 501},
      {with("Transfer-Encoding:\r\n"), 501},
      {with("Transfer-Encoding: \x0b"
            "chunked\r\n"),
       400},
      {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      // lines
      {with("A : b\r\n"), 400},
      {with("A\t: b\r\n"), 400},
      {with(" A: b\r\n"), 400},
      {with("A: b\r\n c\r\n"), 400},
      {with("A: b\r\n\tc\r\n"), 400},
      {with("A: b\nC: d\r\n"), 400},
      {with("A: b\rC: d\r\n"), 400},
      {with("A: b\r\r\n"), 400},
      {with("A: \0\r\n"s), 400},
      {with("A: \x7f\r\n"), 400},
      {with("A: \x1b[31m\r\n"), 400},
      {with("A\xC3\xA9: b\r\n"), 400},
      {with("no colon\r\n"), 400},
      {with(": b\r\n"), 400},
      {"GET / HTTP/1.1\nHost: a\n\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"\n", 400},
      {"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {" GET / HTTP/1.1\r\n", 400},
      {"\x16\x03\x01\x02", 400},
      // headers that must be single
      {with("Host: a\r\n"), 400},
      {with("host: b\r\n"), 400},
      {with("Authorization: x\r\nauthorization: y\r\n"), 400},
      {with("Content-Type: x\r\nContent-Type: x\r\n"), 400},
      {with("Origin: x\r\nORIGIN: x\r\n"), 400},
      {with("Cookie: x\r\nCookie: y\r\n"), 400},
      {with("Expect: 100-continue\r\nExpect: 100-continue\r\n"), 400},
      {with("Expect: tea\r\n"), 417},
      {with("Connection: clo se\r\n"), 400},
      // host
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: " + std::string(262, 'a') + "\r\n\r\n", 400},
      // request line
      {"GET  / HTTP/1.1\r\n", 400},
      {"GET / HTTP/1.1 \r\n", 400},
      {"GET\t/\tHTTP/1.1\r\n", 400},
      {"GET /\r\n", 400},
      {"GET / http/1.1\r\n", 400},
      {"GET / HTTP/1.10\r\n", 400},
      {"GET / HTTP/1.2\r\n", 505},
      {"GET / HTTP/2.0\r\n", 505},
      {"GET / HTTP/0.9\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"G(T / HTTP/1.1\r\n", 400},
      {std::string(33, 'G') + " / HTTP/1.1\r\n", 400},
      {"GET http://a/ HTTP/1.1\r\n", 400},
      {"GET a HTTP/1.1\r\n", 400},
      {"CONNECT a:443 HTTP/1.1\r\n", 400},
      {"GET * HTTP/1.1\r\n", 400},
      {"GET /# HTTP/1.1\r\n", 400},
      {"GET /\xC3\xA9 HTTP/1.1\r\n", 400},
      {"GET /\\..\\x HTTP/1.1\r\n", 400},
      {"GET /?\" HTTP/1.1\r\n", 400},
      // chunks
      {chunked("x\r\n"), 400},
      {chunked("\r\n"), 400},
      {chunked("-1\r\n"), 400},
      {chunked("0x1\r\n"), 400},
      {chunked("1 \r\n"), 400},
      {chunked("1;a=b\r\n"), 400},
      {chunked("1\nA\r\n"), 400},
      {chunked("1\r\nAB\r\n"), 400},
      {chunked("1\r\nA\n0\r\n"), 400},
      {chunked("1\r\nA0\r\n\r\n"), 400},
      {chunked("0\r\nTrailer: x\r\n\r\n"), 400},
      {chunked("0\r\n\n"), 400},
      {chunked("0000000000000001\r\n"), 400},
      {chunked("ffffffffffffffff\r\n"), 400},
  };
  for (const auto& [bytes, status] : cases) {
    EXPECT_EQ(whole(bytes).refusal_status, status) << testing::PrintToString(bytes);
    const auto torn = run_parser(bytes, [](std::size_t) { return 1; });
    EXPECT_EQ(torn.refusal_status, status) << "byte by byte: " << testing::PrintToString(bytes);
  }
}

TEST(RequestParser, TakesWhatBrowsersSend) {
  for (const char* good : {
           "GET /a|b^c[d]?q={}`|\\ HTTP/1.1\r\nHost: a\r\n\r\n",
           "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET /%zz HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
           "GET //x HTTP/1.1\r\nHost: a\r\nReferer: http://a/\xC3\xA9\r\n\r\n",
           "BREW / HTTP/1.1\r\nHost: a\r\nVia: a\r\nVia: b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
       }) {
    EXPECT_EQ(whole(good).refusal_reason, "") << good;
    EXPECT_EQ(whole(good).requests.size(), 1) << good;
  }
}

TEST(RequestParser, HoldsItsLimitsHoweverTheBytesAreTorn) {
  const ParserLimits limits{.header_bytes_max = 200, .target_bytes_max = 50, .headers_max = 3};
  const auto line = [](std::size_t target) { return "GET /" + std::string(target - 1, 'a') + " HTTP/1.1\r\n"; };
  const auto padded = [&](std::size_t total) {
    auto head = "GET / HTTP/1.1\r\nHost: a\r\nX: "s;
    head += std::string(total - head.size() - 4, 'x') + "\r\n\r\n";
    return head;
  };
  const std::pair<std::string, int> cases[] = {
      {line(50) + "Host: a\r\n\r\n", 0},
      {line(51) + "Host: a\r\n\r\n", 414},
      {line(1000), 414},
      {std::string(1000, 'a'), 414},
      {padded(200), 0},
      {padded(201), 431},
      {padded(2000), 431},
      {"GET / HTTP/1.1\r\nX: " + std::string(1000, 'x'), 431},
      {"GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\n\r\n", 0},
      {"GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\nC:\r\n\r\n", 431},
  };
  for (const auto& [bytes, status] : cases) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{3}, std::size_t{64}, bytes.size()}) {
      EXPECT_EQ(run_parser(
                    bytes, [&](std::size_t) { return size; }, limits)
                    .refusal_status,
                status)
          << bytes << " in pieces of " << size;
    }
  }
}

}  // namespace
}  // namespace parley::http
