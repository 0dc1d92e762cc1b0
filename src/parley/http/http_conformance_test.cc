// llhttp's own request cases, strict mode. Every case we judge otherwise is listed with the reason; an unlisted
// difference fails, and so does a listed one that is no difference any more.
//
// Three things are done to the cases first. The stored inputs have lost the last CR LF of a blank line: it is put back
// where llhttp's own log reaches past the stored bytes. And llhttp does not ask for Host, so one is added where ours is
// the only complaint; that HTTP/1.1 needs it is tested in request_parser_test.cc. And a case that llhttp refuses in the
// middle of a line gets the line's end, where our parser judges it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include <boost/json.hpp>

#include "parley/http/parser_driver.h"
#include "parley/text/base64.h"

namespace parley::http {
namespace {

constexpr auto closed_there = "we accept the first request and close; what follows is never read";
constexpr auto any_method = "an unknown method is framed like any other and answered 405 by the router";
constexpr auto connect = "authority form is for proxies; CONNECT is not offered";
constexpr auto absolute = "absolute form is for proxies; the host would have two names";
constexpr auto asterisk = "asterisk form is for OPTIONS alone";
constexpr auto fragment = "a fragment is never sent; readers differ on whether it is part of the path";
constexpr auto quotes = "a quotation mark must be percent-encoded";
constexpr auto extension = "chunk extensions are not taken: readers differ on where a quoted one ends";
constexpr auto trailer =
    "trailer fields are not taken: nothing here reads them, and some readers merge them into headers";
constexpr auto fragment_and_coding = "a fragment, and a coding before chunked that readers frame differently";
constexpr auto two_lines = "one empty line too many is skipped, as RFC 9112 2.2 asks; two are not";
constexpr auto http_0_9 = "HTTP/0.9 has no headers, so nothing we decide by";
constexpr auto other_protocol = "RTSP and ICE are not spoken";

struct Difference {
  const char* our_reason;  ///< what our parser says; "" where it accepts
  const char* why;
};

// By "file: title".
const std::map<std::string, Difference>& differences() {
  static const std::map<std::string, Difference> table = {
      {"request/connection.md: `keep-alive` / No restart when keep-alive is off (1.0)", {"", closed_there}},
      {"request/connection.md: `close` / CRLF between requests, explicit `close`", {"", closed_there}},
      {"request/connection.md: `close` / CRLF between requests, explicit `close` followed by tab", {"", closed_there}},
      {"request/connection.md: `keep-alive` / CRLF between requests, implicit `keep-alive`",
       {"not an HTTP request", two_lines}},
      {"request/invalid.md: HTTP protocol and ANNOUNCE method", {"", any_method}},
      {"request/invalid.md: Invalid method", {"", any_method}},
      {"request/method.md: CONNECT request", {"target must start with a slash", connect}},
      {"request/method.md: CONNECT request with CAPS", {"target must start with a slash", connect}},
      {"request/method.md: CONNECT with body", {"target must start with a slash", connect}},
      {"request/uri.md: Underscore in hostname", {"target must start with a slash", connect}},
      {"request/method.md: M-SEARCH request", {"asterisk is for OPTIONS", asterisk}},
      {"request/method.md: PRI request HTTP2", {"asterisk is for OPTIONS", asterisk}},
      {"request/method.md: SOURCE request with ICE", {"bad request line", other_protocol}},
      {"request/method.md: OPTIONS request with RTSP", {"bad request line", other_protocol}},
      {"request/method.md: ANNOUNCE request with RTSP", {"bad request line", other_protocol}},
      {"request/sample.md: No HTTP version", {"bad request line", http_0_9}},
      {"request/transfer-encoding.md: `chunked` / Trailing headers", {"trailer fields are not taken", trailer}},
      {"request/transfer-encoding.md: `chunked` / Chunk extensions", {"bad chunk", extension}},
      {"request/transfer-encoding.md: `chunked` / Chunk extensions quoting", {"bad chunk", extension}},
      {"request/transfer-encoding.md: POST with `chunked` as last transfer-encoding",
       {"bad byte in target", fragment_and_coding}},
      {"request/transfer-encoding.md: POST with `chunked` as last transfer-encoding (multiple headers)",
       {"bad byte in target", fragment_and_coding}},
      {"request/uri.md: Quotes in URI", {"bad byte in target", quotes}},
      {"request/uri.md: Fragment in URI", {"bad byte in target", fragment}},
      {"request/uri.md: Host terminated by a query string", {"target must start with a slash", absolute}},
      {"request/uri.md: `host:port` terminated by a query string", {"target must start with a slash", absolute}},
      {"request/uri.md: `host:port` terminated by a space", {"target must start with a slash", absolute}},
      {"request/uri.md: `host:port` and basic auth", {"target must start with a slash", absolute}},
  };
  return table;
}

struct Verdict {
  bool accepted;
  std::string reason;
};

Verdict judge(std::string bytes) {
  for (;;) {
    const auto seen = run_parser(bytes, [](std::size_t left) { return left; });
    if (seen.refusal_reason != "Host missing") return {seen.refusal_status == 0, seen.refusal_reason};
    auto line = seen.requests.empty() ? 0 : seen.requests.back().end;
    if (bytes.compare(line, 2, "\r\n") == 0) line += 2;
    bytes.insert(bytes.find("\r\n", line) + 2, "Host: a.test\r\n");
  }
}

std::string decode(std::string_view text) {
  const auto bytes = text::parse_base64(text);
  EXPECT_TRUE(bytes) << text;
  return bytes ? std::string(bytes->begin(), bytes->end()) : std::string();
}

TEST(HttpConformance, EveryDifferenceFromLlhttpIsExplained) {
  const std::filesystem::path path = "../shared/data/http/cases.jsonl";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent";
  std::ifstream file(path);
  std::size_t cases = 0;
  std::map<std::string, bool> used;
  for (std::string line; std::getline(file, line);) {
    const auto one = boost::json::parse(line).as_object();
    if (one.at("type") != "request" || !one.at("strict").as_bool() || one.at("accept").is_null()) continue;
    ++cases;
    auto bytes = decode(one.at("input_b64").as_string());
    for (const auto& entry : one.at("log").as_array()) {
      const std::string text(entry.as_string());
      if (text.starts_with("off=") && std::stoul(text.substr(4)) > bytes.size()) {
        bytes += "\r\n";
        break;
      }
    }
    const bool theirs = one.at("accept").as_bool();
    auto ours = judge(bytes);
    if (!theirs && ours.accepted) ours = judge(bytes + "\r\n");
    const auto key = std::string(one.at("file").as_string()) + ": " + std::string(one.at("title").as_string());
    const auto difference = differences().find(key);
    if (difference == differences().end()) {
      EXPECT_EQ(ours.accepted, theirs) << key << "\n  ours: " << ours.reason;
    } else {
      used[key] = true;
      EXPECT_NE(ours.accepted, theirs) << key << " is no difference";
      EXPECT_EQ(ours.reason, difference->second.our_reason) << key;
    }
  }
  EXPECT_EQ(used.size(), differences().size()) << "the table explains cases that are not there";
  EXPECT_GT(cases, 100);
}

}  // namespace
}  // namespace parley::http
