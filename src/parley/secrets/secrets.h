#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "parley/base/result.h"
#include "parley/base/secret.h"
#include "parley/net/async.h"

namespace parley::secrets {

/// Who keeps a secret.
enum class Keeper : std::uint8_t {
  environment,  ///< env:NAME
  file,         ///< file:/path
  vault,        ///< vault:MOUNT/PATH#FIELD, HashiCorp's, key-value engine version 2
  aws,          ///< aws:NAME or aws:NAME#FIELD, AWS Secrets Manager; with a field the secret is a JSON object
  azure,        ///< azure:NAME or azure:NAME/VERSION, Azure Key Vault
};

/// Where a secret is, and not what it is. Safe to print, to store and to log.
struct Reference {
  Keeper keeper = Keeper::environment;
  std::string name;   ///< of the variable, the path, the secret
  std::string field;  ///< empty where there is none

  std::string to_string() const;
  bool operator==(const Reference&) const = default;
};

/// "env:NAME" and its like. `invalid_argument` for everything else: a secret itself, above all, which is therefore not
/// in the error either.
Result<Reference> parse_reference(std::string_view text);

/// Secrets by reference, as they are now. Safe from any thread.
class Secrets {
 public:
  virtual ~Secrets() = default;
  /// `not_found` if there is nothing there, `permission_denied` if we may not have it, `unavailable` if its keeper
  /// cannot be asked, or is not configured.
  virtual Async<Secret> read(Reference reference) = 0;
  /// Somebody refused the secret: it may have been changed. The next `read` asks its keeper, but not more often than
  /// every few seconds, whatever is refused.
  virtual void expire(const Reference& reference) = 0;
};

}  // namespace parley::secrets
