// One framing only: however the bytes are torn, the same requests and the same refusal come out; and each accepted
// request ends where a second, deliberately naive reader of the RFC says it ends.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "parley/http/parser_driver.h"

namespace {

using parley::http::ParserLimits;
using parley::http::RequestHead;
using parley::http::SeenStream;

// Small, so that a fuzzer reaches them.
constexpr ParserLimits limits{.header_bytes_max = 512, .target_bytes_max = 64, .headers_max = 12};

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

bool same_head(const RequestHead& a, const RequestHead& b) {
  if (a.method != b.method || a.path != b.path || a.query != b.query || a.content_length != b.content_length ||
      a.headers.size() != b.headers.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.headers.size(); ++i) {
    if (a.headers[i].name != b.headers[i].name || a.headers[i].value != b.headers[i].value) return false;
  }
  return true;
}

void require_same(const SeenStream& a, const SeenStream& b) {
  require(a.refusal_status == b.refusal_status && a.refusal_reason == b.refusal_reason, "refusal depends on tearing");
  require(a.requests.size() == b.requests.size(), "number of requests depends on tearing");
  require(a.in_request == b.in_request && a.closed == b.closed, "end of stream depends on tearing");
  for (std::size_t i = 0; i < a.requests.size(); ++i) {
    require(a.requests[i].end == b.requests[i].end, "a request's end depends on tearing");
    require(a.requests[i].body == b.requests[i].body, "a body depends on tearing");
    require(same_head(a.requests[i].head, b.requests[i].head), "a head depends on tearing");
  }
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

/// Values of a header, found by splitting at CR LF and comparing in lower case: shares no code with the parser.
std::vector<std::string> values_of(std::string_view head, std::string_view wanted) {
  std::vector<std::string> values;
  for (auto at = head.find("\r\n"); at != std::string_view::npos && at + 2 < head.size();) {
    const auto next = head.find("\r\n", at + 2);
    const auto line = head.substr(at + 2, next - at - 2);
    const auto colon = line.find(':');
    std::string name;
    for (const char c : line.substr(0, colon)) name.push_back(lower(c));
    if (colon != std::string_view::npos && name == wanted) {
      auto value = line.substr(colon + 1);
      while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
      while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
      std::string folded;
      for (const char c : value) folded.push_back(lower(c));
      values.push_back(folded);
    }
    at = next;
  }
  return values;
}

/// Where the request that begins at `begin` ends, and its body; none where a strict reader would refuse.
struct Naive {
  std::size_t end;
  std::string body;
};
std::optional<Naive> read_naively(std::string_view stream, std::size_t begin) {
  auto rest = stream.substr(begin);
  std::size_t skipped = 0;
  if (rest.starts_with("\r\n")) skipped = 2;
  rest.remove_prefix(skipped);
  const auto head_end = rest.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return std::nullopt;
  const auto head = rest.substr(0, head_end + 2);
  for (std::size_t i = 0; i < head.size(); ++i) {
    if (head[i] == '\n' && (i == 0 || head[i - 1] != '\r')) return std::nullopt;
    if (head[i] == '\r' && (i + 1 == head.size() || head[i + 1] != '\n')) return std::nullopt;
    if (head[i] == '\0') return std::nullopt;
  }
  if (head.contains("\r\n ") || head.contains("\r\n\t")) return std::nullopt;
  const auto lengths = values_of(head, "content-length");
  const auto codings = values_of(head, "transfer-encoding");
  if (lengths.size() + codings.size() > 1) return std::nullopt;
  std::size_t at = head_end + 4;
  if (!lengths.empty()) {
    if (lengths[0].find_first_not_of("0123456789") != std::string::npos || lengths[0].empty()) return std::nullopt;
    const auto length = std::strtoull(lengths[0].c_str(), nullptr, 10);
    if (length > rest.size() - at) return std::nullopt;
    return Naive{begin + skipped + at + length, std::string(rest.substr(at, length))};
  }
  if (codings.empty()) return Naive{begin + skipped + at, {}};
  if (codings[0] != "chunked") return std::nullopt;
  std::string body;
  for (;;) {
    const auto line_end = rest.find("\r\n", at);
    if (line_end == std::string_view::npos) return std::nullopt;
    const std::string digits(rest.substr(at, line_end - at));
    if (digits.empty() || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) return std::nullopt;
    const auto size = std::strtoull(digits.c_str(), nullptr, 16);
    at = line_end + 2;
    if (size > rest.size() - at || rest.substr(at + size, 2) != "\r\n") return std::nullopt;
    body.append(rest.substr(at, size));
    at += size + 2;
    if (size == 0) return Naive{begin + skipped + at, body};
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = parley::http::run_parser(bytes, [](std::size_t left) { return left; }, limits);
  require_same(whole, parley::http::run_parser(bytes, [](std::size_t) { return 1; }, limits));
  // Pieces of varying size, drawn from the input itself so that a finding can be replayed.
  std::size_t turn = 0;
  require_same(
      whole, parley::http::run_parser(bytes, [&](std::size_t) { return 1 + data[(turn++ * 7) % size] % 13; }, limits));

  std::size_t begin = 0;
  for (const auto& request : whole.requests) {
    const auto naive = read_naively(bytes, begin);
    require(naive.has_value(), "accepted what a strict reader refuses");
    require(naive->end == request.end, "a strict reader ends the request elsewhere");
    require(naive->body == request.body, "a strict reader sees another body");
    require(request.head.headers.size() <= limits.headers_max, "too many headers");
    begin = request.end;
  }
  return 0;
}
