#include "parley/llm/sse.h"

#include <algorithm>

namespace parley::llm {

SseParser::Step SseParser::feed(std::string_view bytes) {
  if (failed_) return {Status::too_large, 0};
  if (dispatched_) {
    dispatched_ = has_data_ = false;
    name_.clear();
    data_.clear();
  }
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes[at] == '\n') {
        ++at;
        continue;
      }
    }
    const auto end = std::min(bytes.find_first_of("\r\n", at), bytes.size());
    const auto piece = bytes.substr(at, end - at);
    at = end;
    // The whole of what is kept, so that many short lines are no way round.
    if (line_.size() + piece.size() + name_.size() + data_.size() > limits_.event_bytes_max) {
      failed_ = true;
      line_ = name_ = data_ = {};
      return {Status::too_large, at};
    }
    if (end == bytes.size()) {
      line_.append(piece);
      break;
    }
    after_cr_ = bytes[at] == '\r';
    ++at;
    ++lines_;
    bool complete = false;
    if (line_.empty()) {
      complete = take_line(piece);
    } else {
      line_.append(piece);
      complete = take_line(line_);
      line_.clear();
    }
    if (complete) {
      dispatched_ = true;
      return {Status::event, at};
    }
  }
  return {Status::need_more, at};
}

bool SseParser::take_line(std::string_view line) {
  if (lines_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  if (line.empty()) {
    if (has_data_) {
      data_.pop_back();  // the line end behind the last line of data
      return true;
    }
    name_.clear();
    return false;
  }
  const auto colon = line.find(':');
  const auto field = line.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    has_data_ = true;
    data_.append(value);
    data_.push_back('\n');
  } else if (field == "event") {
    name_ = value;
  }
  return false;
}

}  // namespace parley::llm
