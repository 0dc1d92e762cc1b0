#pragma once

#include <string>

#include "parley/base/literal.h"

namespace parley::cli {

/// One thing that was looked at.
struct Finding {
  Literal check;
  bool fine = true;
  std::string detail;  ///< for the operator
};

}  // namespace parley::cli
