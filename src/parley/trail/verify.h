#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "parley/base/result.h"
#include "parley/db/transaction.h"
#include "parley/trail/record.h"
#include "parley/trail/seal.h"

namespace parley::trail {

enum class Damage : std::uint8_t {
  none,
  changed,       ///< a record is not what was written
  removed,       ///< a record that was written is missing
  reordered,     ///< records stand in another order than they were written in
  cut_tail,      ///< the newest records are missing
  changed_seal,  ///< a seal is not what was signed, or was not signed by this installation
  removed_seal,  ///< a seal that was made is missing
  absent,        ///< there is no record at all where there must be some
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

/// What became of the head, or the seals, that were asked for.
enum class HeadVerdict : std::uint8_t {
  not_asked,
  found,       ///< a link of a chain: nothing up to it is missing
  lost_epoch,  ///< given up, knowingly, with a restore, which an epoch record shows
  missing,     ///< neither: what followed the last common record was cut off or written anew
};
std::string_view name(HeadVerdict verdict);

struct SealReport {
  std::int64_t count = 0;          ///< seals that hold, from the first
  Timestamp last_at;               ///< of the last of them; up to there nothing is missing
  std::int64_t records_after = 0;  ///< records that no seal covers yet
  Damage damage = Damage::none;
  std::int64_t broken_number = 0;  ///< the first seal that does not hold or is missing; 0 if there is none
};

struct Report {
  std::vector<ChainReport> chains;
  std::int64_t records = 0;
  HeadVerdict head = HeadVerdict::not_asked;
  SealReport seals;
  HeadVerdict exported_seals = HeadVerdict::not_asked;
  Damage other = Damage::none;  ///< `absent`

  /// The worst of the chains; `cut_tail` if a head or a seal was asked for and is missing.
  Damage damage() const;
  bool whole() const { return damage() == Damage::none; }
};

/// The last seal as somebody else than the tenant's tables knows it.
struct SealMark {
  std::int64_t number = 0;
  crypto::Digest digest;
};

/// What a trail is checked against, beside itself. Everything may be left out; each finds damage that the trail alone
/// does not show.
struct Expected {
  std::optional<crypto::Digest> head;  ///< must be a link of a chain
  std::optional<TenantId> tenant;      ///< whose trail it is: a seal of another's does not count
  /// Keys whose seals count. Empty: none is known, and signatures are checked against the key that each seal names,
  /// which shows changes by whoever does not sign, and no more.
  std::vector<crypto::PublicKey> keys = {};
  std::optional<SealMark> mark;                 ///< at least so many seals there must be
  std::vector<StoredSeal> exported_seals = {};  ///< seals that were kept elsewhere, by one of `keys`
  /// A tenant's creation is its first record, so one that is in use has some.
  enum class Records : bool { may_be_none, must_be_some } records = Records::may_be_none;
};

/// How a row's values are stored: SQLite keeps any type in any column, and 1.5 reads as the integer 1.
enum class Types : bool { as_written, changed };

/// Checks chains record by record, without a database: `feed` in the order (node, seq), then `finish`. Reads every
/// field as stored. Needs memory for one hash per record, to tell moved records from missing ones.
class Verifier {
 public:
  /// `seals`: the table of seals, by number.
  explicit Verifier(Expected expected = {}, const std::vector<StoredSeal>& seals = {});

  void feed(const StoredRecord& record, Types types = Types::as_written);
  /// `heads`: what the table of heads says, against which a cut tail is noticed.
  Report finish(const std::vector<Head>& heads);

 private:
  struct Chain {
    ChainReport report;
    std::int64_t epoch = 1;
    std::vector<std::int64_t> epochs_from = {};  ///< sequence numbers of the records that begin epochs 2, 3, …
    bool points_elsewhere = false;               ///< the first bad record follows another than the one before it
    std::string broken_prev = {};                ///< and this is the one it follows
  };
  /// A head that a seal names, to be met on the way.
  struct Promise {
    std::int64_t epoch = 1;
    crypto::Digest hash;
    bool exported = false;
    bool kept = false;
  };

  void read_seals(const std::vector<StoredSeal>& seals);
  std::optional<Seal> read_seal(const StoredSeal& stored) const;
  void look_at(Chain& chain, const StoredRecord& record, Types types);
  void require_promises(Report& report);

  Expected expected_;
  HeadVerdict head_ = HeadVerdict::not_asked;
  HeadVerdict exported_seals_ = HeadVerdict::not_asked;
  SealReport seals_;
  std::vector<Head> sealed_;  ///< by the last seal that holds
  std::multimap<std::pair<std::string, std::int64_t>, Promise> promises_;
  std::vector<Chain> chains_;
  std::unordered_set<std::string> hashes_;
};

/// Verifies all chains and seals of a tenant in one read transaction.
///
/// With nothing expected it shows that what is there is as it was written; someone who can write the whole file could
/// still have cut the newest records and corrected the table of heads. Up to the last seal that cannot be done without
/// the master key, if the keys and the mark are given.
Result<Report> verify(db::TenantReader& reader, Expected expected = {});

}  // namespace parley::trail
