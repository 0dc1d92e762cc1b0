// Whatever is published as a key set: what is made of it holds only asymmetric keys within the limits, each found by
// its own name and by no other, and a key that was read verifies no signature that its owner did not make.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "parley/crypto/jwk.h"

namespace {

using namespace parley::crypto;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text =
      size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data), size);
  static_cast<void>(parse_jwk(text, KeySource::kept_secret));
  const auto keys = parse_jwks(text, KeySource::published);
  if (!keys) return 0;
  require(size <= jwks_bytes_max && !keys->empty() && keys->all().size() <= jwks_keys_max);
  for (const auto& [kid, key] : keys->all()) {
    require(key.algorithm() != JwsAlgorithm::hs256);
    require(kid.size() <= kid_bytes_max);
    if (!kid.empty()) require(keys->find(kid, key.algorithm()) == &key);
    require(keys->find(kid + "x", JwsAlgorithm::hs256) == nullptr);
    const std::string zeros(key.algorithm() == JwsAlgorithm::es256 ? 64 : 256, '\0');
    require(!key.verifies(text, zeros));
    require(!key.verifies(text, ""));
  }
  return 0;
}
