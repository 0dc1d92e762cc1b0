#include "parley/admission/admission.h"

#include <cstring>
#include <string_view>

#include "parley/log/log.h"

namespace parley::admission {
namespace {

/// One customer's addresses: a whole IPv4 address, or the /64 an IPv6 one is in.
class Network {
 public:
  explicit Network(const boost::asio::ip::address& address) {
    const auto plain = net::unmapped(address);
    if (plain.is_v4()) {
      const auto bytes = plain.to_v4().to_bytes();
      std::memcpy(bytes_.data(), bytes.data(), size_ = bytes.size());
    } else {
      const auto bytes = plain.to_v6().to_bytes();
      std::memcpy(bytes_.data(), bytes.data(), size_ = 8);
    }
  }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, 8> bytes_{};
  std::size_t size_ = 0;
};

std::string_view bytes_of(const Uuid& uuid) {
  return {reinterpret_cast<const char*>(uuid.bytes().data()), uuid.bytes().size()};
}

/// What stands for "nobody": no subject is empty.
constexpr std::string_view nobody;

/// The caller's part of a subject, as far as the credential says.
std::string_view caller_as(Subject subject, const Principal& who, std::string_view network, Work work) {
  const bool server = who.kind == PrincipalKind::secret_key;
  switch (subject) {
    // A server speaks for people elsewhere, so its address says nothing of them. A webhook's address does.
    case Subject::address: return server && work != Work::webhook ? nobody : network;
    case Subject::visitor: return who.kind == PrincipalKind::visitor ? bytes_of(who.id) : nobody;
    case Subject::user:
      // Whoever is not one of these is a person with an account.
      return who.kind == PrincipalKind::anonymous || who.kind == PrincipalKind::visitor ||
                     who.kind == PrincipalKind::public_key || server
                 ? nobody
                 : bytes_of(who.id);
    case Subject::secret_key: return server ? bytes_of(who.id) : nobody;
    case Subject::public_key:
      if (who.kind == PrincipalKind::public_key) return bytes_of(who.id);
      return who.kind == PrincipalKind::visitor && who.vouched_by ? bytes_of(who.vouched_by->uuid()) : nobody;
    case Subject::project: return !server && who.project ? bytes_of(who.project->uuid()) : nobody;
    case Subject::organisation: return who.tenant ? bytes_of(who.tenant->uuid()) : nobody;
    case Subject::chat:
    case Subject::account: return nobody;
  }
  std::unreachable();
}

}  // namespace

/// The counts a request takes from, with the lines they belong to.
struct Admission::Nest {
  kv::Counts counts;
  std::array<const Limit*, kv::counts_max> lines{};

  void add(const Limit& limit, kv::Count count) {
    lines[counts.size()] = &limit;
    counts.push_back(count);
  }
  Refused refused(const kv::Exceeded& exceeded) const {
    return {lines[exceeded.which]->name, std::chrono::ceil<std::chrono::seconds>(exceeded.wait)};
  }
};

Admission::Admission(Limits limits, const Clock& clock, HashKey hash_key, kv::Store* shared, Proxies proxies)
    : limits_(limits), own_(clock), hash_key_(hash_key), shared_(shared), proxies_(std::move(proxies)) {
  // Of the name, not of its place in the table: nodes of two versions may share counts for a while.
  for (std::size_t i = 0; i < limits_count; ++i) names_[i] = keyed_hash(hash_key_, all_limits()[i].name.view());
}

kv::Count Admission::count(const Limit& limit, std::string_view subject) const {
  const auto index = static_cast<std::size_t>(&limit - all_limits().data());
  const HashKey own{hash_key_.first ^ names_[index], hash_key_.second};
  return {keyed_hash(own, subject), limits_[index]};
}

asio::awaitable<std::optional<Refused>> Admission::take(Nest nest) {
  if (nest.counts.empty()) co_return std::nullopt;
  if (const auto exceeded = own_.take_now(nest.counts)) co_return nest.refused(*exceeded);
  if (!shared_) co_return std::nullopt;

  auto taken = co_await shared_->take(nest.counts);
  if (!taken) {
    if (!alone_.exchange(true)) {
      log::write(
          log::Level::warning, "limits_counted_alone",
          {{"reason", taken.error().reason()}, log::Field::operator_text("detail", taken.error().operator_detail())});
    }
    co_return std::nullopt;
  }
  if (alone_.exchange(false)) log::write(log::Level::info, "limits_shared_again", {});
  if (!*taken) co_return std::nullopt;
  own_.give_back(nest.counts);
  co_return nest.refused(**taken);
}

std::expected<AddressAdmitted, Refused> Admission::admit_address(const boost::asio::ip::address& client) {
  const Network network(client);
  Nest nest;
  for (const Limit& limit : limits_of(Work::request)) nest.add(limit, count(limit, network.view()));
  if (const auto exceeded = own_.take_now(nest.counts)) return std::unexpected(nest.refused(*exceeded));
  return AddressAdmitted(client);
}

asio::awaitable<std::expected<Admitted, Refused>> Admission::admit(AddressAdmitted from, Authenticated caller,
                                                                   Work work) {
  const Principal& who = caller.who();
  const Network network(from.client());
  Nest nest;
  for (const Limit& limit : limits_of(work)) {
    const auto subject = caller_as(limit.subject, who, network.view(), work);
    if (!subject.empty()) nest.add(limit, count(limit, subject));
  }
  if (const auto refused = co_await take(nest)) co_return std::unexpected(*refused);
  co_return Admitted(who);
}

asio::awaitable<std::optional<Refused>> Admission::admit_target(Work work, Principal who, Target target) {
  Nest nest;
  const bool server = who.kind == PrincipalKind::secret_key;
  for (const Limit& limit : limits_of(work)) {
    if (limit.subject == Subject::project && !server && !who.project)
      nest.add(limit, count(limit, bytes_of(target.project.uuid())));
    if (limit.subject == Subject::organisation && !who.tenant)
      nest.add(limit, count(limit, bytes_of(target.tenant.uuid())));
    if (limit.subject == Subject::chat && target.chat) {
      std::string subject(bytes_of(target.chat->uuid()));
      subject += bytes_of(who.id);
      nest.add(limit, count(limit, subject));
    }
  }
  co_return co_await take(nest);
}

asio::awaitable<std::optional<Refused>> Admission::admit_log_in(AddressAdmitted from, std::string account) {
  for (char& c : account)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const Network network(from.client());
  Nest nest;
  for (const Limit& limit : limits_of(Work::log_in)) {
    if (limit.subject == Subject::account && account.empty()) continue;
    nest.add(limit, count(limit, limit.subject == Subject::account ? std::string_view(account) : network.view()));
  }
  co_return co_await take(nest);
}

}  // namespace parley::admission
