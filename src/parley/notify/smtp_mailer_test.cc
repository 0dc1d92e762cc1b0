#include "parley/notify/smtp_mailer.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parley/notify/test_smtp_server.h"
#include "parley/text/base64.h"
#include "testing/process.h"
#include "testing/wait.h"

namespace parley::notify {
namespace {

using namespace std::chrono_literals;
using Trouble = TestSmtpServer::Trouble;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

/// Certificates for 127.0.0.1 made for this run, and one for somebody else.
class Certificates : public ::testing::Environment {
 public:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "parley_smtp_XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    ready = make("good", "IP:127.0.0.1") && make("other", "DNS:other.example");
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  static std::filesystem::path cert(const std::string& name) { return folder / (name + ".pem"); }
  static std::unique_ptr<http::TlsStore> store(const std::string& name) {
    return *http::TlsStore::open(cert(name), folder / (name + ".key"));
  }
  static inline bool ready = false;

 private:
  static bool make(const std::string& name, const std::string& subject) {
    return parley::testing::run_program({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                         "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=test",
                                         "-addext", "subjectAltName=" + subject, "-keyout",
                                         (folder / (name + ".key")).string(), "-out", cert(name).string()})
               .status == 0;
  }
  static inline std::filesystem::path folder;
};
[[maybe_unused]] const auto* const certificates =
    ::testing::AddGlobalTestEnvironment(std::make_unique<Certificates>().release());  // the framework owns it

class SmtpMailerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Certificates::ready) GTEST_SKIP() << "the openssl program is needed to make certificates";
  }
  SmtpOptions options(const TestSmtpServer& server, SmtpServer::Tls tls) {
    return {.server = {.host = "127.0.0.1", .port = server.port(), .tls = tls},
            .from = *parse_mail_address("parley@sender.example"),
            .user = {},
            .password = {},
            .ca_file = Certificates::cert("good"),
            .connect_timeout = 5s,
            .total_timeout = 20s};
  }
  Result<void> send(SmtpOptions with) {
    SmtpMailer mailer(std::move(with), clock_, crypto::system_random());
    return wait(mailer.send({*parse_mail_address("ann@example.com"), "Your link", "Here:\n.\nhttps://x.example/?a=1"}));
  }
  ManualClock clock_;
};

TEST_F(SmtpMailerTest, delivers_after_starttls_with_log_in) {
  const auto tls = Certificates::store("good");
  TestSmtpServer server({.starttls = true, .tls = tls.get()});
  auto with = options(server, SmtpServer::Tls::starttls);
  with.user = "parley";
  with.password = Secret("mail-password-of-this-test");
  const auto sent = send(std::move(with));
  ASSERT_TRUE(sent) << describe_for_operator(sent.error());
  const auto received = server.received();
  ASSERT_EQ(received.size(), 1U);
  EXPECT_TRUE(received[0].encrypted);
  EXPECT_THAT(received[0].commands, Contains("EHLO sender.example"));
  EXPECT_THAT(received[0].commands, Contains(HasSubstr("MAIL FROM:<parley@sender.example>")));
  EXPECT_THAT(received[0].commands, Contains(HasSubstr("RCPT TO:<ann@example.com>")));
  EXPECT_THAT(received[0].commands, Contains(HasSubstr("AUTH PLAIN")));
  EXPECT_THAT(received[0].message, HasSubstr("Subject: Your link\n"));
  EXPECT_THAT(received[0].message, HasSubstr("Message-ID: <"));
}

TEST_F(SmtpMailerTest, delivers_over_tls_from_the_start) {
  const auto tls = Certificates::store("good");
  TestSmtpServer server({.tls_at_once = true, .tls = tls.get()});
  const auto sent = send(options(server, SmtpServer::Tls::at_once));
  ASSERT_TRUE(sent) << describe_for_operator(sent.error());
  EXPECT_TRUE(server.received().at(0).encrypted);
}

TEST_F(SmtpMailerTest, delivers_in_plain_to_a_relay_on_this_machine_and_never_sends_it_a_password) {
  TestSmtpServer server({});
  auto with = options(server, SmtpServer::Tls::none_on_this_machine);
  with.user = "parley";
  with.password = Secret("mail-password-of-this-test");
  ASSERT_TRUE(send(std::move(with)));
  EXPECT_THAT(server.received().at(0).commands, Not(Contains(HasSubstr("AUTH"))));
}

TEST_F(SmtpMailerTest, says_nothing_to_a_server_that_does_not_offer_starttls) {
  TestSmtpServer server({});
  const auto sent = send(options(server, SmtpServer::Tls::starttls));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), Code::unavailable);
  for (const auto& one : server.received()) EXPECT_THAT(one.commands, Not(Contains(HasSubstr("MAIL FROM"))));
}

TEST_F(SmtpMailerTest, refuses_a_certificate_that_nobody_vouches_for_and_one_for_another_host) {
  for (const bool vouched : {false, true}) {
    const auto tls = Certificates::store("other");
    TestSmtpServer server({.starttls = true, .tls = tls.get()});
    auto with = options(server, SmtpServer::Tls::starttls);
    if (vouched) with.ca_file = Certificates::cert("other");
    const auto sent = send(std::move(with));
    ASSERT_FALSE(sent) << vouched;
    EXPECT_EQ(sent.error().code(), Code::unavailable);
    EXPECT_EQ(sent.error().reason().view(), "no safe connection to the mail server");
    for (const auto& one : server.received()) EXPECT_THAT(one.commands, Not(Contains(HasSubstr("MAIL FROM"))));
  }
}

TEST_F(SmtpMailerTest, a_refused_recipient_is_told_from_one_to_try_again) {
  for (const auto& [answer, code] :
       {std::pair("550 no such mailbox", Code::invalid_argument), std::pair("450 try later", Code::unavailable)}) {
    TestSmtpServer server({.to_recipient = answer});
    const auto sent = send(options(server, SmtpServer::Tls::none_on_this_machine));
    ASSERT_FALSE(sent) << answer;
    EXPECT_EQ(sent.error().code(), code) << describe_for_operator(sent.error());
  }
}

TEST_F(SmtpMailerTest, a_server_that_hangs_costs_the_timeout_and_no_more) {
  for (const Trouble trouble : {Trouble::silent_at_once, Trouble::silent_after_data}) {
    TestSmtpServer server({.trouble = trouble});
    auto with = options(server, SmtpServer::Tls::none_on_this_machine);
    with.total_timeout = 300ms;
    const auto began = std::chrono::steady_clock::now();
    const auto sent = send(std::move(with));
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code(), Code::timeout);
    EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
  }
}

TEST_F(SmtpMailerTest, a_connection_that_is_cut_is_worth_trying_again) {
  for (const Trouble trouble : {Trouble::cut_at_once, Trouble::cut_after_data}) {
    TestSmtpServer server({.trouble = trouble});
    const auto sent = send(options(server, SmtpServer::Tls::none_on_this_machine));
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code(), Code::unavailable) << describe_for_operator(sent.error());
  }
}

TEST_F(SmtpMailerTest, nobody_there_is_worth_trying_again) {
  std::uint16_t port = 0;
  {
    TestSmtpServer server({});
    port = server.port();
  }
  SmtpOptions with{.server = {.host = "127.0.0.1", .port = port, .tls = SmtpServer::Tls::none_on_this_machine},
                   .from = *parse_mail_address("parley@sender.example"),
                   .user = {},
                   .password = {},
                   .ca_file = {}};
  const auto sent = send(std::move(with));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), Code::unavailable);
}

TEST_F(SmtpMailerTest, stopping_breaks_off_what_is_being_sent) {
  TestSmtpServer server({.trouble = Trouble::silent_at_once});
  asio::io_context io;
  std::optional<Result<void>> outcome;
  auto mailer = std::make_unique<SmtpMailer>(options(server, SmtpServer::Tls::none_on_this_machine), clock_,
                                             crypto::system_random());
  asio::co_spawn(io, mailer->send({*parse_mail_address("ann@example.com"), "x", "y"}),
                 [&](std::exception_ptr, Result<void> result) { outcome = std::move(result); });
  io.poll();
  server.await_connection();
  const auto began = std::chrono::steady_clock::now();
  mailer.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
}

TEST(SmtpUrl, is_read_and_plain_text_stays_on_this_machine) {
  EXPECT_EQ(parse_smtp_url("smtp://mail.example", PlainText::refuse)->port, 587);
  EXPECT_EQ(parse_smtp_url("smtps://mail.example", PlainText::refuse)->port, 465);
  EXPECT_EQ(parse_smtp_url("smtp://[::1]:25", PlainText::on_loopback)->host, "::1");
  EXPECT_TRUE(parse_smtp_url("smtp://127.0.0.1:25", PlainText::on_loopback));
  EXPECT_FALSE(parse_smtp_url("smtp://mail.example:25", PlainText::on_loopback));
  EXPECT_FALSE(parse_smtp_url("smtps://127.0.0.1", PlainText::on_loopback));
  for (const auto* bad : {"", "mail.example", "http://mail.example", "smtp://", "smtp://u:p@mail.example",
                          "smtp://mail.example/path", "smtp://mail.example:0", "smtp://mail.example:x",
                          "smtp://mail.example:587/", "smtp://a b", "smtp://[::1", "smtp://a\r\nb"})
    EXPECT_FALSE(parse_smtp_url(bad, PlainText::refuse)) << bad;
}

}  // namespace
}  // namespace parley::notify
