#pragma once

#include <vector>

#include "parley/cli/finding.h"
#include "parley/server/installation.h"

namespace parley::cli {

/// Looks at what an operator would be asked about when something is wrong. Changes nothing by itself;
/// opening the installation may have finished what a crash left.
std::vector<Finding> examine(server::Installation& at);

}  // namespace parley::cli
