#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>

#include "parley/base/result.h"
#include "parley/http/transport.h"

struct ssl_ctx_st;

namespace parley::http {

/// The server's certificate and key, read again when their files change. Safe from any thread.
class TlsStore {
 public:
  /// `invalid_argument` if the files do not make a usable pair.
  static Result<std::unique_ptr<TlsStore>> open(std::filesystem::path cert, std::filesystem::path key);
  ~TlsStore();

  /// Reads the files again if they have changed. Files that do not make a pair keep the old one in service, and the
  /// operator's log says so, once for each change. Looks at most once a second (`now_ms` is any steady clock).
  void refresh(std::int64_t now_ms);
  /// State for a new connection; none if OpenSSL has no memory.
  SslHandle new_connection();

 private:
  struct FileMark {
    std::int64_t modified_ns = -1;
    std::uint64_t inode = 0;
    std::int64_t size = -1;
    bool operator==(const FileMark&) const = default;
  };
  struct FreeContext {
    void operator()(ssl_ctx_st* context) const;
  };
  using Context = std::unique_ptr<ssl_ctx_st, FreeContext>;

  TlsStore(std::filesystem::path cert, std::filesystem::path key);
  static FileMark mark_of(const std::filesystem::path& path);
  Result<Context> load() const;

  std::filesystem::path cert_, key_;
  std::atomic<std::int64_t> next_look_ms_{0};
  std::mutex mutex_;
  FileMark cert_mark_, key_mark_;
  Context context_;
};

}  // namespace parley::http
