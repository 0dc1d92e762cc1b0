// Whatever is presented as a key: it is accepted only in the one spelling that our own maker writes, and changing any
// one of its characters makes it unacceptable.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "parley/identity/api_key.h"
#include "parley/identity/fuzz_random.h"

namespace {

using namespace parley;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text =
      size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data), size);

  if (const auto key = identity::parse_api_key(text)) {
    require(text.size() == identity::api_key_characters);
    require(text.starts_with(key->kind() == identity::KeyKind::secret ? "sk_1" : "pk_1"));
    require(text.ends_with(key->last4()));
    require(!identity::parse_api_key(std::string(text) + " "));
  }

  identity::FuzzRandom random(text);
  const auto kind = size % 2 == 0 ? identity::KeyKind::secret : identity::KeyKind::public_key;
  const Secret made = identity::make_api_key(kind, random);
  const auto parsed = identity::parse_api_key(made.reveal());
  require(parsed.has_value() && parsed->kind() == kind);

  // One character of the key becomes another: a CRC-32 finds every such change.
  std::string changed(made.reveal());
  const auto where = size == 0 ? 0 : data[0] % changed.size();
  const char with = size < 2 ? '~' : static_cast<char>(data[1]);
  if (changed[where] != with) {
    changed[where] = with;
    require(!identity::parse_api_key(changed));
  }
  return 0;
}
