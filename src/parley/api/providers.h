#pragma once

#include "parley/api/action_kinds.h"
#include "parley/api/route.h"
#include "parley/identity/oidc.h"

// Signing in by way of an organisation's own provider (OpenID Connect). Two addresses that people are led through by
// their browser, so what goes wrong is told on the sign-in page, in words of ours.

namespace parley::api {

/// What the sign-in page offers besides passwords and passkeys.
struct ListProviders {
  static constexpr Literal summary = "Where an organisation's people may sign in instead";
  struct Input {
    std::optional<std::string> organisation;
    static constexpr auto fields() {
      return std::tuple{field("organisation", &Input::organisation, {.length_max = 100, .doc = "Its name"})};
    }
  };
  static Async<Reply> handle(Services& services, Context context, Validated<Input> input);
};

/// Sends the browser to the provider. `?to=` names the page to come back to, as `return_path` reads it.
Async<Reply> start_at_provider(Services& services, Context context);
/// Where the provider sends it back to.
Async<Reply> return_from_provider(Services& services, Context context);

// Linking a provider to the account one has: the provider's word alone would be no proof of owning it.

struct SeeLinkedProviders {
  static constexpr ActionInfo info = kinds::own("account.providers", "Where one can sign in instead", kinds::reads);
};
struct LinkProvider {
  static constexpr ActionInfo info =
      kinds::own("account.provider.link", "Link a sign-in provider to one's account, or unlink it", kinds::writes);
};

namespace actions {

struct ListLinkedProviders : JsonAction<SeeLinkedProviders> {
  static Async<Reply> handle(Services& services, Context context, Authorized<SeeLinkedProviders> permit,
                             Validated<NoInput> input);
};

struct ProviderChoice {
  identity::SignInProviderId provider;
  static constexpr auto fields() {
    return std::tuple{field("provider", &ProviderChoice::provider, {.required = Required::yes, .doc = "Its id"})};
  }
};
/// Answers with the address to lead the browser to.
struct PostLinkedProvider : JsonAction<LinkProvider, ProviderChoice> {
  static Async<Reply> handle(Services& services, Context context, Authorized<LinkProvider> permit,
                             Validated<ProviderChoice> input);
};

struct DeleteLinkedProvider : JsonAction<LinkProvider> {
  static Async<Reply> handle(Services& services, Context context, Authorized<LinkProvider> permit,
                             Validated<NoInput> input);
};

}  // namespace actions

/// Where to go after signing in: one of our own pages that are of use then, "/account" for anything else. The pages
/// have the same rule (`return_path` in page.js).
std::string return_path(std::string_view to);

}  // namespace parley::api
