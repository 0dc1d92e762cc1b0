#include "parley/notify/mail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parley/notify/console_mailer.h"
#include "testing/wait.h"

namespace parley::notify {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr Timestamp sunday{1'795'342'003'000'000};  // 2026-11-22T10:06:43Z

MailAddress address(std::string_view text) { return *parse_mail_address(text); }

std::string composed(std::string subject, std::string text = "Hello") {
  return *compose({address("ann@example.com"), std::move(subject), std::move(text)}, address("parley@sender.example"),
                  sunday, "1234");
}

TEST(MailAddress, accepts_what_people_have) {
  for (const auto* good : {"ann@example.com", "a.b+c@x-y.example", "o'neill@example.co", "root@localhost", "1@2.3"})
    EXPECT_TRUE(parse_mail_address(good)) << good;
  EXPECT_EQ(parse_mail_address("Ann@Example.COM")->text(), "Ann@example.com");
  EXPECT_EQ(address("ann@example.com").domain(), "example.com");
}

TEST(MailAddress, accepts_nothing_that_means_something_to_a_header_or_to_smtp) {
  for (const std::string bad : {"",           "@",       "a@",      "@b",          "a",
                                "a b@c",      "a@b c",   "<a@b>",   "a@b>",        "a@b\r\nBcc: c@d",
                                "a\n@b",      "\"a\"@b", "a@b,c@d", "a@b;c",       "a@b(c)",
                                "a..b@c",     ".a@b",    "a.@b",    "a@-b",        "a@b-",
                                "a@b..c",     "a@.b",    "a@b.",    "a@[1.2.3.4]", "\xc3\xa4@b",
                                "a@\xc3\xa4", "a:b@c",   "a\\b@c"})
    EXPECT_FALSE(parse_mail_address(bad)) << bad;
  EXPECT_FALSE(parse_mail_address(std::string(65, 'a') + "@b"));
  EXPECT_FALSE(parse_mail_address("a@" + std::string(64, 'b')));
  EXPECT_FALSE(parse_mail_address(std::string("a@b\0.c", 6)));
}

TEST(Mail, has_every_header_that_a_letter_needs) {
  EXPECT_EQ(composed("Your link", "Hello\nyou\r\n"),
            "Date: Sun, 22 Nov 2026 10:06:43 +0000\r\n"
            "From: <parley@sender.example>\r\n"
            "To: <ann@example.com>\r\n"
            "Message-ID: <1234@sender.example>\r\n"
            "Subject: Your link\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: base64\r\n"
            "Auto-Submitted: auto-generated\r\n"
            "\r\n"
            "SGVsbG8NCnlvdQ0K\r\n");
}

TEST(Mail, a_subject_is_one_line_in_ascii_whatever_it_holds) {
  EXPECT_THAT(composed("Grüße"), HasSubstr("\r\nSubject: =?UTF-8?B?R3LDvMOfZQ==?=\r\n"));
  EXPECT_THAT(composed("x\r\nBcc: eve@example.com"), HasSubstr("\r\nSubject: x  Bcc: eve@example.com\r\n"));
  EXPECT_THAT(composed("=?UTF-8?B?ZXZpbA==?="), Not(HasSubstr("ZXZpbA==")));
  EXPECT_THAT(composed(""), HasSubstr("\r\nSubject: \r\n"));
  for (const std::string& subject : {std::string(200, 'a'), std::string(100, '\xff'), std::string("\0\x01\x7f\n", 4)}) {
    const std::string letter = composed(subject);
    for (std::size_t at = 0; at < letter.size();) {
      const auto end = letter.find("\r\n", at);
      ASSERT_NE(end, std::string::npos);
      EXPECT_LE(end - at, 78U);
      at = end + 2;
    }
  }
}

TEST(Mail, beyond_its_limits_is_refused) {
  const auto from = address("parley@sender.example");
  const auto to = address("ann@example.com");
  EXPECT_FALSE(compose({to, std::string(subject_bytes_max + 1, 'x'), "x"}, from, sunday, "1"));
  EXPECT_FALSE(compose({to, "x", std::string(text_bytes_max + 1, 'x')}, from, sunday, "1"));
}

TEST(ConsoleMailer, prints_the_letter_and_nothing_a_terminal_obeys) {
  std::string printed;
  ConsoleMailer mailer([&](std::string_view text) { printed += text; });
  EXPECT_TRUE(wait(mailer.send({address("ann@example.com"), "Your\nlink", "https://x.example/#t\x1b[2J"})));
  EXPECT_THAT(printed, HasSubstr("To: ann@example.com\nSubject: Your link\n\nhttps://x.example/#t"));
  EXPECT_THAT(printed, Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace parley::notify
