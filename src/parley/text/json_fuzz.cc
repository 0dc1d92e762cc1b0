// Whatever is accepted is written to text that is accepted and equal: nothing stored changes by being read again.
#include <cstdint>
#include <cstdlib>

#include <boost/json/serialize.hpp>

#include "parley/text/json.h"
#include "parley/text/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = parley::text::parse_json(text);
  if (!value) return 0;
  if (!parley::text::is_valid_utf8(text)) std::abort();
  const auto again = parley::text::parse_json(boost::json::serialize(*value), {.bytes_max = 16 * 1024 * 1024});
  if (!again || *again != *value) std::abort();
  return 0;
}
