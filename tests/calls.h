#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parley/api/route.h"
#include "testing/test_server.h"

// Requests made from the route table, so that a route nobody wrote a test for is tried too.

namespace parley::scenarios {

/// The words to find the canary document with: they stand in it, but not the canary.
inline constexpr std::string_view question = "How do I restart the turbine?";

/// What a request names beside the route: in its path, or where its body says so.
enum class Names : std::uint8_t { nothing, project, key, session, account, invitation, organisation, asset };

/// What there is to know of a route that the route table does not say: how to call it, and what whoever may do it is
/// answered. Who may do it is in the route table, and not here.
struct Line {
  std::string_view route;  ///< "GET /api/v1/projects/{slug}/"
  int granted = 200;       ///< the status for whoever may, on an object of their own
  Names names = Names::nothing;
  std::string_view input =
      {};                      ///< the query, or the body: {name} stands for what is named, {slug} for a project's slug
  std::string_view says = {};  ///< stands in the granted answer, where its status alone could be a refusal
  enum class Tells : std::uint8_t { nothing, credential } tells = Tells::nothing;  ///< a new one, this once
  /// What whoever does it must hold besides, since it hands it out.
  ScopeSet hands_out = {};
  /// A public route that looks at the session's cookie by itself.
  enum class Cookie : bool { ignored, judged } cookie = Cookie::ignored;
};

/// One for each route: a route without one, and one without a route, is a failure of the matrix.
std::span<const Line> lines();
/// Null if the route has none.
const Line* find_line(const api::Route& route);

/// What stands for the named object and the project in a call.
struct Named {
  std::string slug = {};
  std::string name = "00000000-0000-4000-8000-000000000000";  ///< of what is named, if it is no project
};

/// A request that the route would grant to whoever may ask. Aborts for a route without a line.
testing::HttpCall call_for(const api::Route& route, const Named& named);
inline testing::HttpCall call_for(const api::Route& route, const std::string& slug) {
  return call_for(route, Named{.slug = slug});
}

/// What a field of a route's input can name by an id.
enum class ObjectKind : std::uint8_t { chat };
struct ObjectField {
  std::string name;
  std::optional<ObjectKind> kind;  ///< none: nobody has said here what it names, so the matrix has a hole
};
/// The fields of a route's input that name an object by its id and are not the one its line is about.
std::vector<ObjectField> object_fields(const api::Route& route);
/// The call with that field set.
testing::HttpCall with_object(testing::HttpCall call, const api::Route& route, std::string_view field,
                              const std::string& id);

/// Other spellings of a path, none of which may find what the path finds.
std::vector<std::string> respelt(const std::string& path);

/// Percent-encoded, for a query.
std::string query_encoded(std::string_view text);

/// "GET /api/v1/projects/{slug}/"
std::string title(const api::Route& route);
bool changes(const api::Route& route);

/// The first asset that the start page names: "logo.1234abcd.svg".
std::string an_asset(testing::HttpClient& client);

}  // namespace parley::scenarios
