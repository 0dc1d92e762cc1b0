#include "parley/crypto/password.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "parley/crypto/sodium.h"

namespace parley::crypto {

Result<std::string> hash_password(const Secret& password, PasswordCost cost) {
  ensure_sodium();
  if (password.reveal().size() > password_bytes_max) return fail(Code::too_large, "the password is too long");
  std::array<char, crypto_pwhash_argon2id_STRBYTES> text{};
  if (crypto_pwhash_argon2id_str(text.data(), password.reveal().data(), password.reveal().size(), cost.passes,
                                 cost.memory_bytes) != 0)
    return fail(Code::unavailable, "the password could not be hashed", "argon2id: memory short or parameters refused");
  return std::string(text.data());
}

PasswordVerdict verify_password(const Secret& password, const std::string& hash) {
  ensure_sodium();
  // libsodium reads a fixed-size buffer up to its NUL; a longer text is no hash of ours.
  if (hash.size() >= crypto_pwhash_argon2id_STRBYTES || password.reveal().size() > password_bytes_max)
    return PasswordVerdict::mismatch;
  std::array<char, crypto_pwhash_argon2id_STRBYTES> text{};
  std::copy(hash.begin(), hash.end(), text.begin());
  const bool match =
      crypto_pwhash_argon2id_str_verify(text.data(), password.reveal().data(), password.reveal().size()) == 0;
  return match ? PasswordVerdict::match : PasswordVerdict::mismatch;
}

std::string decoy_hash(PasswordCost cost) {
  // Salt and digest of zeros, in base64: a salt of another form would be refused at once, without the work.
  return fmt::format("$argon2id$v=19$m={},t={},p=1${}${}", cost.memory_bytes / 1024, cost.passes, std::string(22, 'A'),
                     std::string(43, 'A'));
}

bool needs_rehash(const std::string& hash, PasswordCost cost) {
  ensure_sodium();
  if (hash.size() >= crypto_pwhash_argon2id_STRBYTES) return true;
  std::array<char, crypto_pwhash_argon2id_STRBYTES> text{};
  std::copy(hash.begin(), hash.end(), text.begin());
  return crypto_pwhash_argon2id_str_needs_rehash(text.data(), cost.passes, cost.memory_bytes) != 0;
}

}  // namespace parley::crypto
