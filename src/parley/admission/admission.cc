#include "parley/admission/admission.h"

#include <expected>
#include <span>

namespace parley::admission {
namespace {

// FNV-1a over the keyed input, finished by a 64-bit mixer: spreads well, and cannot be aimed at without the key.
std::uint64_t mix(std::uint64_t h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdULL;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ULL;
  h ^= h >> 33;
  return h;
}

std::uint64_t hash(std::uint64_t seed, std::string_view text) {
  std::uint64_t h = seed ^ 0xcbf29ce484222325ULL;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return mix(h ^ seed);
}

// One customer's addresses: a whole IPv4 address, or the /64 an IPv6 one is in.
std::string_view network_of(const boost::asio::ip::address& address, std::array<char, 16>& buffer) {
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    std::memcpy(buffer.data(), bytes.data(), bytes.size());
    return {buffer.data(), bytes.size()};
  }
  const auto v6 = address.to_v6();
  if (v6.is_v4_mapped()) return network_of(boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, v6), buffer);
  const auto bytes = v6.to_bytes();
  std::memcpy(buffer.data(), bytes.data(), 8);
  return {buffer.data(), 8};
}

std::string_view bytes_of(const Uuid& uuid) {
  return {reinterpret_cast<const char*>(uuid.bytes().data()), uuid.bytes().size()};
}

}  // namespace

Gcra::Key Admission::key(Literal limit, std::string_view subject) const {
  return hash(hash(hash_key_, limit.view()), subject);
}

std::optional<Refused> Admission::take_all(std::span<const Count> counts) {
  const Timestamp now = clock_->now();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto wait = gcra_.take(counts[i].key, counts[i].rate, now);
    if (!wait) continue;
    // A refused request must not use up the counts it passed, or a full one would drain all others.
    for (std::size_t k = 0; k < i; ++k) gcra_.give_back(counts[k].key, counts[k].rate);
    return Refused{counts[i].limit, std::chrono::ceil<std::chrono::seconds>(*wait)};
  }
  return std::nullopt;
}

std::expected<AddressAdmitted, Refused> Admission::admit_address(const boost::asio::ip::address& client) {
  std::array<char, 16> buffer{};
  const std::array counts{Count{"request_per_address", key("request_per_address", network_of(client, buffer)),
                                limits_.request_per_address}};
  if (auto refused = take_all(counts)) return std::unexpected(*refused);
  return AddressAdmitted(client);
}

std::expected<Admitted, Refused> Admission::admit(const AddressAdmitted& from, const Authenticated& caller, Cost cost) {
  const Principal& who = caller.who();
  std::array<char, 16> buffer{};
  const std::string_view network = network_of(from.client(), buffer);
  std::vector<Count> counts;
  switch (cost) {
    case Cost::read: break;  // counted by address alone
    case Cost::mint_visitor:
      counts.push_back({"visitor_per_address", key("visitor_per_address", network), limits_.visitor_per_address});
      break;
    case Cost::chat:
      if (who.kind == PrincipalKind::secret_key) {
        counts.push_back(
            {"chat_per_secret_key", key("chat_per_secret_key", bytes_of(who.id)), limits_.chat_per_secret_key});
      } else {
        if (who.kind == PrincipalKind::visitor)
          counts.push_back({"chat_per_visitor", key("chat_per_visitor", bytes_of(who.id)), limits_.chat_per_visitor});
        counts.push_back({"chat_per_address", key("chat_per_address", network), limits_.chat_per_address});
      }
      if (who.tenant)
        counts.push_back({"chat_per_organisation", key("chat_per_organisation", bytes_of(who.tenant->uuid())),
                          limits_.chat_per_organisation});
      break;
  }
  if (auto refused = take_all(counts)) return std::unexpected(*refused);
  return Admitted(who);
}

std::optional<Refused> Admission::admit_chat(const ChatId& chat, const Principal& who) {
  const std::string subject = std::string(bytes_of(chat.uuid())) + std::string(bytes_of(who.id));
  const std::array counts{Count{"chat_per_chat", key("chat_per_chat", subject), limits_.chat_per_chat}};
  return take_all(counts);
}

}  // namespace parley::admission
