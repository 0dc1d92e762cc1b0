#include <array>

#include "parley/api/actions.h"
#include "parley/api/issuer_actions.h"
#include "parley/api/key_actions.h"
#include "parley/api/pages.h"
#include "parley/api/passkeys.h"
#include "parley/api/people.h"
#include "parley/api/providers.h"
#include "parley/api/route.h"
#include "parley/text/percent.h"

namespace parley::api {
namespace {

using http::Method;

// Every address there is. A line says who may: an action names its scope, anything else says why it needs none.
constexpr std::array table{
    action<actions::SendMessage>(Method::post, "/api/v1/chats/"),
    action<actions::GetProject>(Method::get, "/api/v1/projects/{slug}/"),
    action<actions::Search>(Method::get, "/api/v1/projects/{slug}/search/"),
    action<actions::CreateVisitor>(Method::post, "/api/v1/visitors/"),
    action<actions::IssuersList>(Method::get, "/api/v1/projects/{slug}/issuers/"),
    action<actions::IssuersAdd>(Method::post, "/api/v1/projects/{slug}/issuers/"),
    action<actions::IssuersRemove>(Method::delete_, "/api/v1/projects/{slug}/issuers/"),
    action<actions::KeysList>(Method::get, "/api/v1/keys/"),
    action<actions::KeysCreate>(Method::post, "/api/v1/keys/"),
    action<actions::KeysRevoke>(Method::delete_, "/api/v1/keys/{id}/"),
    action<actions::KeysRotate>(Method::post, "/api/v1/keys/{id}/rotate/"),
    action<actions::KeysEnable>(Method::post, "/api/v1/keys/{id}/enable/"),

    // Signing in. What proves who somebody is stands in the body, or in the cookie of a session that owes something.
    open<SignIn>(Method::post, "/api/v1/session/", Public{"judges a password, which is what makes a session"}),
    open<PresentFactor>(Method::post, "/api/v1/session/factor/", Public{"judges the session that owes a factor"}),
    open<BeginPasskey>(Method::post, "/api/v1/session/passkey/options/",
                       Public{"names nobody; what it makes opens nothing"}),
    open<PresentPasskey>(Method::post, "/api/v1/session/passkey/",
                         Public{"judges a passkey, which is what makes a session"}),
    open<ListProviders>(Method::get, "/api/v1/providers/",
                        Public{"what the sign-in page offers to people not yet known"}),
    open<start_at_provider>("/sign-in/with/{id}", Public{"leads to a provider; who comes back is judged then"},
                            "Sign in by an organisation's provider"),
    open<return_from_provider>("/sign-in/callback", Public{"judges a provider's word, which is what makes a session"},
                               "Where providers send people back to"),
    open<AskReset>(Method::post, "/api/v1/password-resets/", Public{"says the same whoever asks for whomever"}),
    open<FinishReset>(Method::post, "/api/v1/password-resets/finish/", Public{"guarded by the link in its body"}),
    open<ConfirmEmail>(Method::post, "/api/v1/email-confirmations/", Public{"guarded by the link in its body"}),
    open<LookAtInvitation>(Method::post, "/api/v1/invitations/look/", Public{"guarded by the link in its body"}),
    open<AcceptInvitation>(Method::post, "/api/v1/invitations/accept/", Public{"guarded by the link in its body"}),

    // One's own account.
    action<actions::GetSession>(Method::get, "/api/v1/session/"),
    action<actions::DeleteSession>(Method::delete_, "/api/v1/session/"),
    action<actions::PutOrganisationOfSession>(Method::put, "/api/v1/session/organisation/"),
    action<actions::PostPassword>(Method::post, "/api/v1/account/password/"),
    action<actions::ListSessions>(Method::get, "/api/v1/account/sessions/"),
    action<actions::DeleteOtherSessions>(Method::delete_, "/api/v1/account/sessions/"),
    action<actions::DeleteSessionById>(Method::delete_, "/api/v1/account/sessions/{session}/"),
    action<actions::GetFactors>(Method::get, "/api/v1/account/factors/"),
    action<actions::BeginTotp>(Method::post, "/api/v1/account/totp/"),
    action<actions::ConfirmTotp>(Method::post, "/api/v1/account/totp/confirm/"),
    action<actions::DeleteTotp>(Method::delete_, "/api/v1/account/totp/"),
    action<actions::MakeRecoveryCodes>(Method::post, "/api/v1/account/recovery-codes/"),
    action<actions::BeginPasskeyRegistration>(Method::post, "/api/v1/account/passkeys/options/"),
    action<actions::PostPasskey>(Method::post, "/api/v1/account/passkeys/"),
    action<actions::PutPasskey>(Method::put, "/api/v1/account/passkeys/{id}/"),
    action<actions::ListLinkedProviders>(Method::get, "/api/v1/account/providers/"),
    action<actions::PostLinkedProvider>(Method::post, "/api/v1/account/providers/"),
    action<actions::DeleteLinkedProvider>(Method::delete_, "/api/v1/account/providers/{id}/"),
    action<actions::DeletePasskey>(Method::delete_, "/api/v1/account/passkeys/{id}/"),

    // The organisation and its people.
    action<actions::GetOrganisation>(Method::get, "/api/v1/organisation/"),
    action<actions::PutOrganisation>(Method::put, "/api/v1/organisation/"),
    action<actions::ListProjects>(Method::get, "/api/v1/projects/"),
    action<actions::ListMembers>(Method::get, "/api/v1/members/"),
    action<actions::PutMember>(Method::put, "/api/v1/members/{account}/"),
    action<actions::DeleteMember>(Method::delete_, "/api/v1/members/{account}/"),
    action<actions::ListInvitations>(Method::get, "/api/v1/invitations/"),
    action<actions::PostInvitation>(Method::post, "/api/v1/invitations/"),
    action<actions::DeleteInvitation>(Method::delete_, "/api/v1/invitations/{invitation}/"),

    open<pages::liveness>("/healthz", Public{"says only that the process runs"}, "Is the process alive"),
    open<pages::readiness>("/readyz", Public{"says only yes or no, for load balancers"}, "Can it answer"),
    open<pages::description>("/openapi.json", Public{"the same for everybody, in the source too"}, "This description"),
    open<pages::home>("/", Public{"a fixed page"}, "Start page"),
    open<pages::demo>("/demo/{slug}", Public{"a fixed page; what it asks for is checked when asked"},
                      "A page to ask a project on"),
    open<pages::asset>("/assets/{name}", Public{"files of the program, the same for everybody"},
                       "Scripts, styles and images of our pages"),
    open<pages::set_up>("/setup", Public{"a fixed page; its form needs the one-time token"},
                        "Page for the first administrator"),
    open<pages::sign_in>("/sign-in", Public{"a fixed page"}, "Page to sign in on"),
    open<pages::invitation>("/invitation", Public{"a fixed page; its form needs the token of a link"},
                            "Page to accept an invitation on"),
    open<pages::reset_password>("/reset-password", Public{"a fixed page; its form needs the token of a link"},
                                "Page to choose a new password on"),
    open<pages::confirm_email>("/confirm-email", Public{"a fixed page; its form needs the token of a link"},
                               "Page that confirms an e-mail address"),
    open<pages::account>("/account", Public{"a fixed page; what it asks for needs a session"},
                         "Page of one's own account"),
    open<pages::members>("/members", Public{"a fixed page; what it asks for needs a session"},
                         "Page of the organisation's members"),
    open<pages::keys>("/keys", Public{"a fixed page; what it asks for needs a session"},
                      "Page of the organisation's keys"),
    open<SetUpFirst>(Method::post, "/setup", Public{"guarded by the one-time set-up token in its body"}),
};

consteval bool every_route_has_exactly_one_access_rule() {
  for (const Route& route : table)
    if ((route.action != nullptr) == !route.public_reason.empty()) return false;
  return true;
}
static_assert(every_route_has_exactly_one_access_rule());

constexpr std::string_view method_name(Method method) { return http::name(method); }

/// Whether `path` is an address of `pattern`; sets `parameter` to what stands for {…}, still encoded.
bool matches(std::string_view pattern, std::string_view path, std::string_view& parameter) {
  const auto open_brace = pattern.find('{');
  if (open_brace == std::string_view::npos) return pattern == path;
  const std::string_view before = pattern.substr(0, open_brace);
  const std::string_view after = pattern.substr(pattern.find('}') + 1);
  if (path.size() < before.size() + after.size() + 1 || !path.starts_with(before) || !path.ends_with(after))
    return false;
  parameter = path.substr(before.size(), path.size() - before.size() - after.size());
  return parameter.find('/') == std::string_view::npos;
}

}  // namespace

std::span<const Route> routes() { return table; }

Match find_route(Method method, std::string_view path) {
  const Method wanted = method == Method::head ? Method::get : method;
  Match match;
  for (const Route& route : table) {
    std::string_view parameter;
    if (!matches(route.path.view(), path, parameter)) continue;
    if (route.method == wanted) {
      auto decoded = text::decode_path_segment(parameter);
      // A slash or a control character in disguise is no parameter of ours.
      if (!decoded || decoded->find('/') != std::string::npos) return {};
      return {.route = &route, .parameter = *std::move(decoded), .allowed = {}};
    }
    if (!match.allowed.empty()) match.allowed += ", ";
    match.allowed += method_name(route.method);
    if (route.method == Method::get) match.allowed += ", HEAD";
  }
  return match;
}

}  // namespace parley::api
