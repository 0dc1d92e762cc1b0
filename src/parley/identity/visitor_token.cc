#include "parley/identity/visitor_token.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "parley/text/base64.h"

namespace parley::identity {
namespace {

// The longest text of a token: 32 groups, an origin and an identity, in base64. Far below what a header may have.
constexpr std::size_t token_characters_max = 5 * 1024;

const crypto::SealContext context("visitor token 3");

// visitor 16 | tenant 16 | project 16 | scopes 8 | expires at, micros 8 | key 16 | its digest 32 (both zero without a
// key) | origin | number of groups 1 | groups | issuer 16, subject and e-mail address (zero and empty without an
// identity; the address may be empty with one); numbers big-endian, a text is its length in 2 bytes and its bytes.
class Writer {
 public:
  void uuid(const Uuid& id) { bytes({reinterpret_cast<const char*>(id.bytes().data()), id.bytes().size()}); }
  void number(std::uint64_t value, int size) {
    for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) out_ += static_cast<char>(value >> shift & 0xff);
  }
  void bytes(std::string_view raw) { out_ += raw; }
  void text(std::string_view value) {
    number(value.size(), 2);
    bytes(value);
  }
  const std::string& result() const { return out_; }

 private:
  std::string out_;
};

/// Reads what `Writer` wrote. Only ever sees what was sealed by us, so a short read is a mistake of ours: it is noted
/// and the token refused.
class Reader {
 public:
  explicit Reader(std::string_view from) : rest_(from) {}
  std::string_view bytes(std::size_t size) {
    if (size > rest_.size()) {
      short_ = true;
      rest_ = {};
      return {};
    }
    const auto taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  Uuid uuid() {
    std::array<std::uint8_t, 16> raw{};
    const auto from = bytes(raw.size());
    std::memcpy(raw.data(), from.data(), from.size());
    return Uuid(raw);
  }
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (const char c : bytes(size)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string text() { return std::string(bytes(number(2))); }
  bool whole() const { return !short_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool short_ = false;
};

}  // namespace

VisitorTokens::Minted VisitorTokens::mint(VisitorPass pass, std::optional<Timestamp> not_after) const {
  const Timestamp now = clock_->now();
  Timestamp expires = now + visitor_token_life;
  if (not_after) expires = std::min(expires, *not_after);
  // Cut to size, a name could be that of another group, whose documents the visitor would then read.
  std::erase_if(pass.groups, [](const std::string& group) { return group.size() > group_name_bytes_max; });
  if (pass.groups.size() > groups_held_max) pass.groups.resize(groups_held_max);

  Writer writer;
  writer.uuid(pass.visitor);
  writer.uuid(pass.tenant.uuid());
  writer.uuid(pass.project.uuid());
  writer.number((pass.scopes & ScopeSet::public_keys()).bits(), 8);
  writer.number(static_cast<std::uint64_t>(expires.micros), 8);
  const auto voucher = pass.vouched_by.value_or(VisitorPass::Voucher{});
  writer.uuid(voucher.key.uuid());
  writer.bytes(voucher.digest.view());
  writer.text(pass.origin);
  writer.number(pass.groups.size(), 1);
  for (const auto& group : pass.groups) writer.text(group);
  const auto identity = pass.identity.value_or(VerifiedIdentity());
  writer.uuid(identity.issuer.uuid());
  writer.text(identity.subject);
  writer.text(identity.email.value_or(std::string()));

  const std::string sealed = crypto::seal(key_, writer.result(), context, *random_);
  return {std::string(visitor_token_prefix) +
              text::to_base64url({reinterpret_cast<const std::uint8_t*>(sealed.data()), sealed.size()}),
          std::chrono::floor<std::chrono::seconds>(expires - now)};
}

Result<VisitorPass> VisitorTokens::read(std::string_view token) const {
  const auto refuse = [] { return fail(Code::unauthenticated, "the credential is not valid"); };
  if (!token.starts_with(visitor_token_prefix) || token.size() > token_characters_max) return refuse();
  token.remove_prefix(visitor_token_prefix.size());
  const auto raw = text::parse_base64url(token);
  if (!raw) return refuse();
  const auto opened = crypto::open(key_, {reinterpret_cast<const char*>(raw->data()), raw->size()}, context);
  if (!opened) return refuse();

  Reader reader(opened->reveal());
  VisitorPass pass;
  pass.visitor = reader.uuid();
  pass.tenant = TenantId(reader.uuid());
  pass.project = ProjectId(reader.uuid());
  pass.scopes = ScopeSet::from_bits(reader.number(8)) & ScopeSet::public_keys();
  pass.expires_at = Timestamp{static_cast<std::int64_t>(reader.number(8))};
  const VisitorPass::Voucher voucher{KeyId(reader.uuid()),
                                     crypto::Digest::from_bytes(reader.bytes(32)).value_or(crypto::Digest())};
  if (!voucher.key.uuid().is_nil()) pass.vouched_by = voucher;
  pass.origin = reader.text();
  const auto groups = reader.number(1);
  for (std::uint64_t i = 0; i < groups; ++i) pass.groups.push_back(reader.text());
  VerifiedIdentity identity{.issuer = IdentityIssuerId(reader.uuid()), .subject = reader.text(), .email = {}};
  if (auto email = reader.text(); !email.empty()) identity.email = std::move(email);
  if (!identity.issuer.uuid().is_nil()) pass.identity = std::move(identity);
  if (!reader.whole() || clock_->now() >= pass.expires_at) return refuse();
  return pass;
}

}  // namespace parley::identity
