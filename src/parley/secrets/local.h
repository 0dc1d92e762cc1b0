#pragma once

#include <filesystem>
#include <string>

#include "parley/base/result.h"
#include "parley/base/secret.h"

namespace parley::secrets {

/// `not_found` if there is no such variable, or it is empty.
Result<Secret> read_environment(const std::string& name);

/// The file's bytes without the line ends behind them. `not_found` if it cannot be read or is empty, `too_large` beyond
/// 64 KB: a wrong path (a log, a device) must not be read in. Blocks.
Result<Secret> read_file(const std::filesystem::path& path);

}  // namespace parley::secrets
