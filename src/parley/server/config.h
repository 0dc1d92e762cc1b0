#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "parley/admission/budgets.h"
#include "parley/admission/forwarded.h"
#include "parley/admission/limits.h"
#include "parley/admission/slots.h"
#include "parley/base/result.h"
#include "parley/base/secret.h"
#include "parley/http/server.h"
#include "parley/identity/sender.h"
#include "parley/kv/redis_link.h"
#include "parley/llm/models.h"
#include "parley/net/egress.h"
#include "parley/notify/smtp_mailer.h"
#include "parley/secrets/ring.h"

namespace parley::server {

/// What `DIR/parley.toml` says. Every value has a default, so the file may be absent.
struct Config {
  std::string listen = "127.0.0.1:8080";
  identity::OwnAddress own_address;  ///< `public_url`: as people reach us
  std::size_t threads = 0;           ///< event loops; 0: one a core
  std::filesystem::path tls_cert, tls_key;
  std::chrono::seconds stop_grace{30};  ///< how long running answers may take to finish when stopping

  admission::Limits limits;
  admission::SlotLimits slots;      ///< `[admission]`
  admission::BudgetLimits budgets;  ///< `[admission]`
  admission::Proxies proxies;       ///< believes nobody unless told to

  /// Counters that several nodes share, if named by `[redis] url`; this node's memory otherwise.
  struct Redis {
    kv::RedisAddress address;
    std::string prefix = "parley";
  };
  std::optional<Redis> redis;

  /// Where the program itself asks other servers, by what it asks them for: `[egress.NAME]`.
  struct Egress {
    net::EgressPolicy policy;       ///< `allow`: what may be reached besides public addresses
    std::filesystem::path ca_file;  ///< certificates to trust in place of the system's
  };
  Egress egress_sign_in;  ///< providers that people sign in at
  Egress egress_issuers;  ///< keys of those who vouch for visitors
  Egress egress_models;   ///< language models
  Egress egress_secrets;  ///< where secrets are kept

  /// How mail is sent, if `[mail]` names a server; printed on the console otherwise.
  std::optional<notify::SmtpOptions> mail;

  /// `[models.NAME]`, in the order of their names. None: the built-in answers.
  std::vector<llm::ModelOptions> models;

  /// Where secrets are kept beside the environment and files: `[secrets.vault]` and its like.
  secrets::Keepers keepers;

  /// PostgreSQL, if named by `[database] url`; SQLite files in the folder otherwise.
  std::optional<Secret> database_url;
};

/// Reads the file. `invalid_argument` names the key and the line for anything unknown, of a wrong type, or out of
/// range: a misspelt limit must not leave the server without it. A secret may only be referred to ("env:NAME",
/// "file:/path"); one written into the file is refused.
Result<Config> load_config(const std::filesystem::path& file);

struct Listen {
  std::string address;
  std::uint16_t port;
};
/// "127.0.0.1:8080", "[::1]:8080", "0.0.0.0:80".
Result<Listen> parse_listen(std::string_view text);

/// Follows "env:NAME" or "file:/path". `invalid_argument` for anything else, `not_found` if there is nothing there.
Result<Secret> resolve_secret(std::string_view reference);

}  // namespace parley::server
