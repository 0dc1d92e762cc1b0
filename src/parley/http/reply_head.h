#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "parley/http/safe_reply.h"

namespace parley::http {

/// How a client finds the end of a reply.
enum class ReplyFraming : std::uint8_t { length, chunked, until_close, upgraded };
/// What the Connection header says.
enum class Persistence : std::uint8_t { implied, keep_alive, close };

/// Appends the status line and headers, with Date, framing and Connection added. `date` is a whole header line.
/// False, with `out` as it was, if a header of the reply could not be written as one header (a CR or LF in it would
/// split the reply) or names one of those this function owns.
bool append_reply_head(std::string& out, const SafeReply& reply, ReplyFraming framing, Persistence persistence,
                       std::string_view date);

/// Statuses whose reply has no body and no length: 1xx, 204, 304.
constexpr bool is_bodiless(int status) { return status < 200 || status == 204 || status == 304; }

/// "Date: Sun, 22 Nov 2026 06:00:00 GMT\r\n"
std::string make_date_line(std::int64_t unix_seconds);

/// What a client gets when the reply itself cannot be sent: fixed text, connection closed.
std::string_view bare_500();

}  // namespace parley::http
