#include "parley/crypto/totp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstdlib>

#include "parley/crypto/hash.h"

namespace parley::crypto {
namespace {

const EVP_MD* md_of(TotpHash hash) {
  switch (hash) {
    case TotpHash::sha1: return EVP_sha1();
    case TotpHash::sha256: return EVP_sha256();
    case TotpHash::sha512: return EVP_sha512();
  }
  std::unreachable();
}

// One each way.
constexpr std::int64_t window_steps = 1;

}  // namespace

Secret make_totp_secret(Random& random) { return Secret(random_bytes(totp_secret_bytes, random)); }

std::int64_t totp_step(Timestamp at, std::chrono::seconds period) {
  const auto micros = std::chrono::microseconds(period).count();
  // Rounded down, also before 1970.
  return at.micros >= 0 ? at.micros / micros : -((-at.micros + micros - 1) / micros);
}

Secret hotp_code(const Secret& secret, std::uint64_t counter, TotpHash hash, int digits) {
  std::array<unsigned char, 8> message{};
  for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<unsigned char>(counter >> (56 - 8 * i));
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned length = 0;
  const auto key = secret.reveal();
  // Fails only for want of memory or of the algorithm: without either there is no going on.
  if (HMAC(md_of(hash), key.data(), static_cast<int>(key.size()), message.data(), message.size(), mac.data(),
           &length) == nullptr)
    std::abort();
  const std::size_t offset = mac[length - 1] & 0x0fU;
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = number << 8 | mac[offset + i];
  number &= 0x7fffffffU;
  std::string code(static_cast<std::size_t>(digits), '0');
  for (auto digit = code.rbegin(); digit != code.rend(); ++digit, number /= 10)
    *digit = static_cast<char>('0' + number % 10);
  return Secret(std::move(code));
}

Secret totp_code(const Secret& secret, std::int64_t step, const TotpShape& shape) {
  return hotp_code(secret, static_cast<std::uint64_t>(step), shape.hash, shape.digits);
}

std::optional<std::int64_t> find_totp_step(const Secret& secret, std::string_view presented, std::int64_t now,
                                           std::int64_t last_accepted, const TotpShape& shape) {
  std::string digits;
  for (const char c : presented) {
    if (c == ' ') continue;
    if (c < '0' || c > '9' || digits.size() == static_cast<std::size_t>(shape.digits)) return std::nullopt;
    digits.push_back(c);
  }
  if (digits.size() != static_cast<std::size_t>(shape.digits)) return std::nullopt;
  std::optional<std::int64_t> found;
  for (std::int64_t step = now - window_steps; step <= now + window_steps; ++step) {
    const bool equal = equal_constant_time(totp_code(secret, step, shape).reveal(), digits);
    if (equal && step >= 0 && step > last_accepted && !found) found = step;
  }
  return found;
}

Secret to_base32(const Secret& bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string text;
  text.reserve(bytes.reveal().size() * 8 / 5 + 1);
  std::uint32_t held = 0;
  int bits = 0;
  for (const char c : bytes.reveal()) {
    held = held << 8 | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 5; bits -= 5) text.push_back(alphabet[held >> (bits - 5) & 31U]);
  }
  if (bits > 0) text.push_back(alphabet[held << (5 - bits) & 31U]);
  return Secret(std::move(text));
}

}  // namespace parley::crypto
