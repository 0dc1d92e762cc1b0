#include "parley/identity/oidc.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <boost/json/array.hpp>

#include "parley/crypto/hash.h"
#include "parley/identity/account_store.h"
#include "parley/text/base64.h"
#include "parley/text/json.h"
#include "parley/text/percent.h"
#include "parley/text/utf8.h"

namespace parley::identity {
namespace {

namespace json = boost::json;

constexpr std::size_t secret_bytes_max = 4 * 1024;
// The longest path that people come back to is a demo's; with it a ticket fits into the cookie that carries it.
constexpr std::size_t return_to_bytes_max = 128;
constexpr std::size_t code_bytes_max = 4 * 1024;
constexpr std::size_t query_bytes_max = 8 * 1024;

std::unexpected<Error> refuse(std::string why) {
  return fail(Code::unauthenticated, "the provider did not sign you in; begin again", std::move(why));
}

std::string_view bytes_view(const json::string& text) { return {text.data(), text.size()}; }

bool is_plain(std::string_view text) {
  return text.size() <= provider_text_bytes_max && text::is_valid_utf8(text) &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

std::optional<std::string_view> text_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return bytes_view(value->get_string());
}

std::string base64url(std::string_view bytes) {
  return text::to_base64url({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

struct Reference {
  enum class Kind { environment, file } kind;
  std::string_view name;
};

std::optional<Reference> parse_reference(std::string_view text) {
  constexpr std::size_t name_bytes_max = 100;
  constexpr std::string_view word = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  const auto kind = text.starts_with("env:")    ? std::optional(Reference::Kind::environment)
                    : text.starts_with("file:") ? std::optional(Reference::Kind::file)
                                                : std::nullopt;
  if (!kind) return std::nullopt;
  const auto name = text.substr(text.find(':') + 1);
  if (name.empty() || name.size() > name_bytes_max) return std::nullopt;
  std::string allowed(word);
  if (*kind == Reference::Kind::file) {
    if (name.front() == '.' || name.front() == '-') return std::nullopt;  // so neither ".." nor an option
    allowed += "-.";
  }
  if (name.find_first_not_of(allowed) != std::string_view::npos) return std::nullopt;
  return Reference{*kind, name};
}

}  // namespace

std::string_view name(ClientAuthentication authentication) {
  switch (authentication) {
    case ClientAuthentication::secret_basic: return "client_secret_basic";
    case ClientAuthentication::secret_post: return "client_secret_post";
    case ClientAuthentication::none: return "none";
  }
  std::unreachable();
}

std::optional<ClientAuthentication> parse_client_authentication(std::string_view text) {
  for (const auto each :
       {ClientAuthentication::secret_basic, ClientAuthentication::secret_post, ClientAuthentication::none})
    if (text == name(each)) return each;
  return std::nullopt;
}

Result<SignInProvider> check_provider(SignInProvider provider) {
  const auto wrong = [](Literal reason, std::string_view what = {}) {
    return fail(Code::invalid_argument, reason, std::string(what));
  };
  if (provider.name.empty() || !is_plain(provider.name)) return wrong("a provider needs a name of at most 512 bytes");
  // As it stands: "https://id.example.org" and "https://id.example.org/" are two issuers.
  if (!is_plain(provider.issuer) || !discovery_address(provider.issuer))
    return wrong("the issuer is an address such as https://id.example.org", provider.issuer);
  if (provider.client_id.empty() || !is_plain(provider.client_id)) return wrong("a provider needs a client id");
  if (provider.authentication == ClientAuthentication::none) {
    if (!provider.client_secret.empty()) return wrong("a client that does not authenticate has no secret");
  } else if (!SecretReferences::check(provider.client_secret)) {
    // Without the text: it may be the secret.
    return wrong("the client secret is given as env:NAME or file:NAME, never as itself");
  }
  for (const char* needed : {"openid", "email"})
    if (std::ranges::find(provider.scopes, needed) == provider.scopes.end())
      return wrong("the scopes need openid and email");
  if (provider.scopes.size() > provider_list_max || provider.group_roles.size() > provider_list_max ||
      provider.email_domains.size() > provider_list_max)
    return wrong("a list of more than 100 entries");
  for (const auto& scope : provider.scopes)
    if (scope.empty() || !is_plain(scope) || scope.find_first_of(" \"\\") != std::string::npos)
      return wrong("a scope is one word", scope);
  if (!is_plain(provider.group_claim)) return wrong("the group claim is a name");
  for (const auto& [group, role] : provider.group_roles)
    if (group.empty() || group.size() > token_group_bytes_max || !is_plain(group))
      return wrong("a group has a name of at most 128 bytes", group);
  for (auto& domain : provider.email_domains) {
    // By the one reader of addresses, so that both spell a domain alike.
    const auto email = parse_email("x@" + domain);
    if (!email) return wrong("an e-mail domain is one such as example.org", domain);
    domain = email->substr(2);
  }
  if (provider.creates_accounts && provider.email_domains.empty() && provider.default_role)
    return wrong("accounts for everybody: name e-mail domains, or groups and no default role");
  return provider;
}

Result<void> SecretReferences::check(std::string_view reference) {
  if (!parse_reference(reference)) return fail(Code::invalid_argument, "a secret is given as env:NAME or file:NAME");
  return {};
}

Result<Secret> SecretReferences::load(TenantId tenant, std::string_view reference) const {
  const auto parsed = parse_reference(reference);
  if (!parsed) return fail(Code::invalid_argument, "a secret is given as env:NAME or file:NAME");
  std::string text;
  if (parsed->kind == Reference::Kind::environment) {
    std::string variable = "PARLEY_OIDC_";
    for (const char c : tenant.to_string())
      if (c != '-') variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    variable += "_";
    variable += parsed->name;
    const char* value = std::getenv(variable.c_str());  // NOLINT(concurrency-mt-unsafe): nobody sets it at run time
    if (value == nullptr) return fail(Code::not_found, "the client secret is not there", variable);
    text = value;
  } else {
    const auto path = fmt::format("{}/{}/{}", folder_, tenant.to_string(), parsed->name);
    std::ifstream file(path, std::ios::binary);
    if (!file) return fail(Code::not_found, "the client secret is not there", path);
    text.resize(secret_bytes_max + 1);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
  }
  Secret whole(std::move(text));
  auto trimmed = whole.reveal();
  while (!trimmed.empty() && (trimmed.back() == '\n' || trimmed.back() == '\r' || trimmed.back() == ' '))
    trimmed.remove_suffix(1);
  if (trimmed.empty() || trimmed.size() > secret_bytes_max)
    return fail(Code::not_found, "the client secret is empty or too long", std::string(reference));
  return Secret(std::string(trimmed));
}

Result<net::HttpUrl> discovery_address(std::string_view issuer) {
  if (issuer.find_first_of("?#") != std::string_view::npos)
    return fail(Code::invalid_argument, "an issuer has neither query nor fragment");
  const auto parsed = PARLEY_TRY(net::parse_http_url(issuer));
  while (issuer.ends_with('/')) issuer.remove_suffix(1);
  return net::parse_http_url(std::string(issuer) + "/.well-known/openid-configuration");
}

Result<ProviderMetadata> parse_provider_metadata(std::string_view text, std::string_view issuer) {
  const auto wrong = [&](std::string why) {
    return fail(Code::unavailable, "the sign-in provider's metadata cannot be used",
                std::string(issuer) + ": " + std::move(why));
  };
  const auto value = text::parse_json(text, {.bytes_max = provider_metadata_bytes_max, .depth_max = 8});
  if (!value || !value->is_object()) return wrong("not a JSON object");
  const auto& object = value->get_object();
  if (text_member(object, "issuer") != issuer) return wrong("it is of another issuer");

  const auto own = PARLEY_TRY(discovery_address(issuer));
  const auto address = [&](std::string_view name) -> Result<net::HttpUrl> {
    const auto member = text_member(object, name);
    if (!member) return wrong(std::string(name) + " is missing");
    auto url = net::parse_http_url(*member);
    if (!url) return wrong(std::string(name) + ": " + describe_for_operator(url.error()));
    if (own.scheme == net::UrlScheme::https && url->scheme != net::UrlScheme::https)
      return wrong(std::string(name) + " is not https");
    return url;
  };
  ProviderMetadata metadata{.issuer = std::string(issuer),
                            .authorization_endpoint = PARLEY_TRY(address("authorization_endpoint")),
                            .token_endpoint = PARLEY_TRY(address("token_endpoint")),
                            .jwks_uri = PARLEY_TRY(address("jwks_uri"))};
  if (object.contains("userinfo_endpoint")) metadata.userinfo_endpoint = PARLEY_TRY(address("userinfo_endpoint"));
  if (const auto* algorithms = object.if_contains("id_token_signing_alg_values_supported")) {
    const bool usable =
        algorithms->is_array() && std::ranges::any_of(algorithms->get_array(), [](const json::value& entry) {
          return entry.is_string() && (entry.get_string() == "RS256" || entry.get_string() == "ES256");
        });
    if (!usable) return wrong("it signs with neither RS256 nor ES256");
  }
  const auto* names_itself = object.if_contains("authorization_response_iss_parameter_supported");
  metadata.names_itself = names_itself != nullptr && *names_itself == json::value(true);
  return metadata;
}

// Lines, in the order of the members; none can hold an end of line. As short as that, since it travels in a cookie.
Secret SignInAttempt::to_text() const {
  std::string text = provider.to_string();
  for (const std::string_view line :
       {std::string_view(state), std::string_view(nonce), verifier.reveal(), std::string_view(return_to)})
    (text += '\n') += line;
  if (link_to) (text += '\n') += link_to->to_string();
  return Secret(std::move(text));
}

Result<SignInAttempt> SignInAttempt::from_text(std::string_view text) {
  std::vector<std::string> lines;
  for (bool more = true; more;) {
    const auto end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    more = end != std::string_view::npos;
    if (more) text.remove_prefix(end + 1);
  }
  if (lines.size() != 5 && lines.size() != 6) return refuse("an attempt that is none");
  const auto provider = SignInProviderId::parse(lines[0]);
  if (!provider) return refuse("an attempt without a provider");
  SignInAttempt attempt{.provider = *provider,
                        .state = std::move(lines[1]),
                        .nonce = std::move(lines[2]),
                        .verifier = Secret(std::move(lines[3])),
                        .return_to = local_path(lines[4]),
                        .link_to = {}};
  if (attempt.state.empty() || attempt.nonce.empty() || attempt.verifier.empty())
    return refuse("an attempt that lacks something");
  if (lines.size() == 6) {
    attempt.link_to = AccountId::parse(lines[5]);
    if (!attempt.link_to) return refuse("an attempt to link no account");
  }
  return attempt;
}

std::string local_path(std::string_view text) {
  // "//host" and "/\host" are other sites to a browser.
  const bool local = text.starts_with('/') && !text.starts_with("//") && text.size() <= return_to_bytes_max &&
                     std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f' && c != '\\'; });
  return local ? std::string(text) : "/";
}

std::string authorization_address(const ProviderMetadata& metadata, const SignInProvider& provider,
                                  const SignInAttempt& attempt, std::string_view redirect_uri) {
  std::string scopes;
  for (const auto& scope : provider.scopes) (scopes += scopes.empty() ? "" : " ") += scope;
  const std::array<std::pair<std::string_view, std::string>, 8> parameters{{
      {"response_type", "code"},
      {"client_id", provider.client_id},
      {"redirect_uri", std::string(redirect_uri)},
      {"scope", scopes},
      {"state", attempt.state},
      {"nonce", attempt.nonce},
      {"code_challenge", base64url(crypto::sha256(attempt.verifier.reveal()).view())},
      {"code_challenge_method", "S256"},
  }};
  std::string address = metadata.authorization_endpoint.to_string();
  for (const auto& [name, value] : parameters) {
    address += address.find('?') == std::string::npos ? '?' : '&';
    address += name;
    address += '=';
    address += text::percent_encode(value);
  }
  return address;
}

Result<Secret> check_authorization_answer(std::string_view query, const ProviderMetadata& metadata,
                                          const SignInAttempt& attempt) {
  if (query.size() > query_bytes_max) return refuse("an answer that is too long");
  const auto parameters = text::parse_query(query);
  if (!parameters) return refuse(describe_for_operator(parameters.error()));
  const auto find = [&](std::string_view name) -> std::optional<std::string_view> {
    const auto found = std::ranges::find(*parameters, name, &text::QueryParameter::name);
    return found == parameters->end() ? std::nullopt : std::optional<std::string_view>(found->value);
  };
  // First: an answer that this browser did not ask for tells nothing.
  const auto state = find("state");
  if (!state || attempt.state.empty() || !crypto::equal_constant_time(*state, attempt.state))
    return refuse("another state than the attempt's");
  const auto issuer = find("iss");
  if (issuer ? *issuer != metadata.issuer : metadata.names_itself) return refuse("an answer of another provider");
  if (const auto error = find("error")) return refuse("the provider says " + std::string(error->substr(0, 100)));
  const auto code = find("code");
  if (!code || code->empty() || code->size() > code_bytes_max) return refuse("no code");
  return Secret(std::string(*code));
}

Result<TokenClaims> check_id_token(const crypto::VerifiedJws& token, const SignInProvider& provider,
                                   const SignInAttempt& attempt, const Secret& access_token, Timestamp now) {
  // A shared secret also signs for whoever else has it; only keys that the provider alone holds are taken.
  if (token.algorithm == crypto::JwsAlgorithm::hs256) return refuse("an ID token signed with a shared secret");
  auto claims = check_token_claims(token,
                                   {.issuer = provider.issuer,
                                    .audience = provider.client_id,
                                    .life_max = id_token_life_max,
                                    .age_max = id_token_age_max},
                                   now);
  if (!claims) return refuse(claims.error().operator_detail());
  const bool has_party = claims->all.contains("azp");
  if ((has_party || claims->audiences.size() > 1) && text_claim(claims->all, "azp") != provider.client_id)
    return refuse("an ID token for another party");
  const auto nonce = text_claim(claims->all, "nonce");
  if (!nonce || attempt.nonce.empty() || !crypto::equal_constant_time(*nonce, attempt.nonce))
    return refuse("an ID token of another attempt");
  if (claims->all.contains("at_hash")) {
    const auto hash = crypto::sha256(access_token.reveal());
    const auto expected = base64url(hash.view().substr(0, hash.bytes.size() / 2));
    if (access_token.empty() || text_claim(claims->all, "at_hash") != expected)
      return refuse("an ID token for another access token");
  }
  return *std::move(claims);
}

bool needs_userinfo(const SignInProvider& provider, const TokenClaims& claims) {
  return !claims.all.contains("email") || !claims.all.contains("email_verified") ||
         (!provider.group_claim.empty() && !provider.group_roles.empty() && !claims.all.contains(provider.group_claim));
}

Result<SignIn> make_sign_in(const SignInProvider& provider, const TokenClaims& claims,
                            const std::optional<json::object>& userinfo) {
  if (userinfo && text_claim(*userinfo, "sub") != claims.subject) return refuse("userinfo of another person");
  // What the signed token says counts first, and an address goes with the word on it from the same place.
  const auto& about_email = claims.all.contains("email") && claims.all.contains("email_verified") ? claims.all
                            : userinfo                                                            ? *userinfo
                                                                                                  : claims.all;
  const auto email_text = text_claim(about_email, "email");
  const auto* verified = about_email.if_contains("email_verified");
  if (!email_text || verified == nullptr || *verified != json::value(true))
    return refuse("no e-mail address that the provider has verified");
  auto email = parse_email(*email_text);
  if (!email) return refuse("an e-mail address that is none");
  const auto domain = std::string_view(*email).substr(email->rfind('@') + 1);
  if (!provider.email_domains.empty() &&
      std::ranges::find(provider.email_domains, domain) == provider.email_domains.end())
    return fail(Code::permission_denied, "that address is not let in here", *email);

  SignIn sign_in{.issuer = provider.issuer, .subject = claims.subject, .email = *std::move(email)};
  if (!provider.group_claim.empty()) {
    const bool in_token = claims.all.contains(provider.group_claim) || !userinfo;
    auto groups = list_claim(in_token ? claims.all : *userinfo, provider.group_claim);
    // Only where they decide something: otherwise whatever a provider puts there must not lock anybody out.
    if (!groups && !provider.group_roles.empty()) return refuse("groups that are no list of names, or too many");
    sign_in.groups = std::move(groups).value_or(std::vector<std::string>());
  }
  sign_in.role = provider.default_role;
  bool by_group = false;
  for (const auto& group : sign_in.groups) {
    const auto found = provider.group_roles.find(group);
    if (found == provider.group_roles.end()) continue;
    if (!by_group || !sign_in.role || *sign_in.role < found->second) sign_in.role = found->second;
    by_group = true;
  }
  // RFC 8176: "mfa" is said of the whole sign-in, not of a part of it.
  const auto methods = list_claim(claims.all, "amr").value_or(std::vector<std::string>());
  sign_in.used_factor = std::ranges::find(methods, "mfa") != methods.end();
  return sign_in;
}

}  // namespace parley::identity
