// Whatever an authenticator or a page sends: nothing of it is accepted for a challenge of this run, unless it is
// wrapped in client data that names that challenge; and then what is taken in names its credential within the limits,
// and a signature of the fuzzer's never verifies with a key it did not make.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "parley/identity/passkey.h"
#include "parley/identity/passkey_cbor.h"
#include "parley/identity/passkey_testing.h"

namespace {

using namespace parley;
using namespace parley::identity;
using parley::identity::soft::SoftAnswer;
using parley::identity::soft::SoftPasskey;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Setting {
  PasskeySite site = make_passkey_site("https://chat.example.org", "Chat").value();
  std::string challenge = crypto::random_bytes(passkey_challenge_bytes);
  SoftPasskey passkey;
  SoftAnswer creation =
      SoftAnswer::to(passkey_creation_options(site, challenge, {"h", "n"}, {}, UserVerification::preferred));
  SoftAnswer request = SoftAnswer::to(passkey_request_options(site, challenge, {}, UserVerification::preferred));
  NewPasskey made =
      verify_passkey_registration({site, challenge, UserVerification::preferred}, creation.registration(passkey))
          .value();
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Setting setting;
  const std::string_view text =
      size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data), size);
  const PasskeyExpected expected{setting.site, setting.challenge, UserVerification::preferred};
  require(!verify_passkey_registration(expected, text));
  const KnownPasskey known{.algorithm = setting.made.algorithm, .public_key = setting.made.public_key};
  if (const auto presented = parse_passkey_assertion(text))
    require(!verify_passkey_assertion(expected, *presented, known));

  // The bytes as attestation object. The id in front is the one an honest object of that form would hold.
  CborReader reader(text);
  if (const auto item = reader.item()) require(item->size() + reader.rest().size() == size);
  for (const std::size_t at : {std::size_t{58}, std::size_t{84}, std::size_t{86}}) {
    const auto id = size > at + 32 ? text.substr(at, 32) : std::string_view("id");
    const auto json = fmt::format(
        R"({{"id":"{0}","rawId":"{0}","type":"public-key",)"
        R"("response":{{"clientDataJSON":"{1}","attestationObject":"{2}"}}}})",
        soft::base64url(id), soft::base64url(setting.creation.client_data()), soft::base64url(text));
    if (const auto made = verify_passkey_registration(expected, json)) {
      require(made->credential_id == id && id.size() <= credential_id_bytes_max && !made->public_key.empty());
      const auto other = crypto::sha256(setting.challenge);
      require(!verify_passkey_registration({setting.site, other.view(), UserVerification::preferred}, json));
    }
  }

  // The bytes as authenticator data and as signature of an assertion that is honest otherwise.
  const auto honest = parse_passkey_assertion(setting.request.assertion(setting.passkey)).value();
  require(verify_passkey_assertion(expected, honest, known).has_value());
  for (const auto part :
       {&PresentedPasskey::authenticator_data, &PresentedPasskey::signature, &PresentedPasskey::client_data}) {
    auto changed = honest;
    changed.*part = std::string(text);
    if (changed.*part != honest.*part) require(!verify_passkey_assertion(expected, changed, known));
  }
  return 0;
}
