#pragma once

#include <string>
#include <vector>

#include <boost/json.hpp>

#include "parley/api/route.h"
#include "parley/identity/session_store.h"
#include "parley/identity/sign_in.h"

// What all ways of signing in have in common: limits, records, and what is answered.

namespace parley::api {

/// "nothing", "factor" or "enrolment": what is still owed.
Literal needs(identity::Assurance assurance);
boost::json::array names_of(const std::vector<identity::FactorKind>& kinds);

/// The browser, as people are shown it in the list of their sessions.
std::string client_of(const Context& context);

/// Who acts in this organisation, as its trail names them, before there is a principal.
Principal person(AccountId account, TenantId tenant);

/// Puts what is done to an account on the trails of all organisations it belongs to: each of them is concerned.
Async<> record_on_account(Services& services, RequestId request, AccountId account, Literal action, Literal rule);
/// The same for what was refused, though it is known to whom.
Async<> record_refusal_on_account(Services& services, RequestId request, AccountId account, Literal action,
                                  Literal rule);

/// A refused try to get in: nobody is known yet, so it is counted and not recorded.
std::unexpected<Error> refuse_try(Services& services, Error error, Literal rule);

/// Where the secret in a request names whose try it is, and is too long to be guessed: the address alone is counted.
/// One count for all of them would let anybody use up everybody's.
inline constexpr const char* no_account = "";
/// Before a password, code, passkey or link is looked at. `subject`: whose account is tried, as far as that is known;
/// empty where it is not, and then the address alone is counted.
Async<> admit_try(Services& services, const Context& context, std::string subject);

/// Tells of a session that has just begun, or goes on under a new token. `more`: what the answer holds besides.
Async<Reply> begun(Services& services, identity::BegunSession session, boost::json::object more = {});

/// Tells the owner of an account, by a letter, that how it is signed in to has changed: whoever changed it may not be
/// them. `what`: "a passkey was added". A letter that cannot be sent is logged and changes nothing.
asio::awaitable<void> tell_owner(Services& services, AccountId account, Literal what);

}  // namespace parley::api
