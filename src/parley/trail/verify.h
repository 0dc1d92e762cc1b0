#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "parley/base/result.h"
#include "parley/db/transaction.h"
#include "parley/trail/record.h"

namespace parley::trail {

enum class Damage : std::uint8_t {
  none,
  changed,    ///< a record is not what was written
  removed,    ///< a record that was written is missing
  reordered,  ///< records stand in another order than they were written in
  cut_tail,   ///< the newest records are missing
};
std::string_view name(Damage damage);

struct ChainReport {
  std::string node;
  std::int64_t records = 0;
  std::int64_t epochs = 1;
  crypto::Digest head;  ///< hash of the last good record
  Damage damage = Damage::none;
  std::int64_t broken_at = 0;  ///< sequence number of the first bad or missing record; 0 if there is none
};

/// What became of the head that was asked for.
enum class HeadVerdict : std::uint8_t {
  not_asked,
  found,       ///< it is a link of a chain: nothing up to it is missing
  lost_epoch,  ///< an epoch record names it: it was given up, knowingly, with a restore
  missing,     ///< neither: what followed the last common record was cut off
};

struct Report {
  std::vector<ChainReport> chains;
  std::int64_t records = 0;
  HeadVerdict head = HeadVerdict::not_asked;

  /// The worst of the chains; `cut_tail` if a head was asked for and is missing.
  Damage damage() const;
  bool whole() const { return damage() == Damage::none; }
};

/// Checks chains record by record, without a database: `feed` in the order (node, seq), then `finish`. Reads every
/// field as stored. Needs memory for one hash per record, to tell moved records from missing ones.
class Verifier {
 public:
  explicit Verifier(std::optional<crypto::Digest> expected_head = {}) : expected_head_(expected_head) {}

  void feed(const StoredRecord& record);
  /// `heads`: what the table of heads says, against which a cut tail is noticed.
  Report finish(const std::vector<Head>& heads);

 private:
  struct Chain {
    ChainReport report;
    std::int64_t epoch = 1;
    bool points_elsewhere = false;  ///< the first bad record follows another than the one before it
    std::string broken_prev;        ///< and this is the one it follows
  };
  void look_at(Chain& chain, const StoredRecord& record);

  std::optional<crypto::Digest> expected_head_;
  HeadVerdict head_ = HeadVerdict::not_asked;
  std::vector<Chain> chains_;
  std::unordered_set<std::string> hashes_;
};

/// Verifies all chains of a tenant in one read transaction.
///
/// Without `expected_head` it shows that what is there is as it was written; someone who can write the whole file could
/// still have cut the newest records and corrected the table of heads. With a head noted earlier, a cut is found too.
Result<Report> verify(db::TenantReader& reader, std::optional<crypto::Digest> expected_head = {});

}  // namespace parley::trail
