#include "parley/identity/session_token.h"

#include "parley/identity/token_text.h"
#include "parley/text/base64.h"

namespace parley::identity {
namespace {

constexpr std::string_view prefix_and_version = "ps_1";
constexpr std::size_t random_characters = 43;  // 62^43 > 2^256
static_assert(prefix_and_version.starts_with(session_token_prefix));
static_assert(prefix_and_version.size() + random_characters + token_checksum_characters == session_token_characters);

}  // namespace

std::string PresentedSession::csrf_token() const { return text::to_base64url(csrf_.bytes); }

bool PresentedSession::matches_csrf(std::string_view presented) const {
  return crypto::equal_constant_time(csrf_token(), presented);
}

Result<PresentedSession> parse_session_token(std::string_view text) {
  if (!is_token_text(text, prefix_and_version, random_characters))
    return fail(Code::unauthenticated, "the session is not valid; sign in again", "malformed session token");
  const Secret key{std::string(text)};
  return PresentedSession(crypto::Sha256().update("parley session 1\n").update(text).finish(),
                          crypto::hmac_sha256(key, "parley csrf token 1\n"));
}

Secret make_session_token(crypto::Random& random) {
  return make_token_text(prefix_and_version, random_characters, random);
}

}  // namespace parley::identity
