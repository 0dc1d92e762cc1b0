#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/api/route.h"
#include "testing/test_server.h"

// Everybody who could ask, and everywhere they could put what they bring along.

namespace parley::scenarios {

/// What a credential is worth on the project that is asked for.
enum class Standing : std::uint8_t {
  absent,     ///< none was sent
  worthless,  ///< one that does not hold
  barred,     ///< it holds, but not where it comes from
  unproven,   ///< a session without its CSRF token: it holds for reading
  enrolling,  ///< a session that owes an enrolment
  elsewhere,  ///< it holds, for something else
  here,       ///< it holds, for this project
};

struct Caller {
  std::string name;
  Standing standing = Standing::absent;
  std::string credential = {};  ///< the bare key, token or cookie; empty for none
  enum class By : std::uint8_t { authorization, cookie } by = By::authorization;
  std::string csrf = {};  ///< sent along with whatever changes something
  PrincipalKind kind = PrincipalKind::secret_key;
  ScopeSet scopes = ScopeSet::secret_keys();  ///< on the organisation
  ScopeSet granted = {};                      ///< besides, on the target
  bool bound = false;                         ///< to one project
  bool own_page = false;                      ///< a browser says that our own page is asking
  std::string site = {};                      ///< or that this one is
  std::vector<testing::HttpHeader> says = {};
  std::optional<TenantId> tenant = {};  ///< the credential's: whose trail a refusal goes to
  std::optional<AccountId> account = {};
  /// Of a person: somebody else of the same kind, for what ends a session or changes an account.
  std::function<Caller()> another = {};

  /// The headers a browser adds by itself.
  std::vector<testing::HttpHeader> browser_headers() const;
};

/// A project to ask for, another one of the same organisation, and one of another organisation.
struct Target {
  const testing::TestProject &project, &sibling, &foreign;
};

/// Every kind of caller there is on `target`.
std::vector<Caller> callers(testing::TestServer& server, const Target& target);
/// Those of them with these names; aborts if there is none of a name.
std::vector<Caller> callers(testing::TestServer& server, const Target& target,
                            const std::vector<std::string_view>& names);

/// With what the caller is refused, if it is the route's line in the table that refuses it, whatever object of the
/// target or of their own they name; none if they may. For a route with an action.
std::optional<int> refusal(const api::Route& route, const Caller& caller, const testing::TestProject& target);

/// How a caller sends this call, but for the credential; what depends on who asks is adapted.
testing::HttpCall as_caller(testing::HttpCall call, const Caller& caller);
/// The same with the credential where it belongs.
testing::HttpCall with_credential(testing::HttpCall call, const Caller& caller);

/// The same with a body of one's own, which nothing is added to.
testing::HttpCall as_it_stands(testing::HttpCall call, const Caller& caller);

/// Somewhere a credential could be put.
struct Place {
  /// Who looks there.
  enum class Read : std::uint8_t {
    as_authorization,  ///< a key or a token counts, anything else is a bad credential
    as_cookie,         ///< the same for a session
    as_bad,            ///< it stands where credentials stand, but is none: 401
    as_broken,         ///< the request says it twice: 400
    nowhere,           ///< as if it were not there, or refused for being there
  };
  std::string name;
  Read read;
  /// Adds the credential to the call. Without effect where the call has no such place (a body, for GET).
  std::function<void(testing::HttpCall& call, const std::string& credential)> put;

  enum class Counts : std::uint8_t { as_credential, as_bad, as_broken, as_none };
  Counts counts_for(const Caller& caller) const;
};
const std::vector<Place>& places();

/// Adds a member to a JSON body, if there is one.
void add_to_body(testing::HttpCall& call, std::string_view name, std::string_view json_value);
/// Adds a parameter to the query; the value is encoded.
void add_to_query(testing::HttpCall& call, std::string_view name, std::string_view value);

}  // namespace parley::scenarios
