#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "parley/base/time.h"
#include "parley/net/egress.h"
#include "parley/net/fetch.h"
#include "parley/net/workers.h"
#include "parley/secrets/secrets.h"
#include "parley/secrets/sigv4.h"

namespace parley::secrets {

struct VaultOptions {
  net::HttpUrl url;
  Reference token;
  std::string name_space = {};  ///< of Vault Enterprise; empty for none
};

struct AwsOptions {
  std::string region;
  Reference access_key_id;
  Reference secret_access_key;
  std::optional<Reference> session_token = std::nullopt;
  std::optional<net::HttpUrl> url = std::nullopt;  ///< none: the region's own
};

struct AzureOptions {
  net::HttpUrl url;  ///< https://NAME.vault.azure.net
  std::string tenant;
  std::string client_id;
  Reference client_secret;
  net::HttpUrl login;  ///< https://login.microsoftonline.com
};

/// The keepers that an installation has. What opens them can only be in the environment or in a file.
struct Keepers {
  std::optional<VaultOptions> vault = std::nullopt;
  std::optional<AwsOptions> aws = std::nullopt;
  std::optional<AzureOptions> azure = std::nullopt;
};

/// For how long a value counts as the present one. A file costs a look; the others a request, for which some charge.
inline constexpr std::chrono::seconds file_fresh_for{5};
inline constexpr std::chrono::minutes remote_fresh_for{5};
/// A keeper that is away does not take what it gave with it, for so long.
inline constexpr std::chrono::hours kept_without_keeper{1};
/// Between two questions for one secret, whatever happens to it.
inline constexpr std::chrono::seconds asked_again_after{5};

/// Secrets from all keepers, remembered and read again. What has grown old is given out once more while it is read
/// anew, so that a slow keeper is waited for at the first reading only.
class Ring final : public Secrets {
 public:
  /// References must outlive this object. `web` must let requests go where the keepers are.
  Ring(Keepers keepers, net::Web& web, net::Workers& workers, const Clock& clock)
      : keepers_(std::move(keepers)), web_(web), workers_(workers), clock_(clock) {}

  Async<Secret> read(Reference reference) override;
  void expire(const Reference& reference) override;

 private:
  // Those of a configuration; full: emptied.
  static constexpr std::size_t entries_max = 1'000;

  struct Entry {
    std::optional<Secret> value;
    Timestamp read_at;
    std::optional<Error> failed;  ///< the last question's end, if it was one
    Timestamp asked_at;
    bool asking = false;
    bool expired = false;
  };
  class Asking;

  Async<Secret> ask(Reference reference);
  Async<Secret> ask_vault(Reference reference);
  Async<Secret> ask_aws(Reference reference);
  Async<Secret> ask_azure(Reference reference);
  Async<Secret> azure_token();
  Async<Secret> local(Reference reference);

  const Keepers keepers_;
  net::Web& web_;
  net::Workers& workers_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
  Secret azure_token_;
  Timestamp azure_token_until_;
};

}  // namespace parley::secrets
