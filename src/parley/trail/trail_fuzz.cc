// Whatever was written: flipping any one bit of what is stored (records, heads, seals), taking out any one record or
// seal, or cutting the newest records and putting the heads right, breaks verification.
//
// The first bytes choose what is flipped, the rest become records. Nothing here asks for well-formed fields: the chain
// must hold for any bytes a table could come to contain.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "parley/trail/verify.h"

namespace {

using namespace parley;
using trail::Head;
using trail::StoredRecord;

void require(bool holds) {
  if (!holds) std::abort();
}

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  bool empty() const { return at_ >= size_; }
  std::uint8_t byte() { return empty() ? std::uint8_t{0} : data_[at_++]; }
  std::uint32_t word() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | byte();
    return value;
  }
  std::int64_t number() { return static_cast<std::int64_t>(std::uint64_t{word()} << 32 | word()); }
  std::string text() {
    std::string text(byte() % 12, '\0');
    for (auto& c : text) c = static_cast<char>(byte());
    return text;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

using Text = std::string StoredRecord::*;
using Number = std::int64_t StoredRecord::*;
constexpr Text texts[] = {&StoredRecord::node,       &StoredRecord::kind,      &StoredRecord::actor_kind,
                          &StoredRecord::actor_id,   &StoredRecord::action,    &StoredRecord::object_kind,
                          &StoredRecord::object_id,  &StoredRecord::decision,  &StoredRecord::rule,
                          &StoredRecord::request_id, &StoredRecord::reference, &StoredRecord::prev,
                          &StoredRecord::hash};
constexpr Number numbers[] = {&StoredRecord::seq, &StoredRecord::epoch, &StoredRecord::at, &StoredRecord::quantity};

bool is_whole(const std::vector<StoredRecord>& records, const std::vector<Head>& heads,
              const std::vector<trail::StoredSeal>& seals = {}, const trail::Expected& expected = {}) {
  trail::Verifier verifier(expected, seals);
  for (const auto& record : records) verifier.feed(record);
  return verifier.finish(heads).whole();
}

const crypto::SigningKey& signing_key() {
  static const auto key = crypto::SigningKey::make();
  return key;
}

/// Flips one of the bits of a seal as it is stored.
trail::StoredSeal flipped(trail::StoredSeal seal, std::uint32_t which) {
  const std::size_t bits = 64 + 8 * (seal.body.size() + seal.signature.size());
  std::size_t bit = which % bits;
  if (bit < 64) {
    seal.number = static_cast<std::int64_t>(static_cast<std::uint64_t>(seal.number) ^ std::uint64_t{1} << bit);
    return seal;
  }
  bit -= 64;
  std::string& text = bit < 8 * seal.body.size() ? seal.body : seal.signature;
  if (&text == &seal.signature) bit -= 8 * seal.body.size();
  text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
  return seal;
}

/// Seals at some of the places of the chain, the last at its end.
void require_seals_hold(const std::vector<StoredRecord>& records, std::uint32_t which_bit, std::uint32_t where) {
  const TenantId tenant;
  std::vector<trail::StoredSeal> seals;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if ((where >> i % 32 & 1) == 0 && i + 1 != records.size()) continue;
    const auto& record = records[i];
    const trail::Seal seal{.tenant = tenant,
                           .number = std::ssize(seals) + 1,
                           .at = {1000},
                           .previous = seals.empty() ? crypto::Digest() : trail::digest_of(seals.back()),
                           .key = signing_key().public_key(),
                           .heads = {{.node = record.node,
                                      .seq = record.seq,
                                      .epoch = record.epoch,
                                      .hash = *crypto::Digest::from_bytes(record.hash)}}};
    seals.push_back(trail::sign(seal, signing_key()));
  }
  const auto head_of = [&](std::size_t count) {
    const auto& last = records[count - 1];
    return std::vector<Head>{
        {.node = last.node, .seq = last.seq, .epoch = last.epoch, .hash = *crypto::Digest::from_bytes(last.hash)}};
  };
  const trail::Expected expected{
      .tenant = tenant,
      .keys = {signing_key().public_key()},
      .mark = trail::SealMark{.number = std::ssize(seals), .digest = trail::digest_of(seals.back())}};
  require(is_whole(records, head_of(records.size()), seals, expected));

  const auto at = which_bit % seals.size();
  auto changed = seals;
  changed[at] = flipped(changed[at], which_bit);
  require(!is_whole(records, head_of(records.size()), changed, expected));
  auto removed = seals;
  removed.erase(removed.begin() + static_cast<std::ptrdiff_t>(at));
  require(!is_whole(records, head_of(records.size()), removed, expected));

  // A cut as somebody makes it who knows the tables: the heads agree with what is left.
  auto cut = records;
  cut.resize(where % records.size());
  require(!is_whole(cut, cut.empty() ? std::vector<Head>() : head_of(cut.size()), seals, expected));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const auto which_record = input.word();
  const auto which_bit = input.word();

  std::vector<StoredRecord> records;
  crypto::Digest prev;
  std::int64_t epoch = 1;
  do {
    StoredRecord record;
    for (const auto field : texts) record.*field = input.text();
    record.node = "node";
    record.seq = static_cast<std::int64_t>(records.size()) + 1;
    record.at = input.number();
    record.quantity = input.number();
    if (input.byte() % 8 == 0) {
      record.kind = "epoch";
      ++epoch;
    }
    record.epoch = epoch;
    record.prev = prev.view();
    prev = trail::link(prev, record);
    record.hash = prev.view();
    records.push_back(std::move(record));
  } while (!input.empty() && records.size() < 16);
  const std::vector<Head> heads{{.node = "node", .seq = std::ssize(records), .epoch = epoch, .hash = prev}};
  require(is_whole(records, heads));

  const auto at = which_record % records.size();
  auto removed = records;
  removed.erase(removed.begin() + static_cast<std::ptrdiff_t>(at));
  require(!is_whole(removed, heads));

  // All bits of the record side by side; one of them flips.
  auto changed = records;
  StoredRecord& record = changed[at];
  std::size_t bits = std::size(numbers) * 64;
  for (const auto field : texts) bits += (record.*field).size() * 8;
  std::size_t bit = which_bit % bits;
  if (bit < std::size(numbers) * 64) {
    const auto field = numbers[bit / 64];
    record.*field = static_cast<std::int64_t>(static_cast<std::uint64_t>(record.*field) ^ std::uint64_t{1} << bit % 64);
  } else {
    bit -= std::size(numbers) * 64;
    for (const auto field : texts) {
      std::string& text = record.*field;
      if (bit < text.size() * 8) {
        text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
        break;
      }
      bit -= text.size() * 8;
    }
  }
  require(!is_whole(changed, heads));

  // The same in the table of heads.
  auto heads_changed = heads;
  heads_changed[0].hash.bytes[which_bit / 8 % 32] ^= static_cast<std::uint8_t>(1U << which_bit % 8);
  require(!is_whole(records, heads_changed));
  heads_changed = heads;
  auto& number = which_bit % 2 == 0 ? heads_changed[0].seq : heads_changed[0].epoch;
  number = static_cast<std::int64_t>(static_cast<std::uint64_t>(number) ^ std::uint64_t{1} << which_bit / 2 % 64);
  require(!is_whole(records, heads_changed));

  require_seals_hold(records, which_bit, which_record);
  return 0;
}
