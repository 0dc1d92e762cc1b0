#include "parley/crypto/random.h"

#include <array>
#include <cstdlib>

#include "parley/crypto/sodium.h"

namespace parley::crypto {
namespace {

class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    ensure_sodium();
    randombytes_buf(out.data(), out.size());
  }
};

Uuid with_version(std::array<std::uint8_t, 16> bytes, unsigned version) {
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0fU) | version << 4);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3fU) | 0x80U);
  return Uuid(bytes);
}

}  // namespace

Random& system_random() {
  static SystemRandom random;
  return random;
}

std::string random_bytes(std::size_t count, Random& random) {
  std::string out(count, '\0');
  random.fill({bytes_of(out), out.size()});
  return out;
}

std::string random_text(std::size_t length, std::string_view alphabet, Random& random) {
  if (alphabet.size() < 2 || alphabet.size() > 256) std::abort();  // a mistake in the program, not in its input
  const std::size_t fair = 256 / alphabet.size() * alphabet.size();
  std::string text;
  text.reserve(length);
  std::array<std::uint8_t, 64> pool{};
  while (text.size() < length) {
    random.fill(pool);
    for (const auto byte : pool) {
      if (text.size() == length) break;
      if (byte < fair) text.push_back(alphabet[byte % alphabet.size()]);
    }
  }
  sodium_memzero(pool.data(), pool.size());
  return text;
}

Uuid random_uuid(Random& random) {
  std::array<std::uint8_t, 16> bytes{};
  random.fill(bytes);
  return with_version(bytes, 4);
}

Uuid random_uuid_v7(Timestamp at, Random& random) {
  std::array<std::uint8_t, 16> bytes{};
  random.fill(bytes);
  auto milliseconds = static_cast<std::uint64_t>(at.micros) / 1000;
  for (std::size_t i = 6; i-- > 0; milliseconds >>= 8) bytes[i] = static_cast<std::uint8_t>(milliseconds);
  return with_version(bytes, 7);
}

std::string random_slug(Random& random) {
  return random_text(slug_length, "abcdefghijklmnopqrstuvwxyz0123456789", random);
}

}  // namespace parley::crypto
