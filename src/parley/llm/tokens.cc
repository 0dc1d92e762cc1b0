#include "parley/llm/tokens.h"

#include <boost/json/serialize.hpp>

namespace parley::llm {
namespace {

// The role and the marks around a message; providers name three to seven.
constexpr std::int64_t message_overhead = 8;

template <class Count>
std::int64_t sum_of(const Request& request, Count count) {
  std::int64_t sum = 0;
  for (const auto& message : request.messages) {
    sum += message_overhead + count(message.text);
    for (const auto& call : message.tool_calls)
      sum += message_overhead + count(call.id) + count(call.name) + count(call.arguments);
    sum += count(message.tool_call_id);
  }
  for (const auto& tool : request.tools)
    sum +=
        message_overhead + count(tool.name) + count(tool.description) + count(boost::json::serialize(tool.parameters));
  return sum;
}

}  // namespace

std::int64_t token_quarters(std::string_view text) {
  std::int64_t quarters = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == ' ';
    // The bytes after the first of a letter count nothing, wherever the text was cut.
    if (plain) quarters += 1;
    else if (byte < 0x80) quarters += 2;
    else if (byte >= 0xf0) quarters += 8;
    else if (byte >= 0xe0) quarters += 4;
    else if (byte >= 0xc0) quarters += 2;
  }
  return quarters;
}

std::int64_t estimate_tokens(std::string_view text) { return (token_quarters(text) + 3) / 4; }

std::int64_t estimate_tokens(const Message& message) { return estimate_tokens(Request{.messages = {message}}); }

std::int64_t estimate_tokens(const Request& request) {
  return sum_of(request, [](std::string_view text) { return estimate_tokens(text); });
}

std::int64_t tokens_max(const Request& request) {
  return sum_of(request, [](std::string_view text) { return static_cast<std::int64_t>(text.size()); });
}

}  // namespace parley::llm
