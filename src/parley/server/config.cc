#include "parley/server/config.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <toml++/toml.h>

namespace parley::server {
namespace {

// A master key, a password, a connection string: none is longer, and a wrong path (a log, a device) must not be read
// in.
constexpr std::size_t secret_file_bytes_max = 64 * 1024;

std::unexpected<Error> bad(const toml::node& node, std::string_view key, std::string_view what) {
  return fail(Code::invalid_argument, "parley.toml cannot be used",
              fmt::format("line {}: {} {}", node.source().begin.line, key, what));
}

Result<admission::Rate> rate_of(const toml::node& node, std::string_view key) {
  const auto text = node.value_exact<std::string>();
  const auto rate = text ? kv::parse_rate(*text) : std::nullopt;
  if (!rate) return bad(node, key, "must be a rate such as \"15/min\"");
  return *rate;
}

Result<std::string> text_of(const toml::node& node, std::string_view key) {
  auto text = node.value_exact<std::string>();
  if (!text) return bad(node, key, "must be text");
  return *std::move(text);
}

Result<std::int64_t> number_of(const toml::node& node, std::string_view key, std::int64_t max) {
  const auto number = node.value_exact<std::int64_t>();
  if (!number || *number < 1 || *number > max) return bad(node, key, fmt::format("must be 1 to {}", max));
  return *number;
}

Result<Secret> secret_of(const toml::node& node, std::string_view key) {
  auto secret = resolve_secret(PARLEY_TRY(text_of(node, key)));
  if (!secret) return bad(node, key, "must be \"env:NAME\" or \"file:/path\", naming something that exists");
  return *std::move(secret);
}

Result<void> read_limits(const toml::table& table, admission::Limits& limits) {
  for (const auto& [key, node] : table) {
    const auto index = admission::Limits::find(key.str());
    if (!index) return bad(node, fmt::format("limits.{}", key.str()), "is not known");
    limits[*index] = PARLEY_TRY(rate_of(node, key.str()));
  }
  return {};
}

Result<void> read_admission(const toml::table& table, Config& config) {
  // More at once than a node has descriptors for would be no limit.
  constexpr std::int64_t chats_max = 100'000;
  for (const auto& [key, node] : table) {
    const auto name = fmt::format("admission.{}", key.str());
    const auto count = [&](std::size_t& to) -> Result<void> {
      to = static_cast<std::size_t>(PARLEY_TRY(number_of(node, name, chats_max)));
      return {};
    };
    if (key == "chats_at_once") {
      PARLEY_TRY(count(config.slots.running_max));
    } else if (key == "chats_at_once_per_organisation") {
      PARLEY_TRY(count(config.slots.running_per_organisation_max));
    } else if (key == "chats_waiting") {
      PARLEY_TRY(count(config.slots.waiting_max));
    } else if (key == "chat_wait") {
      const auto wait = parse_duration(PARLEY_TRY(text_of(node, name)));
      if (!wait || *wait > std::chrono::minutes(1)) return bad(node, name, "must be up to 60s");
      config.slots.wait_max = std::chrono::ceil<std::chrono::milliseconds>(*wait);
    } else {
      bool found = false;
      for (const auto payer : admission::all_payers) {
        for (const auto period : admission::all_periods) {
          if (key.str() != admission::budget_name(payer, period).view()) continue;
          const auto money = admission::parse_money(PARLEY_TRY(text_of(node, name)));
          if (!money) return bad(node, name, "must be an amount such as \"12.50\"");
          config.budgets.of(payer, period) = *money;
          found = true;
        }
      }
      if (!found) return bad(node, name, "is not known");
    }
  }
  auto& slots = config.slots;
  // Three quarters unless said otherwise, so that no organisation takes every place.
  if (!table.contains("chats_at_once_per_organisation"))
    slots.running_per_organisation_max = std::max<std::size_t>(1, slots.running_max * 3 / 4);
  slots.running_per_organisation_max = std::min(slots.running_per_organisation_max, slots.running_max);
  return {};
}

Result<void> read_proxies(const toml::table& table, admission::Proxies& proxies) {
  // Each is compared with each hop of each request.
  constexpr std::size_t ranges_max = 64;
  for (const auto& [key, node] : table) {
    if (key == "trusted") {
      const auto* list = node.as_array();
      if (!list || list->size() > ranges_max) return bad(node, "proxies.trusted", "must be a list of up to 64 ranges");
      for (const auto& entry : *list) {
        const auto range = net::parse_network_range(PARLEY_TRY(text_of(entry, "proxies.trusted")));
        if (!range) return bad(entry, "proxies.trusted", range.error().reason().view());
        proxies.trusted.push_back(*range);
      }
    } else if (key == "header") {
      const auto header = PARLEY_TRY(text_of(node, "proxies.header"));
      if (header == "x-forwarded-for") proxies.header = admission::ForwardedHeader::x_forwarded_for;
      else if (header == "forwarded") proxies.header = admission::ForwardedHeader::forwarded;
      else return bad(node, "proxies.header", "must be \"x-forwarded-for\" or \"forwarded\"");
    } else {
      return bad(node, fmt::format("proxies.{}", key.str()), "is not known");
    }
  }
  return {};
}

Result<void> read_redis(const toml::table& table, Config& config) {
  Config::Redis redis;
  bool named = false;
  std::string user;
  Secret password;
  for (const auto& [key, node] : table) {
    if (key == "url") {
      const auto address = kv::parse_redis_url(PARLEY_TRY(text_of(node, "redis.url")));
      if (!address) return bad(node, "redis.url", "must be redis://HOST:PORT, with /NUMBER, or unix:/PATH");
      redis.address = *address;
      named = true;
    } else if (key == "user") {
      user = PARLEY_TRY(text_of(node, "redis.user"));
    } else if (key == "password") {
      password = PARLEY_TRY(secret_of(node, "redis.password"));
    } else if (key == "prefix") {
      redis.prefix = PARLEY_TRY(text_of(node, "redis.prefix"));
      const bool plain = std::ranges::all_of(redis.prefix, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
      });
      if (redis.prefix.empty() || redis.prefix.size() > 64 || !plain)
        return bad(node, "redis.prefix", "must be 1 to 64 of a-z, 0-9, - and _");
    } else {
      return bad(node, fmt::format("redis.{}", key.str()), "is not known");
    }
  }
  if (!named) return bad(table, "redis.url", "is missing");
  redis.address.user = std::move(user);
  redis.address.password = std::move(password);
  config.redis = std::move(redis);
  return {};
}

Result<void> read_mail(const toml::table& table, Config& config) {
  std::optional<std::string> url;
  std::optional<notify::MailAddress> from;
  auto plain = notify::PlainText::refuse;
  std::string user;
  Secret password;
  std::filesystem::path ca_file;
  for (const auto& [key, node] : table) {
    const auto name = fmt::format("mail.{}", key.str());
    if (key == "url") {
      url = PARLEY_TRY(text_of(node, name));
    } else if (key == "from") {
      auto address = notify::parse_mail_address(PARLEY_TRY(text_of(node, name)));
      if (!address) return bad(node, name, "must be a mail address such as \"parley@example.com\"");
      from = *std::move(address);
    } else if (key == "user") {
      user = PARLEY_TRY(text_of(node, name));
    } else if (key == "password") {
      password = PARLEY_TRY(secret_of(node, name));
    } else if (key == "ca_file") {
      ca_file = PARLEY_TRY(text_of(node, name));
    } else if (key == "tls") {
      const auto tls = PARLEY_TRY(text_of(node, name));
      if (tls == "none") plain = notify::PlainText::on_loopback;
      else if (tls != "required") return bad(node, name, "must be \"required\" or \"none\"");
    } else {
      return bad(node, name, "is not known");
    }
  }
  if (!url || !from) return bad(table, "mail", "needs url and from");
  auto server = notify::parse_smtp_url(*url, plain);
  if (!server) return bad(table, "mail.url", server.error().reason().view());
  if (user.empty() != password.empty()) return bad(table, "mail", "needs both user and password, or neither");
  if (plain == notify::PlainText::on_loopback && !user.empty())
    return bad(table, "mail", "a password is not sent without TLS");
  config.mail = notify::SmtpOptions{.server = *std::move(server),
                                    .from = *std::move(from),
                                    .user = std::move(user),
                                    .password = std::move(password),
                                    .ca_file = std::move(ca_file)};
  return {};
}

Result<void> read_egress(const toml::table& table, Config& config) {
  // Each is compared with each address that is connected to.
  constexpr std::size_t places_max = 64;
  for (const auto& [purpose, node] : table) {
    const auto section = fmt::format("egress.{}", purpose.str());
    const auto* entries = node.as_table();
    auto* egress = purpose == "sign_in"   ? &config.egress_sign_in
                   : purpose == "issuers" ? &config.egress_issuers
                                          : nullptr;
    if (!entries || !egress) return bad(node, section, "is not known");
    for (const auto& [key, entry] : *entries) {
      const auto name = fmt::format("{}.{}", section, key.str());
      if (key == "ca_file") {
        egress->ca_file = PARLEY_TRY(text_of(entry, name));
      } else if (key == "allow") {
        const auto* list = entry.as_array();
        if (!list || list->size() > places_max) return bad(entry, name, "must be a list of up to 64 places");
        std::vector<std::string> places;
        for (const auto& place : *list) places.push_back(PARLEY_TRY(text_of(place, name)));
        auto policy = net::EgressPolicy::parse(places);
        if (!policy) return bad(entry, name, describe_for_operator(policy.error()));
        egress->policy = *std::move(policy);
      } else {
        return bad(entry, name, "is not known");
      }
    }
  }
  return {};
}

Result<void> read_server(const toml::table& table, Config& config) {
  for (const auto& [key, node] : table) {
    if (key == "listen") {
      config.listen = PARLEY_TRY(text_of(node, "server.listen"));
      if (!parse_listen(config.listen)) return bad(node, "server.listen", "must be ADDRESS:PORT");
    } else if (key == "public_url") {
      auto own = identity::OwnAddress::parse(PARLEY_TRY(text_of(node, "server.public_url")));
      if (!own) return bad(node, "server.public_url", "must look like https://chat.example.org");
      config.own_address = *std::move(own);
    } else if (key == "threads") {
      const auto count = node.value_exact<std::int64_t>();
      if (!count || *count < 1 || *count > 256) return bad(node, "server.threads", "must be 1 to 256");
      config.threads = static_cast<std::size_t>(*count);
    } else if (key == "tls_cert") {
      config.tls_cert = PARLEY_TRY(text_of(node, "server.tls_cert"));
    } else if (key == "tls_key") {
      config.tls_key = PARLEY_TRY(text_of(node, "server.tls_key"));
    } else if (key == "stop_grace") {
      const auto grace = parse_duration(PARLEY_TRY(text_of(node, "server.stop_grace")));
      if (!grace || *grace > std::chrono::minutes(10)) return bad(node, "server.stop_grace", "must be up to 10m");
      config.stop_grace = std::chrono::ceil<std::chrono::seconds>(*grace);
    } else {
      return bad(node, fmt::format("server.{}", key.str()), "is not known");
    }
  }
  return {};
}

Result<void> read_database(const toml::table& table, Config& config) {
  for (const auto& [key, node] : table) {
    if (key != "url") return bad(node, fmt::format("database.{}", key.str()), "is not known");
    config.database_url = PARLEY_TRY(secret_of(node, "database.url"));
  }
  return {};
}

}  // namespace

Result<Config> load_config(const std::filesystem::path& file) {
  Config config;
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return config;
  toml::table table;
  try {
    table = toml::parse_file(file.string());
  } catch (const toml::parse_error& e) {
    return fail(Code::invalid_argument, "parley.toml cannot be read",
                fmt::format("line {}: {}", e.source().begin.line, e.description()));
  }
  for (const auto& [key, node] : table) {
    const auto* section = node.as_table();
    if (!section) return bad(node, key.str(), "is not known");
    if (key == "server") PARLEY_TRY(read_server(*section, config));
    else if (key == "limits") PARLEY_TRY(read_limits(*section, config.limits));
    else if (key == "admission") PARLEY_TRY(read_admission(*section, config));
    else if (key == "proxies") PARLEY_TRY(read_proxies(*section, config.proxies));
    else if (key == "redis") PARLEY_TRY(read_redis(*section, config));
    else if (key == "mail") PARLEY_TRY(read_mail(*section, config));
    else if (key == "egress") PARLEY_TRY(read_egress(*section, config));
    else if (key == "database") PARLEY_TRY(read_database(*section, config));
    else return bad(node, fmt::format("[{}]", key.str()), "is not known to this version");
  }
  if (config.tls_cert.empty() != config.tls_key.empty())
    return fail(Code::invalid_argument, "tls_cert and tls_key go together");
  return config;
}

Result<Listen> parse_listen(std::string_view text) {
  const auto refuse = [] { return fail(Code::invalid_argument, "the listen address must be ADDRESS:PORT"); };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse();
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string_view::npos) return refuse();  // an IPv6 address needs its brackets
  boost::system::error_code error;
  (void)boost::asio::ip::make_address(std::string(host), error);
  unsigned port = 0;
  const auto [end, status] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error || status != std::errc() || end != port_text.data() + port_text.size() || port > 65535) return refuse();
  return Listen{std::string(host), static_cast<std::uint16_t>(port)};
}

Result<Secret> resolve_secret(std::string_view reference) {
  if (reference.starts_with("env:")) {
    const char* value = std::getenv(std::string(reference.substr(4)).c_str());
    if (!value || !*value) return fail(Code::not_found, "the environment has no such variable");
    return Secret(value);
  }
  if (reference.starts_with("file:")) {
    std::ifstream file(std::filesystem::path(reference.substr(5)), std::ios::binary);
    if (!file) return fail(Code::not_found, "the secret's file cannot be read");
    std::string value(secret_file_bytes_max + 1, '\0');
    file.read(value.data(), static_cast<std::streamsize>(value.size()));
    value.resize(static_cast<std::size_t>(file.gcount()));
    if (value.size() > secret_file_bytes_max) return fail(Code::too_large, "the secret's file is too large");
    while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.pop_back();
    if (value.empty()) return fail(Code::not_found, "the secret's file is empty");
    return Secret(std::move(value));
  }
  return fail(Code::invalid_argument, "a secret is given by reference: env:NAME or file:/path");
}

}  // namespace parley::server
