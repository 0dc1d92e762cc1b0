#include "parley/llm/reader.h"

#include <algorithm>

#include <boost/json/value.hpp>

namespace parley::llm {

std::optional<Failure> EventStream::feed(std::string_view bytes, Meter& meter, std::vector<Event>& events) {
  while (!bytes.empty()) {
    // What follows the end is not looked at: it can change nothing any more.
    if (reader_->done()) return std::nullopt;
    const auto step = parser_.feed(bytes);
    bytes.remove_prefix(step.consumed);
    if (step.status == SseParser::Status::too_large) return Failure::bad_answer;
    if (step.status == SseParser::Status::need_more) return std::nullopt;
    const auto before = events.size();
    const auto event = parser_.event();
    if (const auto failure = reader_->take(event.name, event.data, meter, events)) return failure;
    for (auto i = before; i < events.size(); ++i)
      if (const auto* delta = std::get_if<TextDelta>(&events[i])) text_bytes_ += delta->text.size();
    if (text_bytes_ > answer_text_bytes_max) return Failure::bad_answer;
  }
  return std::nullopt;
}

ToolCall* ToolCallBuilder::at(std::int64_t index) {
  const auto found = std::ranges::find(calls_, index, &Entry::index);
  if (found != calls_.end()) return &found->call;
  if (calls_.size() == tool_calls_max) return nullptr;
  return &calls_.emplace_back(Entry{.index = index, .call = {}}).call;
}

std::int64_t ToolCallBuilder::next_index() const {
  std::int64_t next = 0;
  for (const auto& entry : calls_) next = std::max(next, entry.index + 1);
  return next;
}

bool ToolCallBuilder::append(std::string& to, std::string_view text) {
  bytes_ += text.size();
  if (bytes_ > tool_bytes_max) return false;
  to.append(text);
  return true;
}

bool ToolCallBuilder::finish(std::vector<Event>& events) {
  for (auto& entry : calls_) {
    if (entry.call.name.empty()) return false;
    // A tool without parameters is called without arguments by some, and with an empty object by others.
    if (entry.call.arguments.empty()) entry.call.arguments = "{}";
    events.emplace_back(std::move(entry.call));
  }
  calls_.clear();
  return true;
}

const boost::json::object* find_object(const boost::json::object& in, std::string_view name) {
  const auto* value = in.if_contains(name);
  return value ? value->if_object() : nullptr;
}

std::optional<std::string_view> find_text(const boost::json::object& in, std::string_view name) {
  const auto* value = in.if_contains(name);
  const auto* text = value ? value->if_string() : nullptr;
  if (!text) return std::nullopt;
  return std::string_view(text->data(), text->size());
}

std::optional<std::int64_t> find_number(const boost::json::object& in, std::string_view name) {
  const auto* value = in.if_contains(name);
  const auto* number = value ? value->if_int64() : nullptr;
  if (!number) return std::nullopt;
  return *number;
}

std::optional<std::int64_t> find_tokens(const boost::json::object& in, std::string_view name) {
  const auto count = find_number(in, name);
  if (!count || *count < 0 || *count > usage_tokens_max) return std::nullopt;
  return count;
}

}  // namespace parley::llm
