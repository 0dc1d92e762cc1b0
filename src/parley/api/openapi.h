#pragma once

#include <boost/json.hpp>

namespace parley::api {

/// The OpenAPI 3.1 description of every route, made from the route table.
boost::json::object openapi();

/// The route table for people and programs: [{"method","path","access","scope"|"public_reason","action"}].
boost::json::array routes_json();

}  // namespace parley::api
