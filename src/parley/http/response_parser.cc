#include "parley/http/response_parser.h"

#include <algorithm>
#include <charconv>

#include "parley/http/ascii.h"

namespace parley::http {
namespace {

// "103 Early Hints" and the like; a server that sends nothing else would otherwise be listened to for ever.
constexpr int interim_answers_max = 8;
// A chunk's size with an extension that nobody uses.
constexpr std::size_t chunk_line_bytes_max = 256;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

template <class Number>
bool parse_whole(std::string_view text, Number& to, int base) {
  if (text.empty()) return false;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), to, base);
  return status == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::optional<std::string_view> ResponseHead::header(std::string_view name) const {
  std::optional<std::string_view> found;
  for (const auto& [field, value] : headers) {
    if (field != name) continue;
    if (found) return std::nullopt;
    found = value;
  }
  return found;
}

ResponseParser::Step ResponseParser::refuse() {
  state_ = State::failed;
  return {Event::refused};
}

bool ResponseParser::close() {
  if (state_ == State::until_close) state_ = State::complete;
  return state_ == State::complete;
}

ResponseParser::Step ResponseParser::feed_head(std::string_view bytes) {
  constexpr std::string_view end_mark = "\r\n\r\n";
  // The mark may have begun in an earlier piece.
  const std::size_t old_size = head_text_.size();
  const std::size_t from = old_size < end_mark.size() - 1 ? 0 : old_size - (end_mark.size() - 1);
  const std::size_t room = limits_.head_bytes_max - old_size;
  head_text_.append(bytes.substr(0, room));
  const auto end = head_text_.find(end_mark, from);
  if (end == std::string::npos) {
    if (bytes.size() >= room) return refuse();
    // Nothing that is not HTTP is collected up to the limit before it is refused.
    constexpr std::string_view start = "HTTP/1.";
    const auto begin = std::string_view(head_text_).substr(0, start.size());
    if (begin != start.substr(0, begin.size())) return refuse();
    return {Event::need_more, bytes.size()};
  }
  head_text_.resize(end + 2);
  const std::size_t consumed = end + end_mark.size() - old_size;
  if (!read_head()) return refuse();
  if (head_.status < 200) {
    if (head_.status == 101 || ++interim_answers_ > interim_answers_max) return refuse();
    head_ = {};
    head_text_.clear();
    auto rest = feed_head(bytes.substr(consumed));
    rest.consumed += consumed;
    return rest;
  }
  if (!choose_framing()) return refuse();
  head_text_ = {};
  return {Event::head, consumed};
}

bool ResponseParser::read_head() {
  std::string_view text = head_text_;
  bool first = true;
  while (!text.empty()) {
    const auto end = text.find("\r\n");
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 2);
    if (!first) {
      if (!read_field(line)) return false;
      continue;
    }
    first = false;
    constexpr std::string_view http = "HTTP/1.";
    if (line.size() < 12 || !line.starts_with(http) || (line[7] != '0' && line[7] != '1') || line[8] != ' ')
      return false;
    http_1_0_ = line[7] == '0';
    if (!parse_whole(line.substr(9, 3), head_.status, 10) || head_.status < 100 || head_.status > 599) return false;
    if (line.size() > 12 && line[12] != ' ') return false;
    if (line.size() > 13 && !ascii::all(line.substr(13), ascii::field_value)) return false;
  }
  return !first;
}

bool ResponseParser::read_field(std::string_view line) {
  if (head_.headers.size() == limits_.headers_max) return false;
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0 || !ascii::all(line.substr(0, colon), ascii::token)) return false;
  const auto value = trimmed(line.substr(colon + 1));
  if (!value.empty() && !ascii::all(value, ascii::field_value)) return false;
  std::string name;
  for (const char c : line.substr(0, colon)) name.push_back(ascii::lower(c));
  head_.headers.emplace_back(std::move(name), value);
  return true;
}

bool ResponseParser::choose_framing() {
  std::optional<std::uint64_t> length;
  bool chunked = false;
  head_.keep_alive = !http_1_0_;
  for (const auto& [name, value] : head_.headers) {
    if (name == "content-length") {
      std::uint64_t number = 0;
      if (length || !parse_whole(std::string_view(value), number, 10)) return false;
      length = number;
    } else if (name == "transfer-encoding") {
      if (chunked || http_1_0_ || !ascii::equal_ignoring_case(value, "chunked")) return false;
      chunked = true;
    } else if (name == "connection") {
      if (ascii::equal_ignoring_case(value, "close")) head_.keep_alive = false;
      else if (ascii::equal_ignoring_case(value, "keep-alive")) head_.keep_alive = true;
      // A list says more than we know.
      else if (value.find(',') != std::string::npos) head_.keep_alive = false;
    }
  }
  if (length && chunked) return false;
  if (head_.status == 204 || head_.status == 304) {
    framing_ = Framing::none;
    state_ = State::complete;
  } else if (chunked) {
    framing_ = Framing::chunked;
    state_ = State::chunk_size;
  } else if (length) {
    framing_ = Framing::length;
    left_ = *length;
    state_ = left_ == 0 ? State::complete : State::length;
  } else {
    framing_ = Framing::until_close;
    state_ = State::until_close;
  }
  return true;
}

bool ResponseParser::collect_line(std::string_view bytes, std::size_t& consumed) {
  const auto end = bytes.find('\n');
  const auto piece = bytes.substr(0, end == std::string_view::npos ? bytes.size() : end + 1);
  consumed += piece.size();
  line_.append(piece.substr(0, chunk_line_bytes_max + 2));
  if (line_.size() > chunk_line_bytes_max) {
    state_ = State::failed;
    return false;
  }
  if (end == std::string_view::npos) return false;
  if (!line_.ends_with("\r\n")) {
    state_ = State::failed;
    return false;
  }
  line_.resize(line_.size() - 2);
  return true;
}

ResponseParser::Step ResponseParser::feed(std::string_view bytes) {
  if (state_ == State::head) {
    if (bytes.empty()) return {};
    return feed_head(bytes);
  }
  std::size_t consumed = 0;
  while (true) {
    const auto rest = bytes.substr(consumed);
    switch (state_) {
      case State::head: return refuse();
      case State::failed: return {Event::refused, consumed};
      case State::complete: return {Event::end, consumed};
      case State::until_close:
        if (rest.empty()) return {Event::need_more, consumed};
        return {Event::body, bytes.size(), rest};
      case State::length:
      case State::chunk: {
        if (rest.empty()) return {Event::need_more, consumed};
        const auto piece = rest.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size())));
        left_ -= piece.size();
        if (left_ == 0) state_ = state_ == State::length ? State::complete : State::chunk_end;
        return {Event::body, consumed + piece.size(), piece};
      }
      case State::chunk_end:
      case State::chunk_size:
      case State::trailer: {
        if (rest.empty()) return {Event::need_more, consumed};
        const std::size_t before = consumed;
        const bool whole = collect_line(rest, consumed);
        if (state_ == State::failed) return {Event::refused, consumed};
        if (state_ == State::trailer && (trailer_bytes_ += consumed - before) > limits_.head_bytes_max) return refuse();
        if (!whole) return {Event::need_more, consumed};
        const std::string_view line = line_;
        if (state_ == State::chunk_end) {
          if (!line.empty()) return refuse();
          state_ = State::chunk_size;
        } else if (state_ == State::trailer) {
          // Dropped: nothing that arrives behind a body may change what was read before it.
          if (line.empty()) state_ = State::complete;
        } else {
          const auto digits = line.substr(0, line.find(';'));
          // Fifteen digits cannot overflow.
          if (digits.size() > 15 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos ||
              !parse_whole(digits, left_, 16))
            return refuse();
          state_ = left_ == 0 ? State::trailer : State::chunk;
        }
        line_.clear();
        break;
      }
    }
  }
}

}  // namespace parley::http
