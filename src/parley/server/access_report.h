#pragma once

#include <string>

#include <boost/json.hpp>

#include "parley/crypto/hash.h"
#include "parley/server/installation.h"

namespace parley::server {

/// A key that was not used for so long is a key that nobody would miss.
inline constexpr std::chrono::microseconds key_idle_max = std::chrono::days(30);

/// Who can do what, over all organisations, for a person to look through and approve.
struct AccessReport {
  /// "made_at", "organisations" (by name; in each: members, projects with their sources, keys) and "findings", in an
  /// order that changes only with what is in it; then the two digests as hexadecimal digits.
  boost::json::object report;
  /// Over the report up to there, as `boost::json::serialize` writes it: names this report in an approval.
  crypto::Digest digest;
  /// The same over the rights alone, without anything that changes by time passing or by use: equal for two reports if
  /// nothing about who can do what has changed between them.
  crypto::Digest rights_digest;
};

/// Blocks. Keys that were revoked or have expired can do nothing and are left out.
Result<AccessReport> make_access_report(Installation& at);

/// The report for reading.
std::string to_text(const AccessReport& report);

}  // namespace parley::server
