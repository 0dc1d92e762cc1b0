#pragma once

#include "parley/llm/reader.h"
#include "parley/llm/upstream.h"

namespace parley::llm {

/// Anthropic's Messages protocol.
class AnthropicProtocol final : public Protocol {
 public:
  explicit AnthropicProtocol(std::string model) : model_(std::move(model)) {}

  std::string body(const Request& request, std::int64_t output_tokens_max) const override;
  std::string path() const override { return "/v1/messages"; }
  std::string probe_path() const override { return "/v1/models"; }
  std::vector<net::FetchHeader> headers(const Secret& key) const override;
  std::unique_ptr<StreamReader> reader() const override;

 private:
  const std::string model_;
};

}  // namespace parley::llm
