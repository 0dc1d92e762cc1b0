// Whatever a provider sends, and however it is torn: the same events, the same failure, the same count; no more text
// than bytes; and never more calls than are allowed.
#include "parley/llm/openai.h"
#include "parley/llm/stream_properties.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const parley::llm::OpenAiProtocol protocol({.model = "m"});
  parley::llm::require_stream_properties(
      protocol, size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
