#include "parley/llm/anthropic.h"

#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "parley/llm/tokens.h"
#include "parley/text/json.h"

namespace parley::llm {
namespace {

namespace json = boost::json;

class Reader final : public StreamReader {
 public:
  std::optional<Failure> take(std::string_view, std::string_view data, Meter& meter,
                              std::vector<Event>& events) override {
    const auto parsed = text::parse_json(data);
    const auto* object = parsed ? parsed->if_object() : nullptr;
    // The type stands in the event's name and in its data; the data is what there is one of.
    const auto type = object ? find_text(*object, "type") : std::nullopt;
    if (!type) return Failure::bad_answer;
    if (*type == "error") return Failure::interrupted;
    if (*type == "message_stop") {
      done_ = true;
    } else if (*type == "message_start") {
      if (const auto* message = find_object(*object, "message"))
        if (const auto* usage = find_object(*message, "usage")) take_usage(*usage, meter);
    } else if (*type == "message_delta") {
      if (const auto* usage = find_object(*object, "usage")) {
        take_usage(*usage, meter);
        // The count of the end; the one of the beginning is the input's alone.
        meter.reported = input_known_ && find_tokens(*usage, "output_tokens").has_value();
      }
      if (const auto* delta = find_object(*object, "delta")) take_stop(*delta);
    } else if (*type == "content_block_start") {
      return take_block(*object, meter, events);
    } else if (*type == "content_block_delta") {
      return take_delta(*object, meter, events);
    }
    // "ping", "content_block_stop" and whatever will be invented.
    return std::nullopt;
  }

  std::optional<Failure> end(std::vector<Event>& events) override {
    if (!done_) return Failure::interrupted;
    if (finish_ != Finish::tool_calls) return std::nullopt;
    return calls_.finish(events) ? std::nullopt : std::optional(Failure::bad_answer);
  }

  bool done() const override { return done_; }
  Finish finish() const override { return finish_; }

 private:
  void take_usage(const json::object& usage, Meter& meter) {
    if (const auto fresh = find_tokens(usage, "input_tokens")) {
      // Counted apart by this provider: what was written to its cache, and what was read from there.
      const auto read = find_tokens(usage, "cache_read_input_tokens").value_or(0);
      const auto written = find_tokens(usage, "cache_creation_input_tokens").value_or(0);
      meter.usage.input = std::min(*fresh + read + written, usage_tokens_max);
      meter.usage.cached_input = read;
      input_known_ = true;
    }
    // Of the whole answer so far, so the last one counts.
    if (const auto output = find_tokens(usage, "output_tokens")) meter.usage.output = *output;
  }

  void take_stop(const json::object& delta) {
    const auto reason = find_text(delta, "stop_reason");
    if (!reason) return;
    if (*reason == "max_tokens" || *reason == "model_context_window_exceeded") finish_ = Finish::length;
    else if (*reason == "tool_use") finish_ = Finish::tool_calls;
    else if (*reason == "refusal") finish_ = Finish::withheld;
    else finish_ = Finish::stop;
  }

  std::optional<Failure> take_block(const json::object& event, Meter& meter, std::vector<Event>& events) {
    const auto* block = find_object(event, "content_block");
    const auto index = find_number(event, "index");
    const auto type = block ? find_text(*block, "type") : std::nullopt;
    if (!type || !index) return Failure::bad_answer;
    if (*type == "text") {
      if (const auto text = find_text(*block, "text"); text && !text->empty()) add_text(*text, meter, events);
      return std::nullopt;
    }
    if (*type != "tool_use") return std::nullopt;
    auto* call = calls_.at(*index);
    const auto id = find_text(*block, "id");
    const auto name = find_text(*block, "name");
    if (!call || !id || !name || !call->name.empty()) return Failure::bad_answer;
    return calls_.append(call->id, *id) && calls_.append(call->name, *name) ? std::nullopt
                                                                            : std::optional(Failure::bad_answer);
  }

  std::optional<Failure> take_delta(const json::object& event, Meter& meter, std::vector<Event>& events) {
    const auto* delta = find_object(event, "delta");
    const auto type = delta ? find_text(*delta, "type") : std::nullopt;
    if (!type) return Failure::bad_answer;
    if (*type == "text_delta") {
      if (const auto text = find_text(*delta, "text"); text && !text->empty()) add_text(*text, meter, events);
    } else if (*type == "input_json_delta") {
      const auto index = find_number(event, "index");
      const auto piece = find_text(*delta, "partial_json");
      auto* call = index ? calls_.at(*index) : nullptr;
      if (!call || !piece) return Failure::bad_answer;
      meter.output_quarters += token_quarters(*piece);
      if (!calls_.append(call->arguments, *piece)) return Failure::bad_answer;
    } else if (*type == "thinking_delta") {
      if (const auto thought = find_text(*delta, "thinking")) meter.output_quarters += token_quarters(*thought);
    }
    return std::nullopt;
  }

  static void add_text(std::string_view text, Meter& meter, std::vector<Event>& events) {
    meter.output_quarters += token_quarters(text);
    events.emplace_back(TextDelta{std::string(text)});
  }

  ToolCallBuilder calls_;
  Finish finish_ = Finish::stop;
  bool input_known_ = false;
  bool done_ = false;
};

json::array content_of(const Message& message) {
  json::array content;
  if (message.role == Role::tool) {
    content.push_back(
        json::object{{"type", "tool_result"}, {"tool_use_id", message.tool_call_id}, {"content", message.text}});
    return content;
  }
  // An empty text block is refused.
  if (!message.text.empty()) content.push_back(json::object{{"type", "text"}, {"text", message.text}});
  for (const auto& call : message.tool_calls) {
    // Our own copy of what the model wrote: if it was no object, it is said again as an empty one.
    auto input = text::parse_json(call.arguments);
    content.push_back(
        json::object{{"type", "tool_use"},
                     {"id", call.id},
                     {"name", call.name},
                     {"input", input && input->is_object() ? *std::move(input) : json::value(json::object())}});
  }
  return content;
}

}  // namespace

std::string AnthropicProtocol::body(const Request& request, std::int64_t output_tokens_max) const {
  std::string system;
  json::array messages;
  for (const auto& message : request.messages) {
    if (message.role == Role::system) {
      if (!system.empty()) system += "\n\n";
      system += message.text;
      continue;
    }
    const char* role = message.role == Role::assistant ? "assistant" : "user";
    auto content = content_of(message);
    if (content.empty()) continue;
    // Turns alternate: results of several tools are one turn of the user's.
    if (!messages.empty() && messages.back().as_object()["role"] == role) {
      auto& merged = messages.back().as_object()["content"].as_array();
      for (auto& block : content) merged.push_back(std::move(block));
    } else {
      messages.push_back(json::object{{"role", role}, {"content", std::move(content)}});
    }
  }
  json::object body{
      {"model", model_}, {"max_tokens", output_tokens_max}, {"stream", true}, {"messages", std::move(messages)}};
  if (!system.empty()) body["system"] = system;
  if (request.temperature) body["temperature"] = std::clamp(*request.temperature, 0.0, 1.0);
  if (!request.tools.empty()) {
    json::array tools;
    for (const auto& tool : request.tools)
      tools.push_back(
          json::object{{"name", tool.name}, {"description", tool.description}, {"input_schema", tool.parameters}});
    body["tools"] = std::move(tools);
  }
  return json::serialize(body);
}

std::vector<net::FetchHeader> AnthropicProtocol::headers(const Secret& key) const {
  std::vector<net::FetchHeader> headers;
  headers.push_back({"anthropic-version", Secret("2023-06-01")});
  if (!key.empty()) headers.push_back({"x-api-key", key});
  return headers;
}

std::unique_ptr<StreamReader> AnthropicProtocol::reader() const { return std::make_unique<Reader>(); }

}  // namespace parley::llm
