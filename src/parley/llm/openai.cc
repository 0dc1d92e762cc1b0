#include "parley/llm/openai.h"

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
    if (data == "[DONE]") {
      done_ = true;
      return std::nullopt;
    }
    const auto parsed = text::parse_json(data);
    const auto* chunk = parsed ? parsed->if_object() : nullptr;
    if (!chunk) return Failure::bad_answer;
    // Reported with status 200, since the head had left before it was known. vLLM calls the whole object "error".
    if (const auto* error = chunk->if_contains("error"); error && !error->is_null()) return Failure::interrupted;
    if (find_text(*chunk, "object") == "error") return Failure::interrupted;
    if (const auto* usage = find_object(*chunk, "usage")) take_usage(*usage, meter);

    // Absent or empty in the first chunk of Azure (its filters) and in the last of all (the usage).
    const auto* field = chunk->if_contains("choices");
    const auto* choices = field ? field->if_array() : nullptr;
    if (!choices || choices->empty()) return std::nullopt;
    const auto* choice = choices->front().if_object();
    if (!choice) return Failure::bad_answer;
    if (const auto* delta = find_object(*choice, "delta")) {
      if (const auto failure = take_delta(*delta, meter, events)) return failure;
    }
    if (const auto reason = find_text(*choice, "finish_reason")) {
      if (*reason == "error") return Failure::interrupted;
      finished_ = true;
      if (*reason == "length") finish_ = Finish::length;
      else if (*reason == "content_filter") finish_ = Finish::withheld;
      else if (*reason == "tool_calls" || *reason == "function_call") finish_ = Finish::tool_calls;
    }
    return std::nullopt;
  }

  std::optional<Failure> end(std::vector<Event>& events) override {
    // Not everybody says [DONE]; nobody is whole without having said either.
    if (!done_ && !finished_) return Failure::interrupted;
    // Some say "stop" with calls at hand.
    if (!calls_.empty() && finish_ == Finish::stop) finish_ = Finish::tool_calls;
    // Calls that were cut off by the limit are not called.
    if (finish_ != Finish::tool_calls) return std::nullopt;
    return calls_.finish(events) ? std::nullopt : std::optional(Failure::bad_answer);
  }

  bool done() const override { return done_; }
  Finish finish() const override { return finish_; }

 private:
  static void take_usage(const json::object& usage, Meter& meter) {
    const auto input = find_tokens(usage, "prompt_tokens");
    const auto output = find_tokens(usage, "completion_tokens");
    if (!input || !output) return;
    meter.usage = {.input = *input, .cached_input = 0, .output = *output};
    if (const auto* details = find_object(usage, "prompt_tokens_details"))
      meter.usage.cached_input = find_tokens(*details, "cached_tokens").value_or(0);
    meter.reported = true;
  }

  std::optional<Failure> take_delta(const json::object& delta, Meter& meter, std::vector<Event>& events) {
    if (const auto content = find_text(delta, "content"); content && !content->empty()) {
      meter.output_quarters += token_quarters(*content);
      events.emplace_back(TextDelta{std::string(*content)});
    }
    // A refusal is said to the person who asked, and not as an answer.
    if (const auto refusal = find_text(delta, "refusal"); refusal && !refusal->empty()) finish_ = Finish::withheld;
    // Thinking is paid for and not shown.
    for (const auto* name : {"reasoning_content", "reasoning"})
      if (const auto thought = find_text(delta, name)) meter.output_quarters += token_quarters(*thought);
    const auto* field = delta.if_contains("tool_calls");
    const auto* pieces = field ? field->if_array() : nullptr;
    if (!pieces) return std::nullopt;
    for (const auto& value : *pieces) {
      const auto* piece = value.if_object();
      if (!piece) return Failure::bad_answer;
      const auto id = find_text(*piece, "id");
      auto* call = static_cast<ToolCall*>(nullptr);
      if (const auto index = find_number(*piece, "index")) call = calls_.at(*index);
      else if (id && !id->empty()) call = calls_.at(calls_.next_index());  // some leave the number out
      else call = calls_.last();
      if (!call) return Failure::bad_answer;
      bool fits = true;
      if (id && call->id.empty()) fits = fits && calls_.append(call->id, *id);
      if (const auto* function = find_object(*piece, "function")) {
        if (const auto name = find_text(*function, "name"); name && call->name.empty())
          fits = fits && calls_.append(call->name, *name);
        if (const auto arguments = find_text(*function, "arguments")) {
          meter.output_quarters += token_quarters(*arguments);
          fits = fits && calls_.append(call->arguments, *arguments);
        }
      }
      if (!fits) return Failure::bad_answer;
    }
    return std::nullopt;
  }

  ToolCallBuilder calls_;
  Finish finish_ = Finish::stop;
  bool finished_ = false;
  bool done_ = false;
};

const char* role_name(Role role) {
  switch (role) {
    case Role::system: return "system";
    case Role::user: return "user";
    case Role::assistant: return "assistant";
    case Role::tool: return "tool";
  }
  std::unreachable();
}

json::object message_of(const Message& message) {
  json::object object{{"role", role_name(message.role)}, {"content", message.text}};
  if (!message.tool_calls.empty()) {
    json::array calls;
    for (const auto& call : message.tool_calls)
      calls.push_back(json::object{{"id", call.id},
                                   {"type", "function"},
                                   {"function", json::object{{"name", call.name}, {"arguments", call.arguments}}}});
    object["tool_calls"] = std::move(calls);
  }
  if (message.role == Role::tool) object["tool_call_id"] = message.tool_call_id;
  return object;
}

}  // namespace

std::string OpenAiProtocol::body(const Request& request, std::int64_t output_tokens_max) const {
  json::array messages;
  for (const auto& message : request.messages) messages.push_back(message_of(message));
  json::object body{{"model", options_.model},
                    {"messages", std::move(messages)},
                    {"stream", true},
                    {"stream_options", json::object{{"include_usage", true}}}};
  body[options_.limit_field == LimitField::max_tokens ? "max_tokens" : "max_completion_tokens"] = output_tokens_max;
  if (request.temperature) body["temperature"] = *request.temperature;
  if (!request.tools.empty()) {
    json::array tools;
    for (const auto& tool : request.tools)
      tools.push_back(json::object{
          {"type", "function"},
          {"function",
           json::object{{"name", tool.name}, {"description", tool.description}, {"parameters", tool.parameters}}}});
    body["tools"] = std::move(tools);
  }
  return json::serialize(body);
}

std::vector<net::FetchHeader> OpenAiProtocol::headers(const Secret& key) const {
  std::vector<net::FetchHeader> headers;
  // A server on one's own machine may want none.
  if (key.empty()) return headers;
  if (options_.key_header == KeyHeader::api_key) headers.push_back({"api-key", key});
  else headers.push_back({"Authorization", Secret("Bearer " + std::string(key.reveal()))});
  return headers;
}

std::unique_ptr<StreamReader> OpenAiProtocol::reader() const { return std::make_unique<Reader>(); }

}  // namespace parley::llm
