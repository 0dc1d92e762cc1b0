// Whatever stands in the cookie: it is a session only in the one spelling that our own maker writes, changing any one
// of its characters makes it none, and it never answers for another session's CSRF token.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "parley/identity/fuzz_random.h"
#include "parley/identity/session_token.h"

namespace {

using namespace parley;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text =
      size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data), size);

  if (const auto session = identity::parse_session_token(text)) {
    require(text.size() == identity::session_token_characters && text.starts_with("ps_1"));
    require(!identity::parse_session_token(std::string(text) + " "));
    require(!session->matches_csrf(text));
  }

  identity::FuzzRandom random(text);
  const Secret made = identity::make_session_token(random);
  const auto parsed = identity::parse_session_token(made.reveal());
  require(parsed.has_value() && parsed->matches_csrf(parsed->csrf_token()));
  require(text == parsed->csrf_token() || !parsed->matches_csrf(text));

  std::string changed(made.reveal());
  const auto where = size == 0 ? 0 : data[0] % changed.size();
  const char with = size < 2 ? '~' : static_cast<char>(data[1]);
  if (changed[where] != with) {
    changed[where] = with;
    require(!identity::parse_session_token(changed));
  }
  return 0;
}
