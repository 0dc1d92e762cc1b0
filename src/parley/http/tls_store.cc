#include "parley/http/tls_store.h"

#include <cstring>

#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "parley/log/log.h"

namespace parley::http {
namespace {

constexpr std::int64_t look_interval_ms = 1'000;

std::string openssl_error() {
  char text[256] = "unknown";
  if (const auto code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

// A client that offers other protocols and not this one is refused: it may have been sent here by somebody in between
// who wants our answer read as another protocol's.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                    void*) {
  static constexpr unsigned char http_1_1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, http_1_1, sizeof http_1_1, in, in_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

void TlsStore::FreeContext::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

TlsStore::TlsStore(std::filesystem::path cert, std::filesystem::path key)
    : cert_(std::move(cert)), key_(std::move(key)) {}
TlsStore::~TlsStore() = default;

TlsStore::FileMark TlsStore::mark_of(const std::filesystem::path& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return {};
  return {info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec, info.st_ino, info.st_size};
}

Result<TlsStore::Context> TlsStore::load() const {
  ERR_clear_error();
  Context context(SSL_CTX_new(TLS_server_method()));
  auto* raw = context.get();
  if (!raw) return fail(Code::internal, "cannot prepare TLS", openssl_error());
  if (SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1 ||
      // Forward secrecy and AEAD only. TLS 1.3 has nothing else to begin with.
      SSL_CTX_set_cipher_list(raw, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) {
    return fail(Code::internal, "cannot prepare TLS", openssl_error());
  }
  SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
  // Released buffers are what keeps an idle connection small; the other two let a write be resumed from a copy.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Resumption is by tickets, which cost us no memory; a cache here would grow with callers.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
  // A sealed key would otherwise be asked for on the terminal, with the server waiting.
  SSL_CTX_set_default_passwd_cb(raw, [](char*, int, int, void*) { return 0; });
  if (SSL_CTX_use_certificate_chain_file(raw, cert_.c_str()) != 1) {
    return fail(Code::invalid_argument, "cannot use the TLS certificate", cert_.string() + ": " + openssl_error());
  }
  if (SSL_CTX_use_PrivateKey_file(raw, key_.c_str(), SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(raw) != 1) {
    return fail(Code::invalid_argument, "cannot use the TLS key", key_.string() + ": " + openssl_error());
  }
  return context;
}

Result<std::unique_ptr<TlsStore>> TlsStore::open(std::filesystem::path cert, std::filesystem::path key) {
  std::unique_ptr<TlsStore> store(new TlsStore(std::move(cert), std::move(key)));
  store->cert_mark_ = mark_of(store->cert_);
  store->key_mark_ = mark_of(store->key_);
  store->context_ = PARLEY_TRY(store->load());
  return store;
}

void TlsStore::refresh(std::int64_t now_ms) {
  auto due = next_look_ms_.load(std::memory_order_relaxed);
  if (now_ms < due || !next_look_ms_.compare_exchange_strong(due, now_ms + look_interval_ms)) return;
  // Marks are taken before reading: a file replaced in between is read again at the next look.
  const auto cert_mark = mark_of(cert_);
  const auto key_mark = mark_of(key_);
  {
    const std::lock_guard lock(mutex_);
    if (cert_mark == cert_mark_ && key_mark == key_mark_) return;
  }
  auto loaded = load();
  const std::lock_guard lock(mutex_);
  cert_mark_ = cert_mark;
  key_mark_ = key_mark;
  if (loaded) {
    context_ = std::move(*loaded);
    log::write(log::Level::info, "tls_certificate_reloaded", {});
  } else {
    log::write(
        log::Level::error, "tls_certificate_not_reloaded",
        {{"reason", loaded.error().reason()}, log::Field::operator_text("detail", loaded.error().operator_detail())});
  }
}

SslHandle TlsStore::new_connection() {
  const std::lock_guard lock(mutex_);
  return SslHandle(SSL_new(context_.get()));
}

}  // namespace parley::http
