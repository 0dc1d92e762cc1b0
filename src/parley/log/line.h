#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "parley/base/time.h"
#include "parley/log/log.h"

namespace parley::log {

/// One event as one line of JSON, ended by '\n' and with no other line end, control character or invalid UTF-8 in it,
/// whatever the fields hold.
std::string make_line(Timestamp at, Level level, std::string_view event, std::initializer_list<Field> fields);

}  // namespace parley::log
