#include "parley/identity/visitor_token.h"

#include <array>
#include <cstring>

#include "parley/crypto/hash.h"
#include "parley/text/base64.h"

namespace parley::identity {
namespace {

// version 1 | visitor 16 | tenant 16 | project 16 | scopes 8 | expires at, micros 8 | HMAC-SHA-256 32; numbers
// big-endian
constexpr std::size_t payload_bytes = 1 + 16 + 16 + 16 + 8 + 8;
constexpr std::size_t token_bytes = payload_bytes + 32;
constexpr char version = 1;

std::string_view bytes_of(const Uuid& uuid) {
  return {reinterpret_cast<const char*>(uuid.bytes().data()), uuid.bytes().size()};
}

Uuid uuid_at(std::string_view bytes, std::size_t offset) {
  std::array<std::uint8_t, 16> out{};
  std::memcpy(out.data(), bytes.data() + offset, out.size());
  return Uuid(out);
}

void append(std::string& to, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) to += static_cast<char>(number >> shift & 0xff);
}

std::uint64_t number_at(std::string_view bytes, std::size_t offset) {
  std::uint64_t number = 0;
  for (const char c : bytes.substr(offset, 8)) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

}  // namespace

VisitorTokens::Minted VisitorTokens::mint(const ProjectRef& project, ScopeSet scopes) const {
  const Uuid visitor = crypto::random_uuid(*random_);
  const Timestamp expires = clock_->now() + visitor_token_life;
  std::string payload;
  payload.reserve(token_bytes);
  payload += version;
  payload += bytes_of(visitor);
  payload += bytes_of(project.tenant.uuid());
  payload += bytes_of(project.project.uuid());
  append(payload, (scopes & ScopeSet::public_keys()).bits());
  append(payload, static_cast<std::uint64_t>(expires.micros));
  payload += crypto::hmac_sha256(key_.secret(), payload).view();
  return {std::string(visitor_token_prefix) +
              text::to_base64url({reinterpret_cast<const std::uint8_t*>(payload.data()), payload.size()}),
          visitor, visitor_token_life};
}

Result<Principal> VisitorTokens::verify(std::string_view token) const {
  const auto refuse = [] { return fail(Code::unauthenticated, "the credential is not valid"); };
  if (!token.starts_with(visitor_token_prefix)) return refuse();
  token.remove_prefix(visitor_token_prefix.size());
  // Before decoding: a token has one length, so nothing longer is worth the work.
  if (token.size() > 2 * token_bytes) return refuse();
  const auto raw = text::parse_base64url(token);
  if (!raw || raw->size() != token_bytes || raw->front() != version) return refuse();
  const std::string_view bytes(reinterpret_cast<const char*>(raw->data()), raw->size());
  const auto mac = crypto::hmac_sha256(key_.secret(), bytes.substr(0, payload_bytes));
  if (!crypto::equal_constant_time(mac.view(), bytes.substr(payload_bytes))) return refuse();
  if (clock_->now().micros >= static_cast<std::int64_t>(number_at(bytes, 57))) return refuse();
  return Principal{.kind = PrincipalKind::visitor,
                   .id = uuid_at(bytes, 1),
                   .tenant = TenantId(uuid_at(bytes, 17)),
                   .project = ProjectId(uuid_at(bytes, 33)),
                   .scopes = ScopeSet::from_bits(number_at(bytes, 49))};
}

}  // namespace parley::identity
