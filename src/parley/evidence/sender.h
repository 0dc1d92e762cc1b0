#pragma once

#include <cstdint>
#include <string>

namespace parley {

/// Where a request says it comes from, as far as a browser vouches for it. A page cannot change what its browser says;
/// a program can say anything. So this tells pages apart and is no credential: what it opens by itself is what anybody
/// could read on such a page.
struct Sender {
  enum class Kind : std::uint8_t {
    program,   ///< no word of a browser: a server, or an address that somebody typed
    own_page,  ///< a page of this server
    site,      ///< a page of another site
    hidden,    ///< a browser that does not tell which site: "null", a cross-site request without an Origin
  };
  Kind kind = Kind::hidden;
  std::string origin;  ///< of a `site`, in the spelling of `identity::parse_origin`
};

}  // namespace parley
