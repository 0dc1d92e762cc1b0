#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/base/uuid.h"
#include "parley/crypto/keyring.h"
#include "parley/crypto/sign.h"
#include "parley/trail/record.h"

namespace parley::trail {

/// A statement, signed by the installation, of where all chains of a tenant ended at one moment. What a seal covers
/// cannot be cut or written anew by somebody who has the tables but not the master key.
struct Seal {
  TenantId tenant;
  std::int64_t number = 1;  ///< 1, 2, 3, … for each tenant
  Timestamp at;
  crypto::Digest previous;  ///< `digest_of` the seal before; zeros for the first
  crypto::PublicKey key;    ///< whose signature it is
  std::vector<Head> heads;  ///< by node, each node once
};

/// A seal as it stands in the table and in an export.
struct StoredSeal {
  std::int64_t number = 0;
  std::string body;       ///< what is signed
  std::string signature;  ///< 64 bytes, Ed25519 over `body`
};

/// The bytes that are signed: lines of text, each ending in a line feed, in this order.
///   parley seal 1
///   tenant UUID
///   number N
///   at MICROSECONDS
///   previous HEX
///   key HEX
///   head NODE SEQ EPOCH HEX        once for each chain, by node
std::string canonical(const Seal& seal);

/// Reads such bytes; only the one spelling that `canonical` writes. `data_corrupt` otherwise.
Result<Seal> parse_seal(std::string_view body);

/// What the next seal names as `previous`: SHA-256 over body and signature.
crypto::Digest digest_of(const StoredSeal& seal);

StoredSeal sign(const Seal& seal, const crypto::SigningKey& key);

/// Whether the signature is `key`'s over the body. Reads nothing else.
bool is_signed_by(const StoredSeal& seal, const crypto::PublicKey& key);

/// The key that this installation seals with. Computed from the master key, so it is stored nowhere and changes with
/// it.
Result<crypto::SigningKey> sealing_key(const crypto::Keyring& keyring);

/// 64 lower-case hexadecimal digits.
std::string hex(const crypto::PublicKey& key);
std::optional<crypto::PublicKey> parse_public_key(std::string_view text);

/// Seals that left the machine: all that a third party needs to check them, and that `verify` needs to check a trail
/// against them.
struct SealExport {
  TenantId tenant;
  crypto::PublicKey key;
  std::vector<StoredSeal> seals;
};

/// {"format":"parley trail seals 1","tenant":…,"public_key":hex,"seals":[{"number","at","body","signature":hex}]}
std::string to_json(const SealExport& seals);

/// Files larger than this are not exports: it is a hundred years of daily seals of a dozen nodes.
inline constexpr std::size_t seal_export_bytes_max = 64 << 20;

/// Reads what `to_json` wrote. `invalid_argument` for anything that is not of that form, and for a seal that its key
/// did not sign: a file that does not hold in itself shows nothing about a trail.
Result<SealExport> parse_seal_export(std::string_view json);

}  // namespace parley::trail
