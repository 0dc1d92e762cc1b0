#include "tests/callers.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "parley/text/base64.h"
#include "tests/calls.h"

namespace parley::scenarios {

using testing::HttpCall;
using testing::HttpHeader;
using testing::TestKey;
using testing::TestProject;
using testing::TestServer;

namespace {

constexpr auto elsewhere_site = "https://elsewhere.example.net";

std::string base64(std::string_view text) {
  return text::to_base64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::string with_one_character_changed(std::string text, std::size_t at) {
  text[at] = text[at] == 'a' ? 'b' : 'a';
  return text;
}

}  // namespace

std::vector<HttpHeader> Caller::browser_headers() const {
  std::vector<HttpHeader> headers = says;
  if (own_page) headers.push_back(TestServer::own_page());
  if (!site.empty()) {
    headers.push_back({"Origin", site});
    headers.push_back({"Sec-Fetch-Site", "cross-site"});
  }
  return headers;
}

namespace {

using std::chrono::hours;
using std::chrono::microseconds;

/// Adds callers to a list, kind by kind.
class Gathering {
 public:
  Gathering(TestServer& server, const Target& target)
      : server_(server), here_(target.project), sibling_(target.sibling), foreign_(target.foreign) {}

  std::vector<Caller> all() {
    add_nobody();
    add_worthless();
    add_keys_and_visitors_of_others();
    add_keys_and_visitors();
    add_people();
    return std::move(list_);
  }

 private:
  TestKey key(const TestProject& p, ScopeSet scopes = ScopeSet::secret_keys(), microseconds life = hours(1)) {
    return server_.make_key({.tenant = p.ref.tenant, .project = p.ref.project, .scopes = scopes, .lifetime = life});
  }
  TestKey page_key(const TestProject& p, microseconds life = hours(1)) {
    return server_.make_key({.tenant = p.ref.tenant,
                             .project = p.ref.project,
                             .scopes = ScopeSet::public_keys(),
                             .kind = identity::KeyKind::public_key,
                             .lifetime = life});
  }
  TestKey wide_key(const TestProject& p, ScopeSet scopes = ScopeSet::secret_keys()) {
    return server_.make_key({.tenant = p.ref.tenant, .project = std::nullopt, .scopes = scopes});
  }
  TestKey key_from(const TestProject& p, std::string range) {
    return server_.make_key({.tenant = p.ref.tenant, .project = p.ref.project, .addresses = {std::move(range)}});
  }
  template <class Work>
  void must(Work work) {
    if (!server_.installation().wait(std::move(work))) std::abort();
  }

  void add_nobody() {
    list_.push_back({.name = "none"});
    list_.push_back({.name = "none, own page", .own_page = true});
    list_.push_back({.name = "none, on a listed site", .site = site_});
    list_.push_back({.name = "none, on another site", .site = elsewhere_site});
    list_.push_back({.name = "none, on a page that hides where it is", .says = {{"Origin", "null"}}});
  }

  void worthless(std::string name, std::string credential, bool own_page = false, std::string on = {}) {
    list_.push_back({.name = std::move(name),
                     .standing = Standing::worthless,
                     .credential = std::move(credential),
                     .own_page = own_page,
                     .site = std::move(on)});
  }
  void worthless_session(std::string name, std::string token, std::string csrf) {
    list_.push_back({.name = std::move(name),
                     .standing = Standing::worthless,
                     .credential = std::move(token),
                     .by = Caller::By::cookie,
                     .csrf = std::move(csrf),
                     .kind = PrincipalKind::member,
                     .own_page = true});
  }
  void add_worthless() {
    const microseconds instant(1);
    worthless("malformed", "sk_1not-a-key");
    worthless("malformed, own page", "sk_1not-a-key", true);
    worthless("malformed visitor, own page", "vt_not-a-token", true);
    worthless("the word null", "null", true);
    for (const bool on_page : {false, true})
      worthless(on_page ? "random well-formed, own page" : "random well-formed",
                std::string(identity::make_api_key(identity::KeyKind::secret).reveal()), on_page);
    worthless("random well-formed public", std::string(identity::make_api_key(identity::KeyKind::public_key).reveal()),
              false, site_);
    worthless("expired", key(here_, ScopeSet::secret_keys(), instant).text);
    worthless("expired, own page", key(here_, ScopeSet::secret_keys(), instant).text, true);
    worthless("expired public", page_key(here_, instant).text, false, site_);
    const auto revoked = key(here_);
    server_.revoke(here_, revoked);
    worthless("revoked", revoked.text);
    worthless("revoked, own page", revoked.text, true);
    const auto revoked_wide = wide_key(here_);
    server_.revoke(here_, revoked_wide);
    worthless("revoked, organisation-wide", revoked_wide.text);
    const auto rotated = key(here_);
    auto& keys = *server_.installation().keys;
    must(keys.rotate(here_.ref.tenant, rotated.id, microseconds(0)));
    worthless("rotated away", rotated.text);
    const auto idle = key(here_);
    server_.leave_idle(idle);
    worthless_known("idle", idle.text);
    worthless_known("from another address", key_from(here_, "192.0.2.0/24").text);
    const auto good = key(here_);
    worthless("owner with a blank", good.text + " x");
    worthless("owner, last character changed", with_one_character_changed(good.text, good.text.size() - 1));
    worthless("owner, another prefix", "pk" + good.text.substr(2), false, site_);
    worthless("visitor, expired", server_.make_visitor(here_, hours(13)), true);
    worthless("visitor, forged", with_one_character_changed(server_.make_visitor(here_), 10), true);
    worthless("visitor, outside a page", server_.make_visitor(here_));
    worthless("visitor of our page, on a listed site", server_.make_visitor(here_), false, site_);
    const auto shown = page_key(here_);
    worthless("public key, outside a page", shown.text);
    worthless("public key, on our page", shown.text, true);
    worthless("public key, on another site", shown.text, false, elsewhere_site);
    worthless("visitor on another site", server_.make_visitor(here_, shown), false, elsewhere_site);
    worthless("visitor of a site, on our page", server_.make_visitor(here_, shown), true);
    const auto dead = page_key(here_);
    const auto orphan = server_.make_visitor(here_, dead);
    server_.revoke(here_, dead);
    worthless("visitor of a revoked key", orphan, false, site_);

    const auto session = [&](microseconds age, microseconds unused_for,
                             identity::Assurance assurance = identity::Assurance::full) {
      const auto account = server_.make_person({.tenant = here_.ref.tenant, .role = identity::Role::administrator});
      return server_.make_session({.account = account,
                                   .tenant = here_.ref.tenant,
                                   .assurance = assurance,
                                   .age = age,
                                   .unused_for = unused_for});
    };
    const auto add = [&](std::string name, const testing::TestSession& s) {
      worthless_session(std::move(name), s.token, s.csrf);
    };
    for (const auto& [name, s] :
         {std::pair("administrator, unused for a day", session(hours(24), hours(24))),
          std::pair("administrator, signed in a month ago", session(hours(24 * 31), microseconds(0)))}) {
      // The first refusal ends it in the table; what is looked at is that the later ones leave nothing.
      auto& at = server_.installation();
      (void)at.wait(at.sessions->require_open(identity::parse_session_token(s.token).value(), identity::ForReading{}));
      add(name, s);
    }
    add("administrator who owes a factor", session({}, {}, identity::Assurance::factor_owed));
    const auto signed_out = session({}, {});
    const auto account_of = [&](const testing::TestSession& s) {
      const auto presented = identity::parse_session_token(s.token).value();
      auto& at = server_.installation();
      return at.wait(at.sessions->require_open(presented, identity::ForReading{})).value()->account;
    };
    must(server_.installation().sessions->end(account_of(signed_out), signed_out.id));
    add("administrator, signed out", signed_out);
    const auto disabled = session({}, {});
    must(server_.installation().accounts->disable(server_.installation().local_operator(0), account_of(disabled)));
    add("administrator, disabled", disabled);
    const auto open = session({}, {});
    worthless_session("administrator, one character changed", with_one_character_changed(open.token, 20), open.csrf);
    const auto random = identity::make_session_token();
    worthless_session("random well-formed session", std::string(random.reveal()),
                      identity::parse_session_token(random.reveal())->csrf_token());
    worthless_session("an empty session", "", open.csrf);
  }
  /// A server's key that would hold but for when or from where it is used: refused on its organisation's trail.
  void worthless_known(std::string name, std::string credential) {
    worthless(std::move(name), std::move(credential));
    list_.back().tenant = here_.ref.tenant;
  }

  void add_keys_and_visitors_of_others() {
    using enum PrincipalKind;
    const auto add = [&](std::string name, std::string credential, PrincipalKind kind, ScopeSet scopes, TenantId tenant,
                         bool bound, bool own_page = false, std::string on = {}) {
      list_.push_back({.name = std::move(name),
                       .standing = Standing::elsewhere,
                       .credential = std::move(credential),
                       .kind = kind,
                       .scopes = scopes,
                       .bound = bound,
                       .own_page = own_page,
                       .site = std::move(on),
                       .tenant = tenant});
    };
    const auto all = ScopeSet::secret_keys(), shown = ScopeSet::public_keys();
    for (const auto& [whose, p] : {std::pair<const char*, const TestProject*>{"other organisation's", &foreign_},
                                   {"other project's", &sibling_}}) {
      const TenantId tenant = p->ref.tenant;
      add(fmt::format("{} key", whose), key(*p).text, secret_key, all, tenant, true);
      add(fmt::format("{} public key", whose), page_key(*p).text, public_key, shown, tenant, true, false, site_);
      add(fmt::format("{} visitor, own page", whose), server_.make_visitor(*p), visitor, shown, tenant, true, true);
      add(fmt::format("{} visitor, on a site", whose), server_.make_visitor(*p, page_key(*p)), visitor, shown, tenant,
          true, false, site_);
      for (const auto& info : all_scopes())
        if (info.holders != Holders::members)
          add(fmt::format("{} key, only {}", whose, info.name.view()), key(*p, ScopeSet{info.scope}).text, secret_key,
              ScopeSet{info.scope}, tenant, true);
    }
    add("other organisation's wide key", wide_key(foreign_).text, secret_key, all, foreign_.ref.tenant, false);
    for (const auto& info : all_scopes())
      if (info.holders != Holders::members)
        add(fmt::format("other organisation's wide key, only {}", info.name.view()),
            wide_key(foreign_, {info.scope}).text, secret_key, {info.scope}, foreign_.ref.tenant, false);
  }

  void add_keys_and_visitors() {
    using enum PrincipalKind;
    const auto add = [&](std::string name, std::string credential, PrincipalKind kind, ScopeSet scopes, bool bound,
                         std::string on = {}, Standing standing = Standing::here) {
      list_.push_back({.name = std::move(name),
                       .standing = standing,
                       .credential = std::move(credential),
                       .kind = kind,
                       .scopes = scopes,
                       .bound = bound,
                       .site = std::move(on),
                       .tenant = here_.ref.tenant});
    };
    for (const auto& info : all_scopes()) {
      if (info.holders == Holders::members) continue;
      const ScopeSet one{info.scope};
      ScopeSet rest;
      for (const auto& other : all_scopes())
        if (other.scope != info.scope && other.holders != Holders::members) rest.add(other.scope);
      add(fmt::format("only {}", info.name.view()), key(here_, one).text, secret_key, one, true);
      add(fmt::format("organisation-wide, only {}", info.name.view()), wide_key(here_, one).text, secret_key, one,
          false);
      add(fmt::format("organisation-wide, all but {}", info.name.view()), wide_key(here_, rest).text, secret_key, rest,
          false);
    }
    const auto all = ScopeSet::secret_keys();
    const auto good = key(here_), wide = wide_key(here_), shown = page_key(here_);
    add("owner", good.text, secret_key, all, true);
    add("owner, organisation-wide", wide.text, secret_key, all, false);
    add("owner, from an address of theirs", key_from(here_, "127.0.0.0/8").text, secret_key, all, true);
    add("owner in a browser", good.text, secret_key, all, true, site_, Standing::barred);
    add("owner, organisation-wide, in a browser", wide.text, secret_key, all, false, site_, Standing::barred);
    add("visitor", server_.make_visitor(here_, shown), visitor, ScopeSet::public_keys(), true, site_);
    add("public key", shown.text, public_key, ScopeSet::public_keys(), true, site_);
  }

  /// Somebody who has just signed in, on our own page.
  Caller person(std::string name, const TestProject& of, identity::Role role,
                std::vector<identity::ProjectGrant> grants = {}) {
    const auto account = server_.make_person({.tenant = of.ref.tenant, .role = role, .grants = grants});
    const auto session = server_.make_session({.account = account, .tenant = of.ref.tenant});
    Caller caller{.name = name,
                  .standing = of.ref.tenant == here_.ref.tenant ? Standing::here : Standing::elsewhere,
                  .credential = session.token,
                  .by = Caller::By::cookie,
                  .csrf = session.csrf,
                  .kind = PrincipalKind::member,
                  .scopes = identity::scopes_of(role),
                  .own_page = true,
                  .tenant = of.ref.tenant,
                  .account = account};
    for (const auto& grant : grants)
      if (grant.project == here_.ref.project) caller.granted = caller.granted | identity::scopes_of(grant.role);
    // The list outlives this object, the server and its projects outlive both.
    caller.another = [again = afresh(), name, &of, role, grants]() mutable {
      return again.person(name, of, role, grants);
    };
    return caller;
  }
  void add_people() {
    using enum identity::Role;
    for (const auto role : {viewer, editor, maintainer, administrator}) {
      const std::string name(identity::name(role));
      list_.push_back(person(name, here_, role));
      list_.push_back(person("other organisation's " + name, foreign_, role));
    }
    for (const auto role : {viewer, editor, maintainer}) {
      const auto name = identity::name(role);
      list_.push_back(person(fmt::format("viewer, {} here", name), here_, viewer, {{here_.ref.project, role}}));
      list_.push_back(
          person(fmt::format("viewer, {} on the other project", name), here_, viewer, {{sibling_.ref.project, role}}));
      list_.push_back(person(fmt::format("other organisation's viewer, {} there", name), foreign_, viewer,
                             {{foreign_.ref.project, role}}));
    }
    for (const auto role : {viewer, administrator}) {
      const std::string name(identity::name(role));
      const auto variant = [&](std::string how, Standing standing, auto change) {
        Caller caller = person(fmt::format("{}, {}", name, how), here_, role);
        caller.standing = standing;
        caller.another = {};
        change(caller);
        list_.push_back(std::move(caller));
      };
      const auto says = [](std::string value) {
        return [value](Caller& caller) {
          caller.own_page = false;
          caller.says = {{"Sec-Fetch-Site", value}};
        };
      };
      variant("without the CSRF token", Standing::unproven, [](Caller& caller) { caller.csrf.clear(); });
      variant("with an empty CSRF token", Standing::unproven, [](Caller& caller) {
        caller.csrf.clear();
        caller.says = {{"X-CSRF-Token", ""}};
      });
      const auto other = person("", here_, role);
      variant("with another session's CSRF token", Standing::unproven,
              [&](Caller& caller) { caller.csrf = other.csrf; });
      variant("with the session for a CSRF token", Standing::unproven,
              [](Caller& caller) { caller.csrf = caller.credential; });
      variant("on a page of the same site", Standing::barred, says("same-site"));
      variant("on a page of another site", Standing::barred, says("cross-site"));
      variant("on a listed site", Standing::barred, [&](Caller& caller) {
        caller.own_page = false;
        caller.site = site_;
      });
      variant("on a page that hides where it is", Standing::barred, [](Caller& caller) {
        caller.own_page = false;
        caller.says = {{"Origin", "null"}};
      });
    }
    list_.push_back(enrolling());
    list_.push_back(removed());
  }
  Gathering afresh() const { return {server_, {here_, sibling_, foreign_}}; }
  Caller enrolling() {
    Caller caller = person("administrator who owes an enrolment", here_, identity::Role::administrator);
    const auto session = server_.make_session(
        {.account = *caller.account, .tenant = here_.ref.tenant, .assurance = identity::Assurance::enrolment_owed});
    caller.standing = Standing::enrolling;
    caller.credential = session.token;
    caller.csrf = session.csrf;
    caller.tenant = std::nullopt;
    caller.scopes = {};
    caller.another = [again = afresh()]() mutable { return again.enrolling(); };
    return caller;
  }
  Caller removed() {
    Caller caller = person("administrator, removed since", here_, identity::Role::administrator);
    auto& at = server_.installation();
    must(at.members->remove(identity::Doer::local(at.local_operator(0)), here_.ref.tenant, *caller.account));
    caller.standing = Standing::elsewhere;
    caller.tenant = std::nullopt;
    caller.scopes = {};
    caller.another = [again = afresh()]() mutable { return again.removed(); };
    return caller;
  }

  TestServer& server_;
  const TestProject &here_, &sibling_, &foreign_;
  const std::string site_ = TestServer::site;
  std::vector<Caller> list_;
};

}  // namespace

std::vector<Caller> callers(TestServer& server, const Target& target) { return Gathering(server, target).all(); }

std::vector<Caller> callers(TestServer& server, const Target& target, const std::vector<std::string_view>& names) {
  auto list = callers(server, target);
  std::erase_if(list, [&](const Caller& caller) { return std::ranges::find(names, caller.name) == names.end(); });
  if (list.size() == names.size()) return list;
  fmt::print(stderr, "of the callers {}, only {} are there\n", fmt::join(names, ", "), list.size());
  std::abort();
}

namespace {

std::optional<int> refusal_of_nobody(const ActionInfo& action, const Caller& caller, const TestProject& target) {
  using enum ActionInfo::Anonymous;
  if (action.on != ActionInfo::On::project || target.ref.access->visibility != Visibility::public_project) return 401;
  if (caller.own_page && (action.anonymous == own_pages || action.anonymous == reading)) return std::nullopt;
  if (caller.site == TestServer::site && action.anonymous == reading) return std::nullopt;
  return 401;
}

std::optional<int> refusal_on_project(const ActionInfo& action, const Caller& caller) {
  if (caller.standing == Standing::elsewhere) return 404;
  if (!(caller.scopes | caller.granted).contains(action.scope)) return 403;
  if (caller.kind == PrincipalKind::visitor && action.visitors != ActionInfo::Visitors::may) return 403;
  if (caller.kind == PrincipalKind::public_key && action.public_key != ActionInfo::PublicKey::may) return 403;
  return std::nullopt;
}

}  // namespace

std::optional<int> refusal(const api::Route& route, const Caller& caller, const TestProject& target) {
  const ActionInfo& action = *route.action;
  switch (caller.standing) {
    case Standing::absent: return refusal_of_nobody(action, caller, target);
    case Standing::worthless: return 401;
    case Standing::barred: return 403;
    case Standing::unproven:
      if (changes(route)) return 403;
      break;
    case Standing::enrolling:
      if (action.enrolling != ActionInfo::Enrolling::may) return 403;
      break;
    case Standing::elsewhere:
    case Standing::here: break;
  }
  switch (action.on) {
    case ActionInfo::On::project: return refusal_on_project(action, caller);
    case ActionInfo::On::organisation:
      if (caller.bound || !caller.tenant || !caller.scopes.contains(action.scope)) return 403;
      return std::nullopt;
    case ActionInfo::On::account:
      if (caller.kind != PrincipalKind::member) return 403;
      return std::nullopt;
  }
  std::unreachable();
}

namespace {

HttpCall with_headers_of(HttpCall call, const Caller& caller) {
  for (auto& header : caller.browser_headers()) call.headers.push_back(std::move(header));
  if (!caller.csrf.empty() && call.method != "GET" && call.method != "HEAD")
    call.headers.push_back({"X-CSRF-Token", caller.csrf});
  return call;
}

HttpCall and_the_credential(HttpCall call, const Caller& caller) {
  if (caller.standing == Standing::absent) return call;
  if (caller.by == Caller::By::cookie)
    call.headers.push_back({"Cookie", "theme=dark; __Host-parley_session=" + caller.credential});
  else call.headers.push_back({"Authorization", "Bearer " + caller.credential});
  return call;
}

}  // namespace

HttpCall as_caller(HttpCall call, const Caller& caller) {
  // A server's key says for which site the visitor is.
  const bool program = !caller.own_page && caller.site.empty();
  if (call.path == "/api/v1/visitors/" && caller.by == Caller::By::authorization && program)
    add_to_body(call, "origin", fmt::format("\"{}\"", TestServer::site));
  return with_headers_of(std::move(call), caller);
}

HttpCall with_credential(HttpCall call, const Caller& caller) {
  return and_the_credential(as_caller(std::move(call), caller), caller);
}

HttpCall as_it_stands(HttpCall call, const Caller& caller) {
  return and_the_credential(with_headers_of(std::move(call), caller), caller);
}

void add_to_body(HttpCall& call, std::string_view name, std::string_view json_value) {
  if (!call.body || !call.body->ends_with('}')) return;
  call.body->pop_back();
  *call.body += fmt::format("{}\"{}\":{}}}", call.body->ends_with('{') ? "" : ",", name, json_value);
}

void add_to_query(HttpCall& call, std::string_view name, std::string_view value) {
  call.path += call.path.find('?') == std::string::npos ? '?' : '&';
  call.path += fmt::format("{}={}", name, query_encoded(value));
}

namespace {

using Read = Place::Read;

/// Headers whose values hold the credential where it says "{}".
Place in_headers(std::string name, Read read, std::vector<HttpHeader> headers) {
  return {std::move(name), read, [headers = std::move(headers)](HttpCall& call, const std::string& credential) {
            for (auto header : headers) {
              if (const auto at = header.value.find("{}"); at != std::string::npos)
                header.value.replace(at, 2, credential);
              call.headers.push_back(std::move(header));
            }
          }};
}

/// "Basic", with the base64 of the credential between these.
Place basic(std::string name, std::string before, std::string after) {
  return {std::move(name), Read::as_bad, [=](HttpCall& call, const std::string& credential) {
            call.headers.push_back({"Authorization", "Basic " + base64(before + credential + after)});
          }};
}

}  // namespace

Place::Counts Place::counts_for(const Caller& caller) const {
  switch (read) {
    case Read::as_authorization: return caller.by == Caller::By::authorization ? Counts::as_credential : Counts::as_bad;
    case Read::as_cookie: return caller.by == Caller::By::cookie ? Counts::as_credential : Counts::as_bad;
    case Read::as_bad: return Counts::as_bad;
    case Read::as_broken: return Counts::as_broken;
    case Read::nowhere: return Counts::as_none;
  }
  std::unreachable();
}

const std::vector<Place>& places() {
  static const std::vector<Place> all = [] {
    using enum Read;
    std::vector<Place> list{
        in_headers("Authorization: Bearer", as_authorization, {{"Authorization", "Bearer {}"}}),
        in_headers("Authorization: Api-Key", as_authorization, {{"Authorization", "Api-Key {}"}}),
        in_headers("lower case", as_authorization, {{"authorization", "bearer {}"}}),
        in_headers("upper case", as_authorization, {{"AUTHORIZATION", "API-KEY {}"}}),

        in_headers("Authorization twice", as_broken, {{"Authorization", "Bearer {}"}, {"Authorization", "Bearer {}"}}),
        in_headers("Authorization twice, the first empty", as_broken,
                   {{"authorization", ""}, {"Authorization", "Bearer {}"}}),
        in_headers("Authorization twice, in two schemes", as_broken,
                   {{"Authorization", "Api-Key {}"}, {"Authorization", "Basic Og=="}}),

        basic("Basic, as the user", "", ":"),
        basic("Basic, as the password", ":", ""),
        basic("Basic, with a user", "api:", ""),
    };
    for (const char* value : {"Basic {}", "Token {}", "{}", "Bearer  {}", "Bearer {}, Bearer {}", "Bearer \"{}\"",
                              "Digest username=\"{}\"", "Bearer ", ""})
      list.push_back(in_headers(std::string("Authorization: ") + value, as_bad, {{"Authorization", value}}));
    for (const char* header : {"Proxy-Authorization", "X-Authorization", "X-Forwarded-Authorization",
                               "X-Original-Authorization", "Authentication"})
      list.push_back(in_headers(header, nowhere, {{header, "Bearer {}"}}));
    for (const char* header : {"X-Api-Key", "Api-Key", "X-Auth-Token", "X-Access-Token", "X-Visitor-Token",
                               "X-CSRF-Token", "Token", "From", "Sec-WebSocket-Protocol"})
      list.push_back(in_headers(header, nowhere, {{header, "{}"}}));
    list.push_back(in_headers("Referer", nowhere, {{"Referer", "https://docs.example.org/?access_token={}"}}));
    list.push_back(in_headers("the session's cookie", as_cookie, {{"Cookie", "__Host-parley_session={}"}}));
    list.push_back(in_headers("the session's cookie among others", as_cookie,
                              {{"Cookie", "theme=dark; __Host-parley_session={}; __Host-parley_ticket=x"}}));
    list.push_back(in_headers("the session's cookie twice", as_bad,
                              {{"Cookie", "__Host-parley_session={}; __Host-parley_session={}"}}));
    list.push_back(in_headers("the session's cookie in quotes", as_bad, {{"Cookie", "__Host-parley_session=\"{}\""}}));
    for (const char* cookie :
         {"session", "__Host-session", "__host-parley_session", "parley_session", "__Host-parley_ticket", "token",
          "access_token", "api_key", "parley", "visitor", "Authorization"})
      list.push_back(in_headers(std::string("cookie ") + cookie, nowhere, {{"Cookie", std::string(cookie) + "={}"}}));
    for (const char* parameter : {"api_key", "apiKey", "access_token", "token", "key", "visitor", "authorization"})
      list.push_back({std::string("query ") + parameter, nowhere, [=](HttpCall& call, const std::string& credential) {
                        add_to_query(call, parameter, credential);
                      }});
    for (const char* field : {"apiKey", "api_key", "token", "access_token", "authorization"})
      list.push_back({std::string("body ") + field, nowhere, [=](HttpCall& call, const std::string& credential) {
                        add_to_body(call, field, "\"" + credential + "\"");
                      }});
    list.push_back({"body headers.Authorization", nowhere, [](HttpCall& call, const std::string& credential) {
                      add_to_body(call, "headers", "{\"Authorization\":\"Bearer " + credential + "\"}");
                    }});
    return list;
  }();
  return all;
}

}  // namespace parley::scenarios
