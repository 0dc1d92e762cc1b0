#include <benchmark/benchmark.h>

#include "parley/llm/openai.h"
#include "parley/llm/prompt.h"

namespace {

using namespace parley;
using namespace parley::llm;

/// One token as a provider sends it, from bytes to an event.
void token_of_a_stream(benchmark::State& state) {
  const OpenAiProtocol protocol({.model = "m"});
  const std::string chunk =
      "data: {\"id\":\"chatcmpl-0123456789\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
      "\"model\":\"a-model-of-some-name\",\"system_fingerprint\":null,\"choices\":[{\"index\":0,\"delta\":"
      "{\"content\":\" token\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
  // A stream ends at a bound; a new one begins before that.
  auto stream = std::make_unique<EventStream>(protocol.reader());
  Meter meter;
  std::vector<Event> events;
  std::int64_t fed = 0;
  for (auto _ : state) {
    if (++fed % 10'000 == 0) stream = std::make_unique<EventStream>(protocol.reader());
    benchmark::DoNotOptimize(stream->feed(chunk, meter, events));
    events.clear();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(chunk.size()));
}
BENCHMARK(token_of_a_stream);

/// Eight passages of a KB, ten messages before.
void prompt(benchmark::State& state) {
  std::string text;
  while (text.size() < 1'000) text += "The setting takes effect at the next start. ";
  PromptParts parts{.system = std::string(default_system_prompt),
                    .passages = {},
                    .history = {},
                    .question = {"How do I change it?", Origin::user}};
  for (int i = 0; i < 8; ++i)
    parts.passages.push_back(
        {{text, Origin::passage}, {"Settings", Origin::passage}, {"/settings#x", Origin::passage}});
  for (int i = 0; i < 10; ++i)
    parts.history.push_back({i % 2 == 0 ? Role::user : Role::assistant, {"A sentence or two.", Origin::user}});
  for (auto _ : state)
    benchmark::DoNotOptimize(build_prompt(parts, {.tokens_max = 16'000, .history_tokens_max = 4'000}));
}
BENCHMARK(prompt);

}  // namespace
