#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "parley/api/route.h"
#include "testing/test_server.h"

// Requests made from the route table, so that a route nobody wrote a test for is tried too.

namespace parley::scenarios {

/// The words to find the canary document with: they stand in it, but not the canary.
inline constexpr std::string_view question = "How do I restart the turbine?";

/// A request that the route would grant to whoever may ask, on a project of this slug. None when the route takes
/// something this does not know how to make: teach it here, or the matrix has a hole.
///
/// `id` stands for {id}: of a key; by default of none.
std::optional<testing::HttpCall> call_for(const api::Route& route, std::string_view slug,
                                          std::string_view asset = "none.js",
                                          std::string_view id = "00000000-0000-4000-8000-000000000000");

/// "GET /api/v1/projects/{slug}/"
std::string title(const api::Route& route);

/// The first asset that the start page names: "logo.1234abcd.svg".
std::string an_asset(testing::HttpClient& client);

}  // namespace parley::scenarios
