#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "parley/base/result.h"
#include "parley/base/secret.h"

namespace parley::crypto {

/// How much work one guess costs. 64 MiB and 3 passes is what RFC 9106 recommends where memory is short (there with
/// four lanes; libsodium has one). It takes about 160 ms of a core, and two at once fit a small server.
struct PasswordCost {
  std::size_t memory_bytes = std::size_t{64} << 20;
  unsigned passes = 3;
};

/// Longer passwords are refused, not cut: hashing is linear in the length, and no person types more.
inline constexpr std::size_t password_bytes_max = 1024;

/// Argon2id with a random salt, in the usual text form that carries its own parameters. Slow and hungry on purpose:
/// runs on a worker, never on an event loop. `too_large` for a longer password, `unavailable` if memory is short.
Result<std::string> hash_password(const Secret& password, PasswordCost cost = {});

enum class PasswordVerdict { match, mismatch };

/// Takes as long as hashing did. A text that is no hash is `mismatch`.
PasswordVerdict verify_password(const Secret& password, const std::string& hash);

/// A well-formed hash of that cost which no password has. Verifying against it takes as long as against a real one, so
/// that a log-in with an unknown name is not answered sooner than one with a wrong password.
std::string decoy_hash(PasswordCost cost = {});

/// Whether a hash was made with other parameters than these, so that it can be replaced at the next log-in.
bool needs_rehash(const std::string& hash, PasswordCost cost = {});

}  // namespace parley::crypto
