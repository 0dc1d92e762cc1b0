#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "parley/base/secret.h"
#include "parley/base/time.h"
#include "parley/crypto/random.h"

namespace parley::crypto {

enum class TotpHash : std::uint8_t { sha1, sha256, sha512 };

/// How codes are made of a secret and the time (RFC 6238). The default is what every authenticator app understands;
/// several ignore any other and show wrong codes. That SHA-1 is broken for signatures does not matter in HMAC.
struct TotpShape {
  TotpHash hash = TotpHash::sha1;
  int digits = 6;  ///< 6 to 8
  std::chrono::seconds period{30};
};

/// RFC 4226 asks for 128 bits and recommends 160; as long as SHA-1's output.
inline constexpr std::size_t totp_secret_bytes = 20;

/// Random bytes for `totp_code`.
Secret make_totp_secret(Random& random = system_random());

/// Which period a moment belongs to. Negative before 1970, where no code is accepted.
std::int64_t totp_step(Timestamp at, std::chrono::seconds period);

/// The code of one counter value (RFC 4226), or of one step of time: decimal digits, with leading zeros.
Secret hotp_code(const Secret& secret, std::uint64_t counter, TotpHash hash, int digits);
Secret totp_code(const Secret& secret, std::int64_t step, const TotpShape& shape = {});

/// The step, at most one before or after `now`, whose code was presented and which comes after `last_accepted`: so no
/// code is accepted twice, nor one older than another that was. One step each way covers clocks half a minute apart and
/// the time it takes to type. Takes equally long whichever step matches, or none. Blanks in what was presented, as apps
/// show them, do not count; anything else but the right number of digits is none.
std::optional<std::int64_t> find_totp_step(const Secret& secret, std::string_view presented, std::int64_t now,
                                           std::int64_t last_accepted, const TotpShape& shape = {});

/// RFC 4648 base32 in upper case without padding, as authenticator apps and otpauth links want a secret.
Secret to_base32(const Secret& bytes);

}  // namespace parley::crypto
