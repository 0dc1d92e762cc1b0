#pragma once

#include <string>

#include <boost/json.hpp>

#include "parley/crypto/hash.h"
#include "parley/evidence/proofs.h"
#include "parley/server/installation.h"

namespace parley::server {

/// Who can do what, over all organisations, for a person to look through and approve.
struct AccessReport {
  /// "made_at", "organisations" (by name; in each: whether it requires a second factor, members with their grants,
  /// projects with their sites and sources, keys) and "findings", in an order that changes only with what is in it;
  /// then the two digests as hexadecimal digits.
  boost::json::object report;
  /// Over the report up to there, as `boost::json::serialize` writes it: names this report in an approval.
  crypto::Digest digest;
  /// The same over the rights alone, without anything that changes by time passing or by use: equal for two reports if
  /// nothing about who can do what has changed between them.
  crypto::Digest rights_digest;
};

/// Blocks. Keys that were revoked or have expired can do nothing and are left out; idle ones can be switched on again
/// and are not.
Result<AccessReport> make_access_report(Installation& at, const LocalOperator& by);

/// The report for reading.
std::string to_text(const AccessReport& report);

}  // namespace parley::server
