#pragma once

#include <filesystem>

#include "parley/base/result.h"
#include "parley/crypto/random.h"
#include "parley/crypto/seal.h"

namespace parley::identity {

inline constexpr const char* master_key_variable = "PARLEY_MASTER_KEY";

/// The installation's master key: from the environment variable PARLEY_MASTER_KEY (64 hexadecimal digits or base64),
/// else from `folder`/master.key, which is made at the first start: mode 0600, synced, and never overwritten.
///
/// Refuses with `invalid_argument` a weak or malformed key, and a key file that others could read, that belongs to
/// somebody else or that is no plain file: a key that leaked must not go on sealing. Nothing is made in place of a file
/// that cannot be used, since a new key would make everything sealed so far unreadable.
Result<crypto::SealKey> load_or_create_master_key(const std::filesystem::path& folder,
                                                  crypto::Random& random = crypto::system_random());

}  // namespace parley::identity
