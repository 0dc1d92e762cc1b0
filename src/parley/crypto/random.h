#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "parley/base/time.h"
#include "parley/base/uuid.h"

namespace parley::crypto {

/// Where randomness comes from. A port, so that a test can make ids and keys repeatable; the program itself only ever
/// passes `system_random()`. `fill` does not fail: a machine without randomness must stop rather than go on.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;
};

/// The operating system's generator. Safe from any thread.
Random& system_random();

/// `count` unpredictable bytes.
std::string random_bytes(std::size_t count, Random& random = system_random());

/// `length` characters, each drawn evenly from `alphabet` (2 to 256 different characters). Draws that would favour the
/// first characters are thrown away rather than reduced, so every character is equally likely.
std::string random_text(std::size_t length, std::string_view alphabet, Random& random = system_random());

/// Version 4: 122 random bits. The only kind of id that leaves the program, since it says nothing about when or where
/// it was made.
Uuid random_uuid(Random& random = system_random());

/// Version 7: 48 bits of milliseconds, then 74 random ones. For the order of rows, where neighbours in time should be
/// neighbours on the page; never for an id that a client sees.
Uuid random_uuid_v7(Timestamp at, Random& random = system_random());

/// `const auto project = random_id<ProjectId>();`
template <class SomeId>
SomeId random_id(Random& random = system_random()) {
  return SomeId(random_uuid(random));
}

/// Ten characters: 51 bits, so that a demo page's address is not found by trying, and short enough to read out.
inline constexpr std::size_t slug_length = 10;
/// `slug_length` characters of a-z and 0-9.
std::string random_slug(Random& random = system_random());

}  // namespace parley::crypto
