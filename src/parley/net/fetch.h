#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"
#include "parley/base/secret.h"
#include "parley/base/untrusted.h"
#include "parley/net/async.h"
#include "parley/net/egress.h"
#include "parley/net/workers.h"

namespace parley::net {

struct FetchHeader {
  std::string name;
  Secret value;  ///< may be a credential, so it is treated as one
};

struct FetchRequest {
  HttpUrl url;
  std::vector<FetchHeader> headers = {};
  /// With one it is a POST, and no redirect is followed; without it is a GET.
  std::optional<Secret> body = std::nullopt;
};

struct FetchAnswer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case; as untrusted as the body
  Untrusted<std::string> body;
  HttpUrl url;  ///< the one that answered, after redirects

  /// The value of the only header of that (lower-case) name. None if absent or sent twice.
  std::optional<std::string_view> header(std::string_view name) const;
};

struct FetchLimits {
  /// Key sets and metadata are some KB; a megabyte is somebody else's document.
  std::size_t body_bytes_max = 1024 * 1024;
  std::size_t header_bytes_max = 32 * 1024;
  /// All of it: names, connections, redirects, body. Somebody is waiting to be signed in.
  std::chrono::milliseconds time_max{10'000};
  std::chrono::milliseconds connect_time_max{4'000};
  int redirects_max = 3;
};

/// What somebody who fetches needs; a port, so that tests answer without a network.
class Web {
 public:
  virtual ~Web() = default;
  virtual Async<FetchAnswer> fetch(FetchRequest request) = 0;
};

/// Where names become addresses. A port, so that a test can change its mind.
class Resolver {
 public:
  virtual ~Resolver() = default;
  /// At least one address. Blocks; called on a worker, from several threads.
  virtual Result<std::vector<asio::ip::address>> resolve(const std::string& host) = 0;
};

/// The machine's own resolver. It has no deadline of ours: its time counts, but is noticed only when it answers.
Resolver& system_resolver();

/// The host's addresses, each of which may be connected to: asked for once, so that what was checked is what is
/// connected to. `permission_denied` if any of them may not be, or for plain http to a place that the operator has not
/// listed; `unavailable` if there is none. Blocks if the host is a name.
Result<std::vector<asio::ip::address>> require_addresses(const EgressPolicy& policy, Resolver& resolver,
                                                         const HttpUrl& url);

struct FetcherOptions {
  EgressPolicy policy = {};
  FetchLimits limits = {};
  /// Certificates to trust in place of the system's: a private authority. Empty: the system's.
  std::string ca_file = {};
};

/// A client for the program's own small requests: metadata, keys and tokens of sign-in providers. Each request
///   - asks for the host's addresses once and refuses the request if any of them may not be connected to;
///   - connects to one of exactly these addresses, whatever the name means a moment later;
///   - reads redirects itself and begins again with each (GET alone; credentials do not go to another origin; never
///     from https to http), up to `redirects_max`;
///   - uses http only where the policy lists the place; https with TLS 1.2 or later and a verified certificate;
///   - ignores proxies, .netrc and cookies; sends and takes no compression; stops at the limits.
/// `permission_denied` for an address that may not be connected to, `timeout`, `too_large`, `invalid_argument` for a
/// redirect that is no address or a header that cannot be sent, else `unavailable`. An answer of any status is an
/// answer. Safe from any thread; must outlive what it started.
class Fetcher final : public Web {
 public:
  explicit Fetcher(Workers& workers, FetcherOptions options = {}, Resolver& resolver = system_resolver());

  Async<FetchAnswer> fetch(FetchRequest request) override;
  /// The same on the caller's thread, which must be a worker's.
  Result<FetchAnswer> fetch_blocking(FetchRequest request) const;

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  Result<FetchAnswer> fetch_once(const FetchRequest& request, Deadline deadline) const;

  Workers& workers_;
  const FetcherOptions options_;
  Resolver& resolver_;
};

}  // namespace parley::net
