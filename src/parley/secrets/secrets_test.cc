#include "parley/secrets/secrets.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "parley/crypto/hash.h"
#include "parley/crypto/random.h"
#include "parley/secrets/ring.h"
#include "parley/secrets/sigv4.h"
#include "parley/text/json.h"
#include "testing/fake_server.h"
#include "testing/wait.h"

namespace parley::secrets {
namespace {

using namespace std::chrono_literals;
using testing::FakeServer;

TEST(References, name_a_keeper_and_never_a_secret) {
  for (const char* text : {"env:NAME", "env:_a1", "file:/run/secrets/key", "vault:secret/parley/openai#key",
                           "vault:kv/a#b.c", "aws:parley/openai", "aws:parley/openai#key",
                           "aws:arn:aws:secretsmanager:eu-west-1:123456789012:secret:parley-AbCdEf", "azure:openai-key",
                           "azure:openai-key/0123abcd"}) {
    const auto reference = parse_reference(text);
    ASSERT_TRUE(reference) << text;
    EXPECT_EQ(reference->to_string(), text);
  }
  for (const char* text : {"",
                           "literal",
                           "Bearer x",
                           "env:",
                           "env:1A",
                           "env:A B",
                           "file:",
                           "file:relative",
                           "vault:secret#key",
                           "vault:secret/a",
                           "vault:secret/a#",
                           "vault:/a/b#c",
                           "vault:a/../b#c",
                           "vault:a//b#c",
                           "vault:a/b?x#c",
                           "aws:",
                           "aws:a b",
                           "aws:a#",
                           "azure:",
                           "azure:a_b",
                           "azure:a/b/c",
                           "azure:../a",
                           "ENV:A",
                           " env:A"}) {
    const auto reference = parse_reference(text);
    ASSERT_FALSE(reference) << text;
    EXPECT_EQ(reference.error().code(), Code::invalid_argument);
    EXPECT_TRUE(reference.error().operator_detail().empty()) << "it may be a secret";
  }
}

// AWS's own example of the algorithm: "GET https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08" at
// 2015-08-30T12:36:00Z, in AWS General Reference, "Signing AWS API requests"; and two requests of its test suite.
class PublishedSignatures : public ::testing::Test {
 protected:
  // The key of those pages, which opens nothing; put together so that it is no text shaped like a credential.
  const AwsCredentials credentials{
      .access_key_id = "AKIDEXAMPLE",
      .secret_access_key = Secret(std::string("wJalrXUtnFEMI/") + "K7MDENG+" + "bPxRfiCY" + "EXAMPLEKEY"),
      .session_token = {}};
  const Timestamp at{1'440'938'160'000'000};
  std::string signed_by_us(const AwsRequest& request, std::string_view service) {
    return std::string(sign_aws_request(request, credentials, "us-east-1", service, at).reveal());
  }
};

TEST_F(PublishedSignatures, are_ours_too) {
  EXPECT_EQ(amz_date(at), "20150830T123600Z");
  EXPECT_EQ(signed_by_us({.method = "GET",
                          .path = "/",
                          .query = "Action=ListUsers&Version=2010-05-08",
                          .headers = {{"x-amz-date", "20150830T123600Z"},
                                      {"host", "iam.amazonaws.com"},
                                      {"content-type", "application/x-www-form-urlencoded; charset=utf-8"}},
                          .body = ""},
                         "iam"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
  const std::vector<std::pair<std::string, std::string>> headers{{"host", "example.amazonaws.com"},
                                                                 {"x-amz-date", "20150830T123600Z"}};
  EXPECT_TRUE(signed_by_us({.method = "GET", .path = "/", .query = "", .headers = headers, .body = ""}, "service")
                  .ends_with("Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"));
  EXPECT_TRUE(signed_by_us({.method = "POST", .path = "/", .query = "", .headers = headers, .body = ""}, "service")
                  .ends_with("Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"));
}

class Rings : public ::testing::Test {
 protected:
  Rings() {
    ::setenv("PARLEY_SECRETS_TEST_ID", "AKIDEXAMPLE", 1);
    ::setenv("PARLEY_SECRETS_TEST_OPENER", opener.c_str(), 1);
  }
  static Reference ref(std::string_view text) { return parse_reference(text).value(); }
  std::string read(Ring& ring, std::string_view reference) {
    const auto got = wait(ring.read(ref(reference)));
    return got ? std::string(got->reveal()) : fmt::format("({})", name(got.error().code()));
  }
  Ring ring(Keepers keepers) { return Ring(std::move(keepers), *web, workers, clock); }
  void allow(const FakeServer& server) {
    web = std::make_unique<net::Fetcher>(
        workers, net::FetcherOptions{.policy = net::EgressPolicy::parse(std::vector{server.place()}).value(),
                                     .limits = {.time_max = 500ms}});
  }
  static net::HttpUrl url(const FakeServer& server) { return net::parse_http_url(server.url()).value(); }

  // Made for this run.
  const std::string opener = crypto::random_text(24, "abcdefghijklmnopqrstuvwxyz");
  const std::string value = crypto::random_text(24, "abcdefghijklmnopqrstuvwxyz");
  net::Workers workers{2};
  ManualClock clock;
  std::unique_ptr<net::Web> web = std::make_unique<net::Fetcher>(workers);
};

TEST_F(Rings, the_environment_and_files_are_read_as_they_are_now) {
  auto keys = ring({});
  EXPECT_EQ(read(keys, "env:PARLEY_SECRETS_TEST_OPENER"), opener);
  EXPECT_EQ(read(keys, "env:PARLEY_SECRETS_TEST_ABSENT"), "(not_found)");
  const auto file = std::filesystem::path(::testing::TempDir()) / fmt::format("parley_secret_{}", ::getpid());
  std::ofstream(file) << "first\n";
  EXPECT_EQ(read(keys, "file:" + file.string()), "first");
  std::ofstream(file) << "second\n";
  clock.advance(file_fresh_for);
  EXPECT_EQ(read(keys, "file:" + file.string()), "second");
  std::filesystem::remove(file);
  clock.advance(file_fresh_for);
  EXPECT_EQ(read(keys, "file:" + file.string()), "(not_found)") << "gone is gone";
}

TEST_F(Rings, a_keeper_that_is_not_configured_is_not_asked) {
  auto keys = ring({});
  for (const char* reference : {"vault:secret/a#b", "aws:a", "azure:a"})
    EXPECT_EQ(read(keys, reference), "(unavailable)");
}

TEST_F(Rings, vault_is_asked_as_it_documents) {
  std::string now = value;
  FakeServer server([&](auto& talk) {
    if (talk.header("x-vault-token") != opener) return (void)talk.send(FakeServer::reply(403, "", "{\"errors\":[]}"));
    if (!talk.request().starts_with("GET /v1/secret/data/parley/openai HTTP/1.1\r\n"))
      return (void)talk.send(FakeServer::reply(404, "", "{\"errors\":[]}"));
    talk.send(FakeServer::ok(fmt::format(
        R"({{"request_id":"x","data":{{"data":{{"key":"{}","n":1}},"metadata":{{"version":2}}}},"warnings":null}})",
        now)));
  });
  allow(server);
  auto keys = ring({.vault = VaultOptions{
                        .url = url(server), .token = ref("env:PARLEY_SECRETS_TEST_OPENER"), .name_space = "team"}});
  EXPECT_EQ(read(keys, "vault:secret/parley/openai#key"), value);
  EXPECT_NE(server.requests().at(0).find("X-Vault-Namespace: team\r\n"), std::string::npos);
  EXPECT_EQ(read(keys, "vault:secret/parley/openai#other"), "(unavailable)");
  EXPECT_EQ(read(keys, "vault:secret/parley/openai#n"), "(unavailable)") << "a number is no secret";
  EXPECT_EQ(read(keys, "vault:secret/parley/absent#key"), "(not_found)");

  // Kept for minutes, then read again, without a restart.
  const int calls = server.calls();
  now = "changed";
  EXPECT_EQ(read(keys, "vault:secret/parley/openai#key"), value);
  EXPECT_EQ(server.calls(), calls);
  clock.advance(remote_fresh_for);
  EXPECT_EQ(read(keys, "vault:secret/parley/openai#key"), "changed");
  // Sooner when somebody refused it, but not at each refusal.
  now = "changed again";
  keys.expire(ref("vault:secret/parley/openai#key"));
  EXPECT_EQ(read(keys, "vault:secret/parley/openai#key"), "changed");
  clock.advance(asked_again_after);
  EXPECT_EQ(read(keys, "vault:secret/parley/openai#key"), "changed again");
}

TEST_F(Rings, a_keeper_that_is_away_does_not_take_its_secrets_with_it_but_one_that_refuses_does) {
  int status = 200;
  FakeServer server([&](auto& talk) {
    if (status != 200) return (void)talk.send(FakeServer::reply(status, "", "{}"));
    talk.send(FakeServer::ok(fmt::format(R"({{"data":{{"data":{{"key":"{}"}}}}}})", value)));
  });
  allow(server);
  auto keys = ring({.vault = VaultOptions{.url = url(server), .token = ref("env:PARLEY_SECRETS_TEST_OPENER")}});
  EXPECT_EQ(read(keys, "vault:secret/a#key"), value);
  status = 503;
  clock.advance(remote_fresh_for);
  EXPECT_EQ(read(keys, "vault:secret/a#key"), value);
  const int calls = server.calls();
  EXPECT_EQ(read(keys, "vault:secret/a#key"), value);
  EXPECT_EQ(server.calls(), calls) << "not asked again at once";
  clock.advance(kept_without_keeper);
  EXPECT_EQ(read(keys, "vault:secret/a#key"), "(unavailable)");
  status = 200;
  clock.advance(asked_again_after);
  EXPECT_EQ(read(keys, "vault:secret/a#key"), value);
  status = 403;
  clock.advance(remote_fresh_for);
  EXPECT_EQ(read(keys, "vault:secret/a#key"), "(permission_denied)");
}

/// What AWS would compute from the request it received; shares only the hash functions with the signer.
std::string signature_of(FakeServer::Talk& talk, std::string_view secret, std::string_view region) {
  const auto authorization = talk.header("authorization");
  const auto list = authorization.substr(authorization.find("SignedHeaders=") + 14);
  std::string names = list.substr(0, list.find(','));
  std::string canonical = "POST\n/\n\n";
  for (std::string rest = names; !rest.empty();) {
    const auto one = rest.substr(0, rest.find(';'));
    rest.erase(0, one.size() + 1);
    canonical += one + ":" + talk.header(one) + "\n";
  }
  canonical += "\n" + names + "\n" + crypto::sha256(talk.body()).hex();
  const auto date = talk.header("x-amz-date");
  const auto day = date.substr(0, 8);
  const std::string scope = day + "/" + std::string(region) + "/secretsmanager/aws4_request";
  std::string key = "AWS4" + std::string(secret);
  for (const std::string& part : {day, std::string(region), std::string("secretsmanager"), std::string("aws4_request")})
    key = std::string(crypto::hmac_sha256(Secret(key), part).view());
  return crypto::hmac_sha256(Secret(key),
                             "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + crypto::sha256(canonical).hex())
      .hex();
}

TEST_F(Rings, aws_is_asked_as_it_documents_with_a_signature_that_holds) {
  FakeServer server([&](auto& talk) {
    const auto authorization = talk.header("authorization");
    EXPECT_TRUE(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")) << authorization;
    EXPECT_NE(authorization.find("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "),
              std::string::npos);
    if (!authorization.ends_with("Signature=" + signature_of(talk, opener, "eu-west-1")))
      return (void)talk.send(FakeServer::reply(400, "", R"({"__type":"InvalidSignatureException","message":"x"})"));
    EXPECT_EQ(talk.header("x-amz-target"), "secretsmanager.GetSecretValue");
    EXPECT_EQ(talk.header("content-type"), "application/x-amz-json-1.1");
    const auto body = text::parse_json(talk.body()).value();
    if (body.at("SecretId") == "parley/plain")
      return (void)talk.send(FakeServer::ok(fmt::format(R"({{"ARN":"x","SecretString":"{}"}})", value)));
    if (body.at("SecretId") == "parley/fields")
      return (void)talk.send(FakeServer::ok(fmt::format(R"({{"SecretString":"{{\"key\":\"{}\"}}"}})", value)));
    if (body.at("SecretId") == "parley/closed")
      return (void)talk.send(FakeServer::reply(400, "", R"({"__type":"AccessDeniedException"})"));
    talk.send(FakeServer::reply(400, "", R"({"__type":"com.amazon#ResourceNotFoundException"})"));
  });
  allow(server);
  auto keys = ring({.aws = AwsOptions{.region = "eu-west-1",
                                      .access_key_id = ref("env:PARLEY_SECRETS_TEST_ID"),
                                      .secret_access_key = ref("env:PARLEY_SECRETS_TEST_OPENER"),
                                      .session_token = ref("env:PARLEY_SECRETS_TEST_ID"),
                                      .url = url(server)}});
  EXPECT_EQ(read(keys, "aws:parley/plain"), value);
  EXPECT_EQ(read(keys, "aws:parley/fields#key"), value);
  EXPECT_EQ(read(keys, "aws:parley/fields#other"), "(unavailable)");
  EXPECT_EQ(read(keys, "aws:parley/closed"), "(permission_denied)");
  EXPECT_EQ(read(keys, "aws:parley/absent"), "(not_found)");
  // A wrong key makes a signature that does not hold.
  ::setenv("PARLEY_SECRETS_TEST_OPENER", "another", 1);
  clock.advance(remote_fresh_for);
  EXPECT_EQ(read(keys, "aws:parley/plain"), "(permission_denied)");
}

TEST_F(Rings, azure_is_asked_as_it_documents_and_its_token_kept) {
  std::string token = "first-token";
  int tokens = 0;
  FakeServer server([&](auto& talk) {
    if (talk.request().starts_with("POST /the-tenant/oauth2/v2.0/token HTTP/1.1\r\n")) {
      ++tokens;
      const bool right = talk.body() == fmt::format(
                                            "grant_type=client_credentials&client_id=the-client&client_secret={}"
                                            "&scope=https%3A%2F%2Fvault.azure.net%2F.default",
                                            opener);
      if (!right) return (void)talk.send(FakeServer::reply(400, "", R"({"error":"invalid_client"})"));
      return (void)talk.send(
          FakeServer::ok(fmt::format(R"({{"token_type":"Bearer","expires_in":3599,"access_token":"{}"}})", token)));
    }
    if (talk.header("authorization") != "Bearer " + token) return (void)talk.send(FakeServer::reply(401, "", "{}"));
    if (!talk.request().starts_with("GET /secrets/openai-key?api-version=7.4 HTTP/1.1\r\n"))
      return (void)talk.send(FakeServer::reply(404, "", "{}"));
    talk.send(FakeServer::ok(fmt::format(R"({{"value":"{}","id":"x"}})", value)));
  });
  allow(server);
  auto keys = ring({.azure = AzureOptions{.url = url(server),
                                          .tenant = "the-tenant",
                                          .client_id = "the-client",
                                          .client_secret = ref("env:PARLEY_SECRETS_TEST_OPENER"),
                                          .login = url(server)}});
  EXPECT_EQ(read(keys, "azure:openai-key"), value);
  EXPECT_EQ(read(keys, "azure:absent"), "(not_found)");
  EXPECT_EQ(tokens, 1);
  // Withdrawn before its time: another is asked for.
  token = "second-token";
  clock.advance(remote_fresh_for);
  EXPECT_EQ(read(keys, "azure:openai-key"), value);
  EXPECT_EQ(tokens, 2);
  ::setenv("PARLEY_SECRETS_TEST_OPENER", "another", 1);
  clock.advance(1h);
  EXPECT_EQ(read(keys, "azure:openai-key"), "(permission_denied)");
}

TEST_F(Rings, what_a_keeper_says_is_in_no_error) {
  FakeServer server([&](auto& talk) { talk.send(FakeServer::reply(500, "", "canary")); });
  allow(server);
  auto keys = ring({.vault = VaultOptions{.url = url(server), .token = ref("env:PARLEY_SECRETS_TEST_OPENER")}});
  const auto failed = wait(keys.read(ref("vault:secret/a#key")));
  ASSERT_FALSE(failed);
  const auto said = describe_for_operator(failed.error());
  EXPECT_EQ(said.find("canary"), std::string::npos);
  EXPECT_EQ(said.find(opener), std::string::npos);
}

}  // namespace
}  // namespace parley::secrets
