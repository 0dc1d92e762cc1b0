// What must not compile, said in a way that compiles: each line would stop the build if somebody made it possible. A
// sentence about what is impossible stands beside one about what is possible, so that it is not true for a wrong
// reason.
#include <type_traits>

#include "parley/api/actions.h"
#include "parley/api/route.h"
#include "parley/evidence/proofs.h"
#include "parley/identity/gate.h"

namespace parley::scenarios {
namespace {

using On = ActionInfo::On;

template <On on>
struct Act {
  static constexpr ActionInfo info{
      .name = "act", .summary = "", .scope = Scope::project_read, .cost = Cost::read, .on = on};
};
using OnProject = Act<On::project>;
using OnOrganisation = Act<On::organisation>;
using OnAccount = Act<On::account>;
/// Says nothing of who may do it.
struct NoAction {};

// --- a permission is made by the gate alone, for one action, from what the steps before it have made

template <class Proof, class... From>
concept Made = std::is_constructible_v<Proof, From...>;

static_assert(!std::is_default_constructible_v<Authorized<OnProject>>);
static_assert(!std::is_default_constructible_v<Authorized<OnOrganisation>>);
static_assert(!std::is_default_constructible_v<Authorized<OnAccount>>);
static_assert(!Made<Authorized<OnProject>, Principal, std::optional<ProjectRef>, Literal>);
static_assert(!Made<Authorized<OnOrganisation>, Principal, std::optional<ProjectRef>, Literal>);
static_assert(!Made<Authorized<OnAccount>, Principal, std::optional<ProjectRef>, Literal>);
static_assert(Made<Authorized<OnProject>, Authorized<OnProject>>);
static_assert(!Made<Authorized<OnProject>, Authorized<OnOrganisation>>);
static_assert(!Made<Authorized<OnOrganisation>, Authorized<OnProject>>);
static_assert(!Made<Authorized<OnOrganisation>, Authorized<OnAccount>>);
static_assert(!Made<Authorized<OnAccount>, Authorized<OnOrganisation>>);
static_assert(!Made<Authenticated, Principal> && !std::is_default_constructible_v<Authenticated>);
static_assert(!Made<Admitted, Principal> && !Made<Admitted, Authenticated>);
static_assert(!Made<AddressAdmitted, boost::asio::ip::address>);
static_assert(!Made<LocalOperator, std::uint32_t>);
static_assert(!Made<Validated<api::NoInput>, api::NoInput>);

template <class A, class Caller>
concept DecidedOnProject = requires(const Caller& caller, std::optional<ProjectRef> project, const Sender& sender) {
  identity::Gate::authorize<A>(caller, project, sender);
};
template <class A, class Caller>
concept DecidedAlone =
    requires(const Caller& caller, const Sender& sender) { identity::Gate::authorize<A>(caller, sender); };

// What is done to a project is decided with the project, and what is not, without: a request names no organisation.
static_assert(DecidedOnProject<OnProject, Admitted> && !DecidedAlone<OnProject, Admitted>);
static_assert(!DecidedOnProject<OnOrganisation, Admitted> && DecidedAlone<OnOrganisation, Admitted>);
static_assert(!DecidedOnProject<OnAccount, Admitted> && DecidedAlone<OnAccount, Admitted>);
// Nobody who has not been admitted, and nothing that does not say who may do it.
static_assert(!DecidedOnProject<OnProject, Authenticated> && !DecidedOnProject<OnProject, Principal>);
static_assert(!DecidedAlone<OnOrganisation, Authenticated> && !DecidedAlone<OnAccount, Principal>);
static_assert(!DecidedOnProject<NoAction, Admitted> && !DecidedAlone<NoAction, Admitted>);

// --- a permission names what it is for, and nothing beyond

template <class Permit>
concept NamesProject = requires(const Permit& permit) { permit.project(); };
template <class Permit>
concept NamesTenant = requires(const Permit& permit) { permit.tenant(); };

static_assert(NamesProject<Authorized<OnProject>> && NamesTenant<Authorized<OnProject>>);
static_assert(!NamesProject<Authorized<OnOrganisation>> && NamesTenant<Authorized<OnOrganisation>>);
// An account belongs to no organisation: with it nobody's tables can be opened.
static_assert(!NamesProject<Authorized<OnAccount>> && !NamesTenant<Authorized<OnAccount>>);

// --- a route has one access rule, and says where its project stands exactly if it is on one

template <On on, api::Route::Slug slug>
struct Handled {
  using Permission = Act<on>;
  using Input = api::NoInput;
  static constexpr auto input_from = api::Route::Input::none;
  static constexpr auto slug_from = slug;
  static constexpr std::size_t body_bytes_max = 0;
  static constexpr auto streams = api::Route::Streams::no;
  static Async<api::Reply> handle(api::Services&, api::Context, Authorized<Permission>, Validated<Input>) {
    co_return api::Reply();
  }
};

/// Says who may do it by nothing.
struct Unruled : Handled<On::project, api::Route::Slug::in_path> {
  using Permission = NoAction;
};

template <class A>
concept Routable = requires { typename std::bool_constant<(api::action<A>(http::Method::get, "/x/{slug}/"), true)>; };

using Slug = api::Route::Slug;
static_assert(Routable<Handled<On::project, Slug::in_path>>);
static_assert(!Routable<Handled<On::project, Slug::none>>);
static_assert(Routable<Handled<On::organisation, Slug::none>>);
static_assert(!Routable<Handled<On::organisation, Slug::in_path>>);
static_assert(!Routable<Handled<On::organisation, Slug::in_body>>);
static_assert(Routable<Handled<On::account, Slug::none>>);
static_assert(!Routable<Handled<On::account, Slug::in_path>>);
static_assert(!Routable<Handled<On::account, Slug::in_body>>);
static_assert(!Routable<Unruled>);

/// A form that anybody may send.
struct Form {
  static constexpr Literal summary = "";
  using Input = api::NoInput;
  static constexpr std::size_t body_bytes_max = 0;
  static Async<api::Reply> handle(api::Services&, api::Context, Validated<Input>) { co_return api::Reply(); }
};
template <class A, class... Why>
concept Openable =
    requires { typename std::bool_constant<(api::open<A>(http::Method::post, "/x", Why{"a reason"}...), true)>; };
static_assert(Openable<Form, api::Public>);
static_assert(!Openable<Form>);

}  // namespace
}  // namespace parley::scenarios
