#include "parley/http/response_parser.h"

#include <gtest/gtest.h>

namespace parley::http {
namespace {

struct Seen {
  int status = 0;
  std::string body;
  bool complete = false;
  bool refused = false;
  bool may_continue = false;
  std::size_t consumed = 0;
};

Seen read(std::string_view bytes, std::size_t piece, bool closed = false) {
  ResponseParser parser({.head_bytes_max = 400, .headers_max = 5});
  Seen seen;
  for (std::size_t at = 0; at < bytes.size() && !seen.refused && !seen.complete; at += piece) {
    auto rest = bytes.substr(at, piece);
    while (true) {
      const auto step = parser.feed(rest);
      seen.consumed += step.consumed;
      rest.remove_prefix(step.consumed);
      seen.body += step.body;
      if (step.event == ResponseParser::Event::refused) seen.refused = true;
      if (step.event != ResponseParser::Event::head && step.event != ResponseParser::Event::body) break;
    }
    seen.complete = parser.is_complete();
  }
  if (closed) seen.complete = parser.close();
  seen.status = parser.head().status;
  seen.may_continue = parser.may_continue();
  return seen;
}

TEST(ResponseParser, reads_the_same_however_the_bytes_are_torn) {
  const std::string chunked =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: 1\r\n\r\n"
      "5\r\nhello\r\nA;name=value\r\n, torn one\r\n0\r\nTrailer: x\r\n\r\n";
  const std::string with_length = "HTTP/1.1 429 Too Many\r\nContent-Length: 15\r\n\r\nhello, torn one";
  for (std::size_t piece = 1; piece < chunked.size(); ++piece) {
    auto seen = read(chunked, piece);
    EXPECT_TRUE(seen.complete && seen.may_continue) << piece;
    EXPECT_EQ(seen.status, 200);
    EXPECT_EQ(seen.body, "hello, torn one");
    seen = read(with_length, piece);
    EXPECT_TRUE(seen.complete && seen.may_continue) << piece;
    EXPECT_EQ(seen.status, 429);
    EXPECT_EQ(seen.body, "hello, torn one");
  }
}

TEST(ResponseParser, a_body_without_a_stated_end_ends_with_the_connection_and_the_others_do_not) {
  EXPECT_TRUE(read("HTTP/1.1 200 OK\r\n\r\nhalf", 3, true).complete);
  EXPECT_FALSE(read("HTTP/1.1 200 OK\r\n\r\nhalf", 3, true).may_continue);
  EXPECT_FALSE(read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 3, true).complete);
  EXPECT_FALSE(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", 3, true).complete);
  EXPECT_FALSE(read("HTTP/1.1 200 OK\r\nContent-Le", 3, true).complete);
  EXPECT_TRUE(read("HTTP/1.1 204 None\r\n\r\n", 3).complete);
  EXPECT_FALSE(read("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 3).may_continue);
  EXPECT_FALSE(read("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 3).may_continue);
}

TEST(ResponseParser, what_two_readers_would_read_differently_is_refused) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  for (const std::string& bytes : {std::string("nonsense"),
                                   std::string("HTTP/2 200 OK\r\n\r\n"),
                                   std::string("HTTP/1.1 20 OK\r\n\r\n"),
                                   std::string("HTTP/1.1 101 Switch\r\n\r\n"),
                                   ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
                                   ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                                   ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                                   ok + "Content-Length: -1\r\n\r\n",
                                   ok + "Content-Length: \r\n\r\n",
                                   ok + "Content-Length: 0x5\r\n\r\nhello",
                                   ok + "X : 1\r\n\r\n",
                                   ok + " folded: 1\r\n\r\n",
                                   ok + "X: a\x01\r\n\r\n",
                                   ok + "X: a\nY: b\r\n\r\n",
                                   ok + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
                                   ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
                                   ok + "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello",
                                   ok + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello",
                                   ok + "A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\nF: 1\r\n\r\n",
                                   ok + "X: " + std::string(500, 'x') + "\r\n\r\n",
                                   ok + "Transfer-Encoding: chunked\r\n\r\n5;" + std::string(300, 'x')})
    for (const std::size_t piece : {std::size_t{1}, bytes.size()}) EXPECT_TRUE(read(bytes, piece).refused) << bytes;
}

TEST(ResponseParser, stops_where_the_answer_ends) {
  const auto seen = read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", 1000);
  EXPECT_TRUE(seen.complete);
  EXPECT_EQ(seen.body, "ok");
  EXPECT_EQ(seen.consumed, 40U);
}

}  // namespace
}  // namespace parley::http
