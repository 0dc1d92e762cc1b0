#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"

namespace parley::identity {

/// Where passkeys are good: what WebAuthn calls the relying party.
struct PasskeySite {
  std::string id;                    ///< a host name; what a passkey is bound to for good
  std::string name;                  ///< shown by the browser
  std::vector<std::string> origins;  ///< pages that may ask for one, in the spelling of `parse_origin`
  /// Besides these, pages of this machine's own `localhost`, whatever their port.
  enum class Localhost : bool { listed_only, any_port } localhost = Localhost::listed_only;
};

/// The site of one public address, e.g. "https://chat.example.org" (or "http://localhost:8080", which browsers trust
/// too). `invalid_argument` for plain http elsewhere and for an IP address, which browsers refuse.
Result<PasskeySite> make_passkey_site(std::string_view public_origin, std::string name);

/// The site of a server without a public address: `localhost`, on any port. A browser keeps passkeys of `localhost`
/// apart by that name alone and not by port, so a list of ports would hold back nobody; and a server that is to be
/// tried out does not know its port before it has one.
PasskeySite make_local_passkey_site(std::string name);

enum class UserVerification : std::uint8_t {
  preferred,  ///< the passkey comes on top of something else
  required,   ///< the passkey is all there is: a stolen authenticator alone must not be enough
};

inline constexpr std::size_t passkey_challenge_bytes = 32;
inline constexpr std::size_t passkey_handle_bytes = 32;
/// WebAuthn, section 4.
inline constexpr std::size_t credential_id_bytes_max = 1023;
/// What a browser sends back: some 2 KB.
inline constexpr std::size_t passkey_response_bytes_max = 32 * 1024;

struct PasskeyPerson {
  std::string handle;  ///< `passkey_handle_bytes` random bytes
  std::string name;    ///< an e-mail address; shown when choosing
};

struct PasskeyDescriptor {
  std::string credential_id;  ///< bytes
  std::vector<std::string> transports;
};

/// JSON for `PublicKeyCredential.parseCreationOptionsFromJSON`. ES256, EdDSA and RS256; attestation `none`: which make
/// of authenticator somebody has is not our business. `known`: those the person has already, so that none is made
/// twice.
std::string passkey_creation_options(const PasskeySite& site, std::string_view challenge, const PasskeyPerson& person,
                                     const std::vector<PasskeyDescriptor>& known, UserVerification verification);

/// JSON for `PublicKeyCredential.parseRequestOptionsFromJSON`. Without `allowed` the browser offers what it has for
/// this site.
std::string passkey_request_options(const PasskeySite& site, std::string_view challenge,
                                    const std::vector<PasskeyDescriptor>& allowed, UserVerification verification);

/// COSE's numbers.
enum class PasskeyAlgorithm : std::int16_t { es256 = -7, eddsa = -8, rs256 = -257 };

/// A passkey that was just made.
struct NewPasskey {
  std::string credential_id;
  PasskeyAlgorithm algorithm = PasskeyAlgorithm::es256;
  std::string public_key;  ///< as libfido2 holds it
  std::uint32_t sign_count = 0;
  bool user_verified = false;
  bool backed_up = false;
  std::vector<std::string> transports;  ///< known names alone
};

/// What the answer must be about.
struct PasskeyExpected {
  const PasskeySite& site;
  std::string_view challenge;
  UserVerification verification;
};

/// The JSON of `PublicKeyCredential.toJSON()` after `create`. Checked: the type, challenge and origin in the client's
/// data, that it was no frame of another site; the site's hash; that the person was there, and verified if asked for;
/// that the key is of an algorithm we offered; the attestation, which may be `none` or `packed` by the new key itself.
/// `invalid_argument` for what cannot be read, `unauthenticated` for what does not hold, `unsupported` for another
/// attestation.
Result<NewPasskey> verify_passkey_registration(const PasskeyExpected& expected, std::string_view json);

/// The JSON after `get`, read but not believed: first the credential has to be found.
struct PresentedPasskey {
  std::string credential_id;
  std::string client_data;
  std::string authenticator_data;
  std::string signature;
  std::string user_handle;  ///< empty if none was sent
};
Result<PresentedPasskey> parse_passkey_assertion(std::string_view json);

/// A passkey as far as verifying needs it.
struct KnownPasskey {
  PasskeyAlgorithm algorithm = PasskeyAlgorithm::es256;
  std::string public_key;
  std::uint32_t sign_count = 0;
  std::string user_handle;
};

struct PasskeyUse {
  std::uint32_t sign_count = 0;  ///< to be stored
  bool user_verified = false;
  /// Everything holds but the counter, which stands or went back: the key was copied, and either may be asking. Not to
  /// be let in.
  bool copied = false;
};

/// Checked as for a registration, and besides: the signature by the known key, the user handle if one was sent, and the
/// counter: it must have grown, unless it was and is nought (authenticators that do not count); see `PasskeyUse`.
/// `unauthenticated`, one reason for all.
Result<PasskeyUse> verify_passkey_assertion(const PasskeyExpected& expected, const PresentedPasskey& presented,
                                            const KnownPasskey& known);

}  // namespace parley::identity
