#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace parley::admission {

/// What subjects are hashed with, so that nobody who does not know it can aim at another's count. Random for each start
/// of a node that counts alone; nodes that share counts must share it (derived from the master key).
struct HashKey {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

/// SipHash-2-4: a keyed hash whose outputs tell nothing of each other, some 20 ns for a subject.
constexpr std::uint64_t keyed_hash(HashKey key, std::string_view bytes) {
  std::uint64_t v0 = key.first ^ 0x736f6d6570736575ULL, v1 = key.second ^ 0x646f72616e646f6dULL;
  std::uint64_t v2 = key.first ^ 0x6c7967656e657261ULL, v3 = key.second ^ 0x7465646279746573ULL;
  const auto round = [&] {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  };
  const auto byte = [&](std::size_t i) { return static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])); };
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 8; ++i) word |= byte(at + i) << (8 * i);
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
  std::uint64_t last = static_cast<std::uint64_t>(bytes.size()) << 56;
  for (std::size_t i = 0; at + i < bytes.size(); ++i) last |= byte(at + i) << (8 * i);
  v3 ^= last;
  round();
  round();
  v0 ^= last;
  v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) round();
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace parley::admission
