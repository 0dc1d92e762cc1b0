#pragma once

#include "parley/llm/reader.h"
#include "parley/llm/upstream.h"

namespace parley::llm {

/// The chat completions protocol, as OpenAI, Azure, vLLM, Ollama, llama.cpp and many others speak it.
class OpenAiProtocol final : public Protocol {
 public:
  enum class KeyHeader : std::uint8_t { bearer, api_key };
  /// What the limit of an answer is called: newer models know one name alone, older servers the other.
  enum class LimitField : std::uint8_t { max_tokens, max_completion_tokens };
  struct Options {
    std::string model;
    KeyHeader key_header = KeyHeader::bearer;
    LimitField limit_field = LimitField::max_tokens;
    /// Behind the path, e.g. "?api-version=…"; empty for most.
    std::string query = {};
  };
  explicit OpenAiProtocol(Options options) : options_(std::move(options)) {}

  std::string body(const Request& request, std::int64_t output_tokens_max) const override;
  std::string path() const override { return "/chat/completions" + options_.query; }
  std::string probe_path() const override { return "/models" + options_.query; }
  std::vector<net::FetchHeader> headers(const Secret& key) const override;
  std::unique_ptr<StreamReader> reader() const override;

 private:
  const Options options_;
};

}  // namespace parley::llm
