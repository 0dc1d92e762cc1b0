// Any bytes: no crash, valid UTF-8, no empty block, ids unique and the same again, bounded text.
#include <cstddef>
#include <cstdint>

#include "parley/knowledge/parse_properties.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace parley::knowledge;
  require_properties(parse_mdx, {reinterpret_cast<const char*>(data), size});
  return 0;
}
