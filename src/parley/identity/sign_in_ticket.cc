#include "parley/identity/sign_in_ticket.h"

#include "parley/crypto/hash.h"
#include "parley/text/base64.h"

namespace parley::identity {

using namespace db::literals;

namespace {

constexpr std::size_t expiry_bytes = 8;
// A clock that is set back by less does not make a presented ticket fresh again.
constexpr std::chrono::microseconds kept_after_expiry = std::chrono::hours(1);

crypto::SealContext context_of(TicketPurpose purpose, std::string_view binding) {
  const auto begun = [&] {
    switch (purpose) {
      case TicketPurpose::passkey_registration: return crypto::SealContext("ticket.passkey_registration");
      case TicketPurpose::passkey_sign_in: return crypto::SealContext("ticket.passkey_sign_in");
      case TicketPurpose::passkey_factor: return crypto::SealContext("ticket.passkey_factor");
      case TicketPurpose::provider_sign_in: return crypto::SealContext("ticket.provider_sign_in");
    }
    std::unreachable();
  };
  return begun().with(binding);
}

std::unexpected<Error> refuse(std::string why) {
  return fail(Code::unauthenticated, "the sign-in was not begun here, or is over; begin again", std::move(why));
}

}  // namespace

SignInTickets::SignInTickets(crypto::SealKey key, db::ControlSession control, const Clock& clock,
                             crypto::Random& random)
    : key_(std::move(key)), control_(std::move(control)), clock_(clock), random_(random) {}

std::string SignInTickets::make(TicketPurpose purpose, std::string_view binding, const Secret& content,
                                std::chrono::microseconds life) const {
  std::string plain;
  plain.reserve(expiry_bytes + content.reveal().size());
  const auto expires = static_cast<std::uint64_t>((clock_.now() + life).micros);
  for (int shift = 56; shift >= 0; shift -= 8) plain += static_cast<char>(expires >> shift & 0xff);
  plain += content.reveal();
  const Secret wiped(std::move(plain));
  const auto sealed = crypto::seal(key_, wiped.reveal(), context_of(purpose, binding), random_);
  return text::to_base64url({reinterpret_cast<const std::uint8_t*>(sealed.data()), sealed.size()});
}

Async<Secret> SignInTickets::take(TicketPurpose purpose, std::string binding, std::string ticket) const {
  if (ticket.size() > ticket_bytes_max) co_return refuse("too long");
  const auto bytes = text::parse_base64url(ticket);
  if (!bytes) co_return refuse("not base64url");
  const std::string_view sealed(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  const auto opened = crypto::open(key_, sealed, context_of(purpose, binding));
  if (!opened) co_return refuse("does not open for this purpose and binding");
  const auto plain = opened->reveal();
  if (plain.size() < expiry_bytes) co_return refuse("too short");
  std::uint64_t micros = 0;
  for (const char c : plain.substr(0, expiry_bytes)) micros = micros << 8 | static_cast<unsigned char>(c);
  const Timestamp expires{static_cast<std::int64_t>(micros)};
  const auto now = clock_.now();
  if (now >= expires) co_return refuse("expired");

  // Before anything is made of the content: a ticket is spent by an attempt, not by a success.
  const auto digest = crypto::sha256(sealed);
  auto work = [&](db::ControlWriter& writer) -> Result<std::int64_t> {
    PARLEY_TRY(writer.run("DELETE FROM spent_tickets WHERE expires_at < $1"_sql, now - kept_after_expiry));
    return writer.run(
        "INSERT INTO spent_tickets (digest, expires_at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING"_sql,
        db::Blob{digest.view()}, expires);
  };
  if (PARLEY_CO_TRY(co_await control_.write(std::move(work))) == 0) co_return refuse("presented before");
  co_return Secret(std::string(plain.substr(expiry_bytes)));
}

}  // namespace parley::identity
