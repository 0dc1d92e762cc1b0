#include "parley/http/request_parser.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "parley/http/ascii.h"

namespace parley::http {
namespace {

// "METHOD " and " HTTP/1.1\r\n" around the target; a method longer than this names nothing.
constexpr std::size_t method_bytes_max = 32;
constexpr std::size_t request_line_around_target_bytes = method_bytes_max + 12;
// RFC 1035's 253 for a name, and a port.
constexpr std::size_t host_bytes_max = 261;
// 15 hexadecimal digits cannot overflow 64 bits; no chunk is that large.
constexpr std::size_t chunk_size_digits_max = 15;
// 18 decimal digits cannot overflow 64 bits.
constexpr std::size_t content_length_digits_max = 18;

/// Headers that mean something only once. Two of them are two readings of one request.
enum Single : std::uint16_t {
  host = 1,
  content_length = 2,
  transfer_encoding = 4,
  authorization = 8,
  content_type = 16,
  origin = 32,
  expect = 64,
  cookie = 128,
  none = 0,
};

Single single_of(std::string_view name) {
  const auto is = [&](std::string_view other) { return ascii::equal_ignoring_case(name, other); };
  switch (name.size()) {
    case 4: return is("host") ? host : none;
    case 6: return is("origin") ? origin : is("expect") ? expect : is("cookie") ? cookie : none;
    case 12: return is("content-type") ? content_type : none;
    case 13: return is("authorization") ? authorization : none;
    case 14: return is("content-length") ? content_length : none;
    case 17: return is("transfer-encoding") ? transfer_encoding : none;
    default: return none;
  }
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

bool RequestParser::refuse(int status, Literal reason) {
  state_ = State::refused;
  refusal_status_ = status;
  refusal_reason_ = reason.view();
  return false;
}

void RequestParser::next_request() {
  state_ = State::request_line;
  http_1_0_ = chunked_ = expects_continue_ = empty_line_skipped_ = false;
  close_named_ = keep_alive_named_ = upgrade_named_ = false;
  single_seen_ = 0;
  head_bytes_ = 0;
  body_left_ = 0;
  head_.headers.clear();
  head_.content_length.reset();
  head_.query.clear();
}

void RequestParser::shrink() {
  line_ = std::string();
  head_.headers = std::vector<Header>();
  head_.path = std::string();
  head_.query = std::string();
}

std::size_t RequestParser::line_bytes_max() const {
  const auto header_bytes_left = limits_.header_bytes_max - std::min(limits_.header_bytes_max, head_bytes_);
  switch (state_) {
    case State::request_line:
      return std::min(limits_.target_bytes_max + request_line_around_target_bytes, header_bytes_left);
    case State::headers: return header_bytes_left;
    case State::chunk_size: return chunk_size_digits_max + 2;
    default: return 2;
  }
}

bool RequestParser::refuse_long_line() {
  switch (state_) {
    case State::request_line: return refuse(414, "request target too long");
    case State::headers: return refuse(431, "headers too large");
    case State::last_line: return refuse(400, "trailer fields are not taken");
    default: return refuse(400, "bad chunk");
  }
}

RequestParser::Step RequestParser::feed(std::string_view bytes) {
  std::size_t at = 0;
  for (;;) {
    switch (state_) {
      case State::refused: return {Event::refused, at, {}};
      case State::complete: return {Event::complete, at, {}};
      case State::fixed_body:
      case State::chunk_data: {
        if (at == bytes.size()) return {Event::need_more, at, {}};
        const auto piece =
            bytes.substr(at, static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, bytes.size() - at)));
        body_left_ -= piece.size();
        if (body_left_ == 0) state_ = state_ == State::fixed_body ? State::complete : State::chunk_end;
        return {Event::body, at + piece.size(), piece};
      }
      default: break;
    }

    // Everything else is made of lines. A line that lies whole in `bytes` is read in place; only a torn one is copied.
    if (at == bytes.size()) return {Event::need_more, at, {}};
    const bool first_byte = state_ == State::request_line && line_.empty();
    // Judged before its line ends, so that a TLS hello or other noise on this port is not waited on.
    if (first_byte && !ascii::is(bytes[at], ascii::token) && (bytes[at] != '\r' || empty_line_skipped_)) {
      refuse(400, "not an HTTP request");
      return {Event::refused, at, {}};
    }
    const void* end = std::memchr(bytes.data() + at, '\n', bytes.size() - at);
    const std::size_t taken =
        end ? static_cast<std::size_t>(static_cast<const char*>(end) - bytes.data()) + 1 - at : bytes.size() - at;
    // The limit before the content: then the verdict cannot depend on how the line was torn.
    if (line_.size() + taken > line_bytes_max()) {
      refuse_long_line();
      return {Event::refused, at, {}};
    }
    std::string_view line = bytes.substr(at, taken);
    at += taken;
    if (!end) {
      line_.append(line);
      return {Event::need_more, at, {}};
    }
    if (!line_.empty()) {
      line_.append(line);
      line = line_;
    }
    if (state_ == State::request_line || state_ == State::headers) head_bytes_ += line.size();
    if (line.size() < 2 || line[line.size() - 2] != '\r') {
      refuse(400, "line not ended by CR LF");
      return {Event::refused, at, {}};
    }
    line.remove_suffix(2);

    Event event = Event::need_more;
    switch (state_) {
      case State::request_line:
        if (line.empty()) {
          // RFC 9112 2.2: a client may send one empty line too many after a body.
          empty_line_skipped_ = true;
        } else if (parse_request_line(line)) {
          state_ = State::headers;
        }
        break;
      case State::headers:
        if (!line.empty()) {
          parse_header_line(line);
        } else if (finish_head()) {
          event = Event::head;
        }
        break;
      case State::chunk_size: parse_chunk_size(line); break;
      case State::chunk_end:
        if (line.empty()) {
          state_ = State::chunk_size;
        } else {
          refuse(400, "bad chunk");
        }
        break;
      case State::last_line: state_ = State::complete; break;  // line_bytes_max leaves room for nothing but CR LF
      default: break;
    }
    line_.clear();
    if (event == Event::head) return {event, at, {}};
  }
}

bool RequestParser::parse_request_line(std::string_view line) {
  const auto method_end = line.find(' ');
  if (method_end == std::string_view::npos || method_end == 0) return refuse(400, "bad request line");
  const auto method = line.substr(0, method_end);
  const auto target_end = line.find(' ', method_end + 1);
  if (target_end == std::string_view::npos) return refuse(400, "bad request line");
  const auto target = line.substr(method_end + 1, target_end - method_end - 1);
  const auto version = line.substr(target_end + 1);
  if (method.size() > method_bytes_max || !ascii::all(method, ascii::token)) return refuse(400, "bad method");

  // The version before the target, so that "PRI * HTTP/2.0" is told what is wrong with it.
  if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) || version[6] != '.' ||
      !is_digit(version[7])) {
    return refuse(400, "bad request line");
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken");
  http_1_0_ = version[7] == '0';
  head_.method = parse_method(method);

  if (target.size() > limits_.target_bytes_max) return refuse(414, "request target too long");
  if (target == "*") {
    if (head_.method != Method::options) return refuse(400, "asterisk is for OPTIONS");
    head_.path = "*";
    return true;
  }
  // No absolute form, though RFC 9112 3.2.2 asks servers to take it: only proxies are sent one, and it would be a
  // second name of the host next to the Host header. No authority form: CONNECT is not offered.
  if (!target.starts_with('/')) return refuse(400, "target must start with a slash");
  const auto query_at = target.find('?');
  const auto path = target.substr(0, query_at);
  const auto query = query_at == std::string_view::npos ? std::string_view() : target.substr(query_at + 1);
  if (!ascii::all(path, ascii::path) || !ascii::all(query, ascii::query)) return refuse(400, "bad byte in target");
  head_.path = path;
  head_.query = query;
  return true;
}

bool RequestParser::parse_header_line(std::string_view line) {
  const auto colon = line.find(':');
  // A folded line begins with a blank and "Name :" ends with one: neither is a token.
  if (colon == std::string_view::npos || colon == 0 || !ascii::all(line.substr(0, colon), ascii::token)) {
    return refuse(400, "bad header name");
  }
  const auto header_name = line.substr(0, colon);
  const auto value = trim_blanks(line.substr(colon + 1));
  if (!ascii::all(value, ascii::field_value)) return refuse(400, "control character in header");
  if (head_.headers.size() >= limits_.headers_max) return refuse(431, "too many headers");

  const auto single = single_of(header_name);
  if (single != none) {
    if (single_seen_ & single) return refuse(400, "header repeated that must be single");
    single_seen_ |= single;
  }
  switch (single) {
    case host:
      if (value.empty() || value.size() > host_bytes_max || !ascii::all(value, ascii::host)) {
        return refuse(400, "bad Host");
      }
      break;
    case content_length: {
      if (value.empty() || !std::ranges::all_of(value, is_digit)) return refuse(400, "bad Content-Length");
      if (value.size() > content_length_digits_max) return refuse(413, "body too large");
      std::uint64_t length = 0;
      for (const char c : value) length = length * 10 + static_cast<std::uint64_t>(c - '0');
      head_.content_length = length;
      break;
    }
    case transfer_encoding:
      // "gzip, chunked", "chunked, chunked" and "xchunked" are each read in more than one way out there.
      if (!ascii::equal_ignoring_case(value, "chunked")) return refuse(501, "Transfer-Encoding is not chunked");
      chunked_ = true;
      break;
    case expect:
      if (!ascii::equal_ignoring_case(value, "100-continue")) return refuse(417, "unknown expectation");
      expects_continue_ = true;
      break;
    default:
      if (header_name.size() == 10 && ascii::equal_ignoring_case(header_name, "connection") &&
          !note_connection(value)) {
        return false;
      }
      break;
  }
  head_.headers.emplace_back(std::string(header_name), std::string(value));
  return true;
}

bool RequestParser::note_connection(std::string_view value) {
  for (;;) {
    const auto comma = value.find(',');
    const auto option = trim_blanks(value.substr(0, comma));
    if (!option.empty() && !ascii::all(option, ascii::token)) return refuse(400, "bad Connection");
    if (ascii::equal_ignoring_case(option, "close")) close_named_ = true;
    if (ascii::equal_ignoring_case(option, "keep-alive")) keep_alive_named_ = true;
    if (ascii::equal_ignoring_case(option, "upgrade")) upgrade_named_ = true;
    if (comma == std::string_view::npos) return true;
    value.remove_prefix(comma + 1);
  }
}

bool RequestParser::finish_head() {
  if (!http_1_0_ && !(single_seen_ & host)) return refuse(400, "Host missing");
  if (chunked_ && head_.content_length) return refuse(400, "both Content-Length and Transfer-Encoding");
  if (chunked_ && http_1_0_) return refuse(400, "Transfer-Encoding on HTTP/1.0");
  if (chunked_) {
    state_ = State::chunk_size;
  } else if (head_.content_length.value_or(0) > 0) {
    body_left_ = *head_.content_length;
    state_ = State::fixed_body;
  } else {
    state_ = State::complete;
  }
  return true;
}

bool RequestParser::parse_chunk_size(std::string_view line) {
  // No extensions: no client we serve sends one, and readers differ on where a quoted one ends.
  if (line.empty() || line.size() > chunk_size_digits_max || !ascii::all(line, ascii::hex_digit)) {
    return refuse(400, "bad chunk size");
  }
  std::uint64_t size = 0;
  for (const char c : line) {
    size = size * 16 + static_cast<std::uint64_t>(is_digit(c) ? c - '0' : ascii::lower(c) - 'a' + 10);
  }
  body_left_ = size;
  state_ = size == 0 ? State::last_line : State::chunk_data;
  return true;
}

}  // namespace parley::http
