#pragma once

#include "parley/evidence/principal.h"
#include "parley/trail/record.h"

namespace parley::trail {

/// The trail's name for a caller.
Actor actor_of(const Principal& who);

}  // namespace parley::trail
