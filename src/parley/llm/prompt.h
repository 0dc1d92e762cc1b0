#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/untrusted.h"
#include "parley/llm/model.h"

namespace parley::llm {

/// A piece of a document that was found, with where it stands. All three are somebody else's words.
struct Passage {
  Untrusted<> text;
  Untrusted<> title;
  Untrusted<> url;
};

/// What was said before, by the person or by a model.
struct PastMessage {
  Role role = Role::user;  ///< user or assistant
  Untrusted<> text;
};

struct PromptParts {
  /// The operator's words, and the only ones here that are instructions.
  std::string system;
  std::vector<Passage> passages;     ///< the best first
  std::vector<PastMessage> history;  ///< the oldest first
  Untrusted<> question;
};

struct PromptLimits {
  /// For all of it, as estimated (`tokens.h`): what the model's context leaves beside the answer. See `prompt_limits`.
  std::int64_t tokens_max = 0;
  /// Of it for what was said before: older turns matter less than the documents.
  std::int64_t history_tokens_max = 0;
  std::size_t passages_max = 8;
};

/// A quarter for the history, the rest for everything else.
PromptLimits prompt_limits(const ModelCard& card, std::int64_t output_tokens_max = 0);

struct Prompt {
  std::vector<Message> messages;
  /// Of `PromptParts::passages`, by place: the first is [1] in the answer, and so on.
  std::vector<std::size_t> passages;
  std::size_t history_used = 0;  ///< of its end
  std::int64_t tokens = 0;       ///< estimated
  /// The word in every frame. It stands in no text that was quoted, so none of them could end its frame.
  std::string mark;
};

/// What a model is told where the operator says nothing else.
extern const std::string_view default_system_prompt;

/// Puts a prompt together: the system's words with how to read the frames; the latest history that fits, beginning with
/// a question; then one message with the passages, framed, and the question behind them. Passages that do not fit are
/// left out whole, the best first of those that do. Deterministic: the same parts give the same bytes.
/// `too_large` if the system's words and the question alone do not fit.
Result<Prompt> build_prompt(const PromptParts& parts, const PromptLimits& limits);

/// The numbers in brackets that an answer holds ("[2]", "[1, 3]"), each once, in order of appearance, only those from 1
/// to `count`: what is no passage of the prompt is no citation. Code in backticks is not looked into.
std::vector<std::size_t> cited_numbers(std::string_view answer, std::size_t count);

}  // namespace parley::llm
