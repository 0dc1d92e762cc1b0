#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "parley/http/server.h"
#include "parley/http/server_fixture.h"
#include "parley/http/tls_store.h"

namespace parley::http {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view get = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

asio::awaitable<void> tell_scheme(Exchange& exchange) {
  auto reply = Outlet::reply(200, exchange.head().tls ? "over TLS" : "in plain");
  co_await exchange.send(std::move(reply));
}

/// Makes keys and certificates, in a folder that goes with it.
class Certificates {
 public:
  Certificates() {
    std::string pattern = (std::filesystem::temp_directory_path() / "parley_tls_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Certificates() { std::filesystem::remove_all(folder_); }

  std::filesystem::path cert() const { return folder_ / "cert.pem"; }
  std::filesystem::path key() const { return folder_ / "key.pem"; }

  /// Replaces both files, each in one step as an operator's tools do.
  void write_pair(const char* common_name) {
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pair(EVP_EC_gen("P-256"), EVP_PKEY_free);
    std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), X509_free);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
    X509_set_pubkey(made.get(), pair.get());
    auto* name = X509_get_subject_name(made.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common_name), -1, -1,
                               0);
    X509_set_issuer_name(made.get(), name);
    X509_sign(made.get(), pair.get(), EVP_sha256());
    replace(key(), [&](std::FILE* to) { PEM_write_PrivateKey(to, pair.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    replace(cert(), [&](std::FILE* to) { PEM_write_X509(to, made.get()); });
  }
  void write_broken() {
    replace(cert(), [](std::FILE* to) { std::fputs("not a certificate\n", to); });
  }

 private:
  template <class Write>
  void replace(const std::filesystem::path& path, Write write) {
    const auto fresh = path.string() + ".new";
    auto* to = std::fopen(fresh.c_str(), "w");
    write(to);
    std::fclose(to);
    std::filesystem::rename(fresh, path);
  }
  std::filesystem::path folder_;
};

struct ClientSettings {
  int version_min = TLS1_2_VERSION;
  int version_max = TLS1_3_VERSION;
  const char* ciphers_1_2 = nullptr;
  std::string_view alpn;  ///< in wire form
};

class TlsClient {
 public:
  explicit TlsClient(std::uint16_t port, ClientSettings settings = {})
      : raw_(port), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), ssl_(nullptr, SSL_free) {
    SSL_CTX_set_security_level(context_.get(), 0);
    SSL_CTX_set_min_proto_version(context_.get(), settings.version_min);
    SSL_CTX_set_max_proto_version(context_.get(), settings.version_max);
    if (settings.ciphers_1_2) SSL_CTX_set_cipher_list(context_.get(), settings.ciphers_1_2);
    ssl_.reset(SSL_new(context_.get()));
    if (!settings.alpn.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(settings.alpn.data()),
                          static_cast<unsigned>(settings.alpn.size()));
    }
    SSL_set_fd(ssl_.get(), raw_.fd());
    connected_ = SSL_connect(ssl_.get()) == 1;
    ERR_clear_error();
  }

  bool connected() const { return connected_; }
  std::string version() const { return SSL_get_version(ssl_.get()); }
  std::string cipher() const { return SSL_get_cipher_name(ssl_.get()); }
  std::string common_name() const {
    std::unique_ptr<X509, decltype(&X509_free)> peer(SSL_get1_peer_certificate(ssl_.get()), X509_free);
    char text[64] = "";
    if (peer) X509_NAME_get_text_by_NID(X509_get_subject_name(peer.get()), NID_commonName, text, sizeof text);
    return text;
  }
  TlsClient& say(std::string_view bytes) {
    SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    return *this;
  }
  std::string hear(std::string_view mark) {
    std::string heard;
    char buffer[16 * 1024];
    while (!heard.contains(mark)) {
      const int read = SSL_read(ssl_.get(), buffer, sizeof buffer);
      if (read <= 0) break;
      heard.append(buffer, static_cast<std::size_t>(read));
    }
    return heard;
  }
  std::string hear_bytes(std::size_t bytes) {
    std::string heard(bytes, '\0');
    std::size_t at = 0;
    while (at < bytes) {
      const int read =
          SSL_read(ssl_.get(), heard.data() + at, static_cast<int>(std::min<std::size_t>(bytes - at, 65536)));
      if (read <= 0) break;
      at += static_cast<std::size_t>(read);
    }
    heard.resize(at);
    return heard;
  }
  /// Whether the server ended the connection in TLS's own way, so that the end cannot have been forged.
  bool ended_in_order() {
    char byte = 0;
    const int read = SSL_read(ssl_.get(), &byte, 1);
    return SSL_get_error(ssl_.get(), read) == SSL_ERROR_ZERO_RETURN;
  }
  RawClient& raw() { return raw_; }

 private:
  RawClient raw_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  bool connected_ = false;
};

class Tls : public testing::Test {
 protected:
  std::unique_ptr<Server> start(Handler handler, ServerOptions options = {}) {
    certificates_.write_pair("first.test");
    options.tls_cert = certificates_.cert();
    options.tls_key = certificates_.key();
    return start_server(std::move(handler), std::move(options));
  }
  Certificates certificates_;
};

TEST_F(Tls, ServesOverBothVersions) {
  const auto server = start(tell_scheme);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(server->port(), {.version_min = version, .version_max = version});
    ASSERT_TRUE(client.connected());
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(client.say(get).hear("over TLS").ends_with("over TLS"));
    EXPECT_TRUE(client.cipher().contains("GCM") || client.cipher().contains("CHACHA20")) << client.cipher();
  }
}

TEST_F(Tls, RefusesOldVersionsAndCiphersWithoutAuthentication) {
  const auto server = start(tell_scheme);
  EXPECT_FALSE(TlsClient(server->port(), {.version_min = TLS1_1_VERSION, .version_max = TLS1_1_VERSION}).connected());
  for (const char* ciphers : {"ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-GCM-SHA256"}) {
    const TlsClient client(server->port(), {.version_max = TLS1_2_VERSION, .ciphers_1_2 = ciphers});
    EXPECT_FALSE(client.connected()) << ciphers;
  }
}

TEST_F(Tls, RefusesAClientThatWantsAnotherProtocol) {
  const auto server = start(tell_scheme);
  EXPECT_FALSE(TlsClient(server->port(), {.alpn = "\x02h2"}).connected());
  EXPECT_TRUE(TlsClient(server->port(), {.alpn = "\x02h2\x08http/1.1"}).connected());
}

TEST_F(Tls, NeverServesPlainHttp) {
  const auto server = start(tell_scheme);
  RawClient plain(server->port());
  const auto heard = plain.say(get).hear_to_the_end();
  EXPECT_FALSE(heard.contains("in plain")) << heard;
  EXPECT_FALSE(heard.contains("200 OK")) << heard;
  EXPECT_TRUE(TlsClient(server->port()).say(get).hear("over TLS").ends_with("over TLS"));
}

TEST_F(Tls, ASlowHandshakeIsCut) {
  const auto server = start(tell_scheme, {.header_timeout = 100ms});
  RawClient client(server->port());
  client.say("\x16\x03\x01");
  EXPECT_TRUE(client.is_ended());
}

TEST_F(Tls, MovesLargeBodiesWhole) {
  const auto server = start([](Exchange& exchange) -> asio::awaitable<void> {
    auto body = co_await exchange.read_body(1000);
    std::string large(8 * 1024 * 1024, '\0');
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 >> 3);
    auto reply = Outlet::reply(200, std::move(large));
    co_await exchange.send(std::move(reply));
  });
  TlsClient client(server->port());
  auto heard = client.say(get).hear("\r\n\r\n");
  heard.erase(0, heard.find("\r\n\r\n") + 4);
  heard += client.hear_bytes(8 * 1024 * 1024 - heard.size());
  ASSERT_EQ(heard.size(), 8 * 1024 * 1024);
  bool same = true;
  for (std::size_t i = 0; i < heard.size(); ++i) same = same && heard[i] == static_cast<char>(i * 31 >> 3);
  EXPECT_TRUE(same);
}

TEST_F(Tls, EndsInOrderOnlyWhenTheReplyIsWhole) {
  const auto server = start([](Exchange& exchange) -> asio::awaitable<void> {
    auto head = Outlet::reply(200, "half");
    if (!co_await exchange.start_stream(std::move(head))) co_return;
    if (exchange.head().path == "/whole") co_await exchange.finish_stream();
  });
  TlsClient cut(server->port());
  EXPECT_TRUE(cut.say("GET /half HTTP/1.0\r\n\r\n").hear("half").ends_with("half"));
  EXPECT_FALSE(cut.ended_in_order());
  TlsClient whole(server->port());
  EXPECT_TRUE(whole.say("GET /whole HTTP/1.0\r\n\r\n").hear("half").ends_with("half"));
  EXPECT_TRUE(whole.ended_in_order());
}

TEST_F(Tls, NewFilesAreTakenUpAndBrokenOnesAreNot) {
  certificates_.write_pair("first.test");
  auto store = TlsStore::open(certificates_.cert(), certificates_.key());
  ASSERT_TRUE(store);
  const auto name = [&] {
    const auto ssl = (*store)->new_connection();
    char text[64] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get_certificate(ssl.get())), NID_commonName, text, sizeof text);
    return std::string(text);
  };
  EXPECT_EQ(name(), "first.test");
  (*store)->refresh(0);
  certificates_.write_pair("second.test");
  (*store)->refresh(500);
  EXPECT_EQ(name(), "first.test") << "looked at most once a second";
  (*store)->refresh(1'000);
  EXPECT_EQ(name(), "second.test");
  certificates_.write_broken();
  (*store)->refresh(2'000);
  EXPECT_EQ(name(), "second.test");
  std::filesystem::remove(certificates_.cert());
  (*store)->refresh(3'000);
  EXPECT_EQ(name(), "second.test");
  certificates_.write_pair("third.test");
  (*store)->refresh(4'000);
  EXPECT_EQ(name(), "third.test");
}

TEST_F(Tls, ARunningServerTakesUpNewFilesForNewConnections) {
  const auto server = start(tell_scheme);
  TlsClient before(server->port());
  EXPECT_EQ(before.common_name(), "first.test");
  certificates_.write_pair("second.test");
  EXPECT_TRUE(eventually([&] { return TlsClient(server->port()).common_name() == "second.test"; }));
  EXPECT_TRUE(before.say(get).hear("over TLS").ends_with("over TLS")) << "the old connection goes on";
}

TEST_F(Tls, StartingWithAnUnusablePairIsAnError) {
  certificates_.write_pair("first.test");
  ServerOptions options{.port = 0, .tls_cert = certificates_.cert(), .tls_key = certificates_.cert()};
  EXPECT_FALSE(Server::start(options, tell_scheme, refuse_with_status));
  options.tls_key = certificates_.key();
  certificates_.write_broken();
  EXPECT_FALSE(Server::start(options, tell_scheme, refuse_with_status));
}

}  // namespace
}  // namespace parley::http
