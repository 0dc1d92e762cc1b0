#include "parley/api/openapi.h"

#include <algorithm>
#include <string>

#include "parley/api/route.h"

namespace parley::api {

namespace json = boost::json;

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::string parameter_name(std::string_view path) {
  const auto open_brace = path.find('{');
  if (open_brace == std::string_view::npos) return {};
  return std::string(path.substr(open_brace + 1, path.find('}') - open_brace - 1));
}

json::object error_response(std::string_view meaning) {
  return {{"description", meaning},
          {"content", {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}};
}

json::object operation(const Route& route) {
  json::object op{{"summary", route.summary.view()}};
  json::array parameters;
  if (const auto name = parameter_name(route.path.view()); !name.empty()) {
    parameters.push_back(
        json::object{{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  }
  if (route.input == Route::Input::query) {
    const json::object schema = route.input_schema();
    const auto* required = schema.if_contains("required");
    for (const auto& [name, property] : schema.at("properties").as_object()) {
      const bool is_required =
          required && std::ranges::find(required->as_array(), json::value(name)) != required->as_array().end();
      parameters.push_back(
          json::object{{"name", name}, {"in", "query"}, {"required", is_required}, {"schema", property}});
    }
  }
  if (!parameters.empty()) op["parameters"] = std::move(parameters);
  if (route.input == Route::Input::body) {
    op["requestBody"] = {{"required", true}, {"content", {{"application/json", {{"schema", route.input_schema()}}}}}};
  }
  json::object responses{{"200", {{"description", "Done"}}}, {"400", error_response("The request cannot be right")}};
  if (route.action) {
    op["operationId"] = route.action->name.view();
    op["security"] = json::array{json::object{{"apiKey", json::array{name(route.action->scope).view()}}},
                                 json::object{{"bearer", json::array{name(route.action->scope).view()}}}};
    op["x-parley-scope"] = name(route.action->scope).view();
    responses["401"] = error_response("No credential, or one that does not hold");
    responses["403"] = error_response("The credential does not hold the scope");
    responses["404"] = error_response("Absent, or another tenant's");
    responses["429"] = error_response("A limit is used up; Retry-After says for how long");
  } else {
    op["security"] = json::array();
    op["x-parley-public"] = route.public_reason;
  }
  op["responses"] = std::move(responses);
  return op;
}

}  // namespace

json::object openapi() {
  json::object paths;
  for (const Route& route : routes()) {
    auto& path = paths[route.path.view()];
    if (!path.is_object()) path.emplace_object();
    path.as_object()[lower(http::name(route.method))] = operation(route);
  }
  const json::object error{
      {"type", "object"},
      {"required", json::array{"error", "code", "request_id"}},
      {"properties",
       {{"error", {{"type", "string"}}}, {"code", {{"type", "string"}}}, {"request_id", {{"type", "string"}}}}}};
  return {{"openapi", "3.1.0"},
          {"info", {{"title", "Parley"}, {"version", "1"}, {"license", {{"name", "MIT"}}}}},
          {"paths", std::move(paths)},
          {"components",
           {{"schemas", {{"Error", error}}},
            {"securitySchemes",
             {{"apiKey",
               {{"type", "apiKey"}, {"in", "header"}, {"name", "Authorization"}, {"description", "Api-Key <token>"}}},
              {"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}}}}};
}

json::array routes_json() {
  json::array list;
  for (const Route& route : routes()) {
    json::object row{{"method", http::name(route.method)}, {"path", route.path.view()}};
    if (route.action) {
      row["access"] = "scope";
      row["scope"] = name(route.action->scope).view();
      row["action"] = route.action->name.view();
    } else {
      row["access"] = "public";
      row["public_reason"] = route.public_reason;
    }
    list.push_back(std::move(row));
  }
  return list;
}

}  // namespace parley::api
