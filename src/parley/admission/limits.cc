#include "parley/admission/limits.h"

#include <algorithm>
#include <utility>

namespace parley::admission {
namespace {

constexpr Rate per_minute(std::uint32_t count) { return {count, std::chrono::minutes(1)}; }

// Read a kind of work downwards: one person, then what persons share, then what all share. Each wider line is below
// the sum of the narrower ones it may hold, so that making more of the narrow (visitors, addresses, keys) gains
// nothing.
constexpr std::array<Limit, limits_count> table{{
    {"request_per_address", Work::request, Subject::address, per_minute(6'000),
     "far above what pages and servers do, below what a flood does"},

    {"read_per_visitor", Work::read, Subject::visitor, per_minute(300), "a page that polls each second, five times"},
    {"read_per_user", Work::read, Subject::user, per_minute(600), "a dashboard that loads ten things a click"},
    {"read_per_address", Work::read, Subject::address, per_minute(3'000), "an office of dashboards"},
    {"read_per_public_key", Work::read, Subject::public_key, per_minute(12'000), "a busy site's page views"},
    {"read_per_secret_key", Work::read, Subject::secret_key, per_minute(6'000), "a server that mirrors everything"},
    {"read_per_project", Work::read, Subject::project, per_minute(12'000), "a busy site's page views"},
    {"read_per_organisation", Work::read, Subject::organisation, per_minute(30'000), "several such servers and sites"},

    {"search_per_visitor", Work::search, Subject::visitor, per_minute(60), "one search each second while typing"},
    {"search_per_user", Work::search, Subject::user, per_minute(120), "the same, by somebody who tries out an index"},
    {"search_per_address", Work::search, Subject::address, per_minute(600), "a dozen people typing at once"},
    {"search_per_public_key", Work::search, Subject::public_key, per_minute(3'000), "fifty people typing at once"},
    {"search_per_secret_key", Work::search, Subject::secret_key, per_minute(3'000), "a server that searches for many"},
    {"search_per_project", Work::search, Subject::project, per_minute(6'000), "a tenth of what two cores can search"},
    {"search_per_organisation", Work::search, Subject::organisation, per_minute(12'000),
     "a fifth of what two cores can search"},

    {"chat_per_visitor", Work::chat, Subject::visitor, per_minute(15),
     "a person reads an answer before asking again; more than anyone types"},
    {"chat_per_user", Work::chat, Subject::user, per_minute(15), "the same person, signed in"},
    {"chat_per_chat", Work::chat, Subject::chat, per_minute(15), "one conversation has one person's pace"},
    {"chat_per_address", Work::chat, Subject::address, per_minute(100),
     "an office behind one address: some dozen people at once"},
    {"chat_per_public_key", Work::chat, Subject::public_key, per_minute(1'000), "a site's readers together"},
    {"chat_per_secret_key", Work::chat, Subject::secret_key, per_minute(600), "a server that speaks for many people"},
    {"chat_per_project", Work::chat, Subject::project, per_minute(1'500),
     "half of the organisation's: a flooded page leaves room for its other projects and for its servers"},
    {"chat_per_organisation", Work::chat, Subject::organisation, per_minute(3'000), "five busy servers"},

    {"expensive_per_visitor", Work::expensive_model, Subject::visitor, per_minute(5),
     "a third of a person's questions"},
    {"expensive_per_user", Work::expensive_model, Subject::user, per_minute(10), "somebody who compares models"},
    {"expensive_per_address", Work::expensive_model, Subject::address, per_minute(20), "a fifth of chat"},
    {"expensive_per_public_key", Work::expensive_model, Subject::public_key, per_minute(100), "a tenth of chat"},
    {"expensive_per_secret_key", Work::expensive_model, Subject::secret_key, per_minute(120), "a fifth of chat"},
    {"expensive_per_project", Work::expensive_model, Subject::project, per_minute(150), "a tenth of chat"},
    {"expensive_per_organisation", Work::expensive_model, Subject::organisation, per_minute(300), "a tenth of chat"},

    {"tool_per_visitor", Work::tool, Subject::visitor, per_minute(10), "fewer than questions: most need no tool"},
    {"tool_per_user", Work::tool, Subject::user, per_minute(10), "the same"},
    {"tool_per_address", Work::tool, Subject::address, per_minute(50), "half of chat"},
    {"tool_per_public_key", Work::tool, Subject::public_key, per_minute(300), "less than half of chat"},
    {"tool_per_secret_key", Work::tool, Subject::secret_key, per_minute(300), "half of chat"},
    {"tool_per_project", Work::tool, Subject::project, per_minute(500), "a third of chat"},
    {"tool_per_organisation", Work::tool, Subject::organisation, per_minute(1'000), "a third of chat"},

    {"upload_per_visitor", Work::upload, Subject::visitor, per_minute(5), "a file or two beside a question"},
    {"upload_per_user", Work::upload, Subject::user, per_minute(60), "somebody who drags a folder into a page"},
    {"upload_per_address", Work::upload, Subject::address, per_minute(60), "the same"},
    {"upload_per_secret_key", Work::upload, Subject::secret_key, per_minute(600),
     "a publishing job, ten pages a second"},
    {"upload_per_organisation", Work::upload, Subject::organisation, per_minute(1'200), "two such jobs"},

    {"webhook_per_address", Work::webhook, Subject::address, per_minute(300), "a code host tells of every push"},
    {"webhook_per_secret_key", Work::webhook, Subject::secret_key, per_minute(300), "the same, with a key"},
    {"webhook_per_project", Work::webhook, Subject::project, per_minute(60),
     "each may start a synchronisation, and those are batched anyway"},
    {"webhook_per_organisation", Work::webhook, Subject::organisation, per_minute(300), "several such projects"},

    {"log_in_per_account", Work::log_in, Subject::account, per_minute(5), "nobody mistypes more often"},
    {"log_in_per_address", Work::log_in, Subject::address, per_minute(20), "an office in the morning"},

    {"visitor_per_address", Work::mint_visitor, Subject::address, per_minute(60),
     "an office behind one address; minting is what would reset a visitor's own limits"},
    {"visitor_per_public_key", Work::mint_visitor, Subject::public_key, per_minute(1'200),
     "a busy site, twenty a second"},
    {"visitor_per_secret_key", Work::mint_visitor, Subject::secret_key, per_minute(600), "a server that greets people"},
    {"visitor_per_project", Work::mint_visitor, Subject::project, per_minute(1'500), "one busy site and a little more"},
    {"visitor_per_organisation", Work::mint_visitor, Subject::organisation, per_minute(3'000), "two busy sites"},
}};

constexpr bool ordered_by_work() {
  return std::ranges::is_sorted(table, {}, [](const Limit& limit) { return limit.work; });
}
static_assert(ordered_by_work());

}  // namespace

std::span<const Limit> all_limits() { return table; }

std::span<const Limit> limits_of(Work work) {
  const auto lines = std::ranges::equal_range(table, work, {}, &Limit::work);
  return {lines.begin(), lines.end()};
}

Work work_of(Cost cost) {
  switch (cost) {
    case Cost::read: return Work::read;
    case Cost::chat: return Work::chat;
    case Cost::mint_visitor: return Work::mint_visitor;
  }
  std::unreachable();
}

Limits::Limits() {
  for (std::size_t i = 0; i < limits_count; ++i) rates_[i] = table[i].rate;
}

std::optional<std::size_t> Limits::find(std::string_view name) {
  const auto line = std::ranges::find(table, name, [](const Limit& limit) { return limit.name.view(); });
  if (line == table.end()) return std::nullopt;
  return static_cast<std::size_t>(line - table.begin());
}

}  // namespace parley::admission
