// Quoted text never closes its quotation: whatever stands in passages, titles, addresses, history and question, the
// word of the frames appears in the last message twice for each passage and nowhere else; and the prompt stays within
// its tokens.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "parley/llm/prompt.h"
#include "parley/llm/tokens.h"

namespace {

using namespace parley;
using namespace parley::llm;

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t tokens = std::size_t{data[0]} * 16;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  // Lines are, in turn, a passage's text, title and address, and a message of the history; the last is the question.
  PromptParts parts{.system = "Answer.", .passages = {}, .history = {}, .question = {"", Origin::user}};
  const auto next = [&] {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    return Untrusted<>(std::string(line), Origin::passage);
  };
  while (rest.contains('\n')) {
    auto text = next();
    auto title = next();
    auto url = next();
    parts.passages.push_back({std::move(text), std::move(title), std::move(url)});
    parts.history.push_back({parts.history.size() % 2 == 0 ? Role::user : Role::assistant, next()});
  }
  parts.question = Untrusted<>(std::string(rest), Origin::user);
  const PromptLimits limits{.tokens_max = static_cast<std::int64_t>(tokens), .history_tokens_max = 200};
  const auto prompt = build_prompt(parts, limits);
  if (!prompt) return 0;
  if (count(prompt->messages.back().text, prompt->mark) != 2 * prompt->passages.size()) std::abort();
  for (std::size_t i = 1; i + 1 < prompt->messages.size(); ++i)
    if (prompt->messages[i].text.contains(prompt->mark)) std::abort();
  if (prompt->tokens > limits.tokens_max) std::abort();
  if (estimate_tokens(Request{.messages = prompt->messages}) > limits.tokens_max) std::abort();
  for (const auto number : cited_numbers(rest, 3))
    if (number < 1 || number > 3) std::abort();
  return 0;
}
