#pragma once

// Internal to crypto/: the one place that includes libsodium, and makes sure it is ready before any use.
#include <sodium.h>

#include <cstdlib>

namespace parley::crypto {

/// Every entry point calls this first: libsodium picks its implementations in sodium_init, and calls made before it are
/// slow and not thread safe. Failure means no source of randomness, which nothing here may survive.
inline void ensure_sodium() {
  static const bool ready = sodium_init() >= 0;
  if (!ready) std::abort();
}

inline const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace parley::crypto
