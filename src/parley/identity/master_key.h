#pragma once

#include <filesystem>

#include "parley/base/result.h"
#include "parley/crypto/random.h"
#include "parley/crypto/seal.h"

namespace parley::identity {

inline constexpr const char* master_key_variable = "PARLEY_MASTER_KEY";

/// What to do where there is no master key yet. Only a folder that never held data may get one: made later, a second
/// key would seal what the first cannot open, and the other way round.
enum class IfMissing { refuse, create };

/// The installation's master key: from the environment variable PARLEY_MASTER_KEY (64 hexadecimal digits or base64),
/// else from `folder`/master.key, which is made if asked for: mode 0600, synced, and never overwritten.
///
/// Refuses with `invalid_argument` a weak or malformed key, and a key file that others could read, that belongs to
/// somebody else or that is no plain file: a key that leaked must not go on sealing. `not_found` if there is none and
/// none is to be made.
Result<crypto::SealKey> load_master_key(const std::filesystem::path& folder, IfMissing if_missing,
                                        crypto::Random& random = crypto::system_random());

}  // namespace parley::identity
