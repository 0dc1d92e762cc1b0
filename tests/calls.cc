#include "tests/calls.h"

#include <fmt/format.h>
#include <boost/json.hpp>

namespace parley::scenarios {

namespace json = boost::json;

namespace {

std::optional<json::value> value_for(std::string_view field, std::string_view slug) {
  if (field == "project_slug") return json::value(slug);
  if (field == "message" || field == "q") return json::value(question);
  if (field == "scopes") return json::array{"project_read"};
  if (field == "organisation") return json::value("00000000-0000-4000-8000-000000000000");
  if (field == "email") return json::value("somebody@example.org");
  if (field == "role") return json::value("viewer");
  if (field == "code") return json::value("000000");
  if (field == "old" || field == "new") return json::value("quartz lantern oblique ferry");
  if (field == "require_second_factor") return json::value(false);
  return std::nullopt;
}

std::string query_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '-') out += c;
    else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

/// The required fields of the route's input, and a project wherever one can be named. None if there is one this does
/// not know.
std::optional<json::object> input_for(const api::Route& route, std::string_view slug) {
  json::object input;
  const json::object schema = route.input_schema();
  if (schema.at("properties").as_object().contains("project_slug")) input["project_slug"] = slug;
  const auto* required = schema.if_contains("required");
  if (!required) return input;
  for (const auto& name : required->as_array()) {
    const std::string_view field = name.as_string();
    const auto value = value_for(field, slug);
    if (!value) return std::nullopt;
    input[field] = *value;
  }
  return input;
}

}  // namespace

std::string title(const api::Route& route) {
  return fmt::format("{} {}", http::name(route.method).view(), route.path.view());
}

std::optional<testing::HttpCall> call_for(const api::Route& route, std::string_view slug, std::string_view asset,
                                          std::string_view id) {
  testing::HttpCall call{.method = std::string(http::name(route.method).view()),
                         .path = std::string(route.path.view())};
  if (const auto open = call.path.find('{'); open != std::string::npos) {
    const auto close = call.path.find('}');
    const auto parameter = call.path.substr(open + 1, close - open - 1);
    const bool is_id =
        parameter == "id" || parameter == "session" || parameter == "account" || parameter == "invitation";
    if (parameter != "slug" && parameter != "name" && !is_id) return std::nullopt;
    call.path.replace(open, close - open + 1, parameter == "slug" ? slug : is_id ? id : asset);
  }
  if (!route.action) {
    // What a public route wants in its body is its own; here it must only refuse everybody alike.
    if (route.body_bytes_max > 0) {
      call.headers.push_back({"Content-Type", "application/json"});
      call.body = "{}";
    }
    return call;
  }
  if (route.input == api::Route::Input::none) return call;
  const auto input = input_for(route, slug);
  if (!input) return std::nullopt;
  if (route.input == api::Route::Input::body) {
    call.headers.push_back({"Content-Type", "application/json"});
    call.body = json::serialize(*input);
  } else {
    char separator = '?';
    for (const auto& [name, value] : *input) {
      call.path += separator + std::string(name) + "=" + query_encoded(value.as_string());
      separator = '&';
    }
  }
  return call;
}

std::string an_asset(testing::HttpClient& client) {
  const auto page = client.send({.path = "/"}).body;
  const auto begin = page.find("/assets/");
  if (begin == std::string::npos) return {};
  return page.substr(begin + 8, page.find('"', begin) - begin - 8);
}

}  // namespace parley::scenarios
