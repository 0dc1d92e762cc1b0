#include <benchmark/benchmark.h>

#include <string>

#include "parley/knowledge/parse.h"

namespace parley::knowledge {
namespace {

// One page of the usual mixture, 5 KB or so.
std::string page(int number) {
  std::string text = "# Page " + std::to_string(number) + "\n\nWhat this page is about, in a sentence or two.\n\n";
  for (int section = 0; section < 6; ++section) {
    text += "## Section " + std::to_string(section) + " of `options`\n\n";
    text +=
        "The server reads its configuration when it starts, and again when it is told to. Values that are\n"
        "not set keep their defaults; see [the table](../reference/options.md#defaults) for what they are.\n"
        "A value that cannot be read is an **error**, never a silent default, so that a typing mistake does\n"
        "not open what was meant to be _closed_.\n\n"
        "- `listen`: the address and the port, as in `127.0.0.1:8080`\n"
        "- `data`: the folder that holds everything\n  - made if it is absent\n  - locked while in use\n\n"
        "| Name | Default | Meaning |\n|---|---|---|\n| `limit` | 15/min | messages of a visitor |\n"
        "| `timeout` | 30s | until the first byte |\n\n"
        "```sh\nserver --listen 127.0.0.1:8080 --data ./data\n```\n\n";
  }
  return text;
}

void parse_pages(benchmark::State& state) {
  const std::string text = page(1);
  for (auto _ : state) benchmark::DoNotOptimize(parse_markdown(text, "page.md"));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(text.size()));
}
BENCHMARK(parse_pages);

void parse_one_large_page(benchmark::State& state) {
  std::string text;
  for (int i = 0; text.size() < 2'000'000; ++i) text += page(i);
  for (auto _ : state) benchmark::DoNotOptimize(parse_markdown(text, "page.md"));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(text.size()));
}
BENCHMARK(parse_one_large_page);

void parse_mdx_pages(benchmark::State& state) {
  const std::string text = page(1);
  for (auto _ : state) benchmark::DoNotOptimize(parse_mdx(text, "page.mdx"));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(text.size()));
}
BENCHMARK(parse_mdx_pages);

void parse_html_pages(benchmark::State& state) {
  std::string text = "<html><head><title>Page | Site</title></head><body><main><h1>Page</h1>";
  for (int i = 0; i < 6; ++i)
    text +=
        "<h2 id=\"s\">Section</h2><p>The server reads its <b>configuration</b> when it starts, and again when it is "
        "told "
        "to. Values that are not set keep their <a href=\"x\">defaults</a>.</p><ul><li>one<li>two</ul>"
        "<table><tr><th>Name<th>Default<tr><td>limit<td>15/min</table><pre>server --data ./data</pre>";
  text += "</main></body></html>";
  for (auto _ : state) benchmark::DoNotOptimize(parse_html(text, "page.html"));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(text.size()));
}
BENCHMARK(parse_html_pages);

}  // namespace
}  // namespace parley::knowledge
