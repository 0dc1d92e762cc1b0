// Whatever is presented as a token: it is accepted only if a key we hold signed exactly these bytes. A text of the
// fuzzer's is never accepted; a token made of its bytes is, and flipping any one of its bits makes it unacceptable.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "parley/crypto/jws.h"
#include "parley/crypto/jws_testing.h"

namespace {

using namespace parley::crypto;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Setting {
  parley::crypto::testing::TestSigner ec = parley::crypto::testing::TestSigner::ec();
  parley::crypto::testing::TestSigner hmac = parley::crypto::testing::TestSigner::hmac();
  JwsKeys keys = *parse_jwks(R"({"keys":[)" + ec.jwk("e") + "," + hmac.jwk("h") + "]}", KeySource::kept_secret);
};

bool accepted(std::string_view token, const JwsKeys& keys) {
  const auto presented = parse_jws(token);
  return presented && verify_jws(*presented, keys);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Setting setting;
  const std::string_view text =
      size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data), size);
  // The keys are of this run: nothing that was written before can be signed by them.
  require(!accepted(text, setting.keys));
  // The same text, signed as it stands: accepted or not, its header must have said so to the letter.
  if (const auto presented = parse_jws(text)) {
    require(text.size() <= jws_bytes_max);
    require(presented->algorithm() == JwsAlgorithm::hs256 || presented->algorithm() == JwsAlgorithm::rs256 ||
            presented->algorithm() == JwsAlgorithm::es256);
    require(!parse_jws(std::string(text) + "="));
    require(!parse_jws(std::string(text) + "."));
  }

  const auto payload = text.substr(0, 200);
  for (const auto* signer : {&setting.hmac, &setting.ec}) {
    const auto token = signer->token(payload, signer == &setting.ec ? "e" : "h");
    const auto presented = parse_jws(token);
    require(presented.has_value());
    const auto verified = verify_jws(*presented, setting.keys);
    require(verified && verified->payload == payload);
    // One place of the token, chosen by the input; the unit test walks all of them.
    const std::size_t at = size == 0 ? 0 : (data[0] * 257U + data[size - 1]) % token.size();
    for (unsigned bit = 0; bit < 8; ++bit) {
      auto changed = token;
      changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ 1U << bit);
      require(!accepted(changed, setting.keys));
    }
  }
  return 0;
}
