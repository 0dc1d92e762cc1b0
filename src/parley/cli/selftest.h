#pragma once

#include <vector>

#include "parley/cli/finding.h"
#include "parley/server/installation.h"

namespace parley::cli {

/// Makes two tenants, tries on the real store to get from one to the other, removes both. Each promise of the
/// tenancy design is one finding.
Result<std::vector<Finding>> selftest_tenancy(server::Installation& at);

}  // namespace parley::cli
