#include <string>

#include <gtest/gtest.h>

#include "parley/identity/client_label.h"

namespace parley::identity {
namespace {

TEST(ClientLabel, says_what_a_person_would_say) {
  EXPECT_EQ(client_label("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"), "Firefox on Linux");
  EXPECT_EQ(client_label("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                         "Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0"),
            "Edge on Windows");
  EXPECT_EQ(client_label("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
                         "Mobile Safari/537.36"),
            "Chrome on Android");
  EXPECT_EQ(client_label("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
                         "Gecko) Version/17.5 Mobile/15E148 Safari/604.1"),
            "Safari on iPhone");
  EXPECT_EQ(client_label("curl/8.5.0"), "curl");
}

TEST(ClientLabel, holds_nothing_that_a_client_wrote) {
  EXPECT_EQ(client_label(""), "an unknown browser");
  EXPECT_EQ(client_label("<script>alert(1)</script>\r\n"), "an unknown browser");
  EXPECT_EQ(client_label(std::string(1'000'000, 'x') + "Firefox/"), "an unknown browser") << "read only so far";
}

}  // namespace
}  // namespace parley::identity
