#include <set>

#include <gtest/gtest.h>

#include "parley/api/openapi.h"
#include "parley/api/route.h"
#include "parley/api/web_files.h"

namespace parley::api {
namespace {

using http::Method;

TEST(Routes, only_the_exact_spelling_of_an_address_finds_it) {
  const auto match = find_route(Method::get, "/api/v1/projects/docs/");
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.parameter, "docs");
  for (const auto* path :
       {"/api/v1/projects/docs", "/api/v1/projects//", "/API/v1/projects/docs/", "/api/v1/projects/docs//",
        "/api/v1/projects/a%2Fb/", "/api/v1/projects/%2e%2e/", "/api/v1/projects/a/b/", "/api/v1/projects/%00/",
        "/./api/v1/projects/docs/", "/api/v1/projects/docs/;x", "//api/v1/projects/docs/"}) {
    EXPECT_EQ(find_route(Method::get, path).route, nullptr) << path;
  }
}

TEST(Routes, a_method_that_is_not_offered_is_told_which_are) {
  const auto match = find_route(Method::delete_, "/api/v1/projects/docs/");
  EXPECT_EQ(match.route, nullptr);
  EXPECT_EQ(match.allowed, "GET, HEAD");
  EXPECT_EQ(find_route(Method::put, "/setup").allowed, "GET, HEAD, POST");
  EXPECT_EQ(find_route(Method::head, "/healthz").route->path.view(), "/healthz");
}

TEST(Routes, every_route_has_a_scope_or_a_reason_and_is_described) {
  const auto description = openapi();
  const auto& paths = description.at("paths").as_object();
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const Route& route : routes()) {
    EXPECT_NE(route.action != nullptr, !route.public_reason.empty()) << route.path.view();
    EXPECT_FALSE(route.summary.view().empty()) << route.path.view();
    EXPECT_TRUE(seen.emplace(http::name(route.method).view(), route.path.view()).second) << route.path.view();
    EXPECT_TRUE(paths.contains(route.path.view())) << route.path.view();
  }
  EXPECT_EQ(routes_json().size(), routes().size());
}

TEST(WebFiles, assets_are_served_under_a_name_that_changes_with_their_content) {
  const std::array one{EmbeddedFile{"a.html", R"(<script src="/assets/a.js"></script>)"}, EmbeddedFile{"a.js", "1"}};
  const std::array two{EmbeddedFile{"a.html", R"(<script src="/assets/a.js"></script>)"}, EmbeddedFile{"a.js", "2"}};
  const WebFiles first(one), second(two);
  EXPECT_NE(first.page("a.html"), second.page("a.html"));
  const std::string page = first.page("a.html");
  const auto begin = page.find("/assets/") + 8;
  const WebFile* asset = first.find_asset(page.substr(begin, page.find('"', begin) - begin));
  ASSERT_NE(asset, nullptr);
  EXPECT_EQ(asset->bytes, "1");
  EXPECT_EQ(first.find_asset("a.js"), nullptr);
}

TEST(WebFiles, a_script_names_another_as_it_is_served) {
  const std::array files{EmbeddedFile{"a.html", R"(<script src="/assets/a.js"></script>)"},
                         EmbeddedFile{"a.js", "import { b } from '/assets/b.js';"}, EmbeddedFile{"b.js", "1"}};
  std::array changed = files;
  changed[2].bytes = "2";
  const auto script_of = [](const WebFiles& web) {
    const std::string page = web.page("a.html");
    const auto begin = page.find("/assets/") + 8;
    return web.find_asset(page.substr(begin, page.find('"', begin) - begin))->bytes;
  };
  const WebFiles first(files), second(changed);
  const std::string script = script_of(first);
  const auto begin = script.find("/assets/") + 8;
  ASSERT_NE(first.find_asset(script.substr(begin, script.find('\'', begin) - begin)), nullptr) << script;
  // Else a browser that kept the script would go on with the former one.
  EXPECT_NE(first.page("a.html"), second.page("a.html"));
  EXPECT_NE(script, script_of(second));
}

TEST(WebFiles, the_programs_pages_refer_to_nothing_that_is_not_there) {
  const WebFiles files(embedded_pages());
  for (const auto& file : embedded_pages()) {
    if (!file.name.ends_with(".html")) continue;
    const std::string& page = files.page(file.name);
    for (std::size_t at = 0; (at = page.find("/assets/", at)) != std::string::npos; ++at) {
      const auto begin = at + 8;
      const std::string name = page.substr(begin, page.find('"', begin) - begin);
      EXPECT_NE(files.find_asset(name), nullptr) << file.name << " " << name;
    }
    // The content policy would stop these; a page that needs them would be broken.
    EXPECT_EQ(page.find("<style"), std::string::npos) << file.name;
    EXPECT_EQ(page.find(" onclick="), std::string::npos) << file.name;
    EXPECT_EQ(page.find("https://fonts."), std::string::npos) << file.name;
  }
}

}  // namespace
}  // namespace parley::api
