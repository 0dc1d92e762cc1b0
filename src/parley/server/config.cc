#include "parley/server/config.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "parley/secrets/local.h"

namespace parley::server {
namespace {

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

Result<secrets::Reference> reference_of(const toml::node& node, std::string_view key) {
  auto reference = secrets::parse_reference(PARLEY_TRY(text_of(node, key)));
  // What stands there is not repeated: it may be the secret itself.
  if (!reference) return bad(node, key, fmt::format("is refused: {}", reference.error().reason().view()));
  return *std::move(reference);
}

Result<net::HttpUrl> url_of(const toml::node& node, std::string_view key) {
  auto url = net::parse_http_url(PARLEY_TRY(text_of(node, key)));
  if (!url) return bad(node, key, url.error().reason().view());
  return *std::move(url);
}

Result<std::chrono::milliseconds> timeout_of(const toml::node& node, std::string_view key) {
  // Well below what a reservation of money stands for.
  constexpr std::chrono::minutes timeout_max{10};
  const auto time = parse_duration(PARLEY_TRY(text_of(node, key)));
  if (!time || *time > timeout_max) return bad(node, key, "must be a time such as \"30s\", up to 10m");
  return std::chrono::ceil<std::chrono::milliseconds>(*time);
}

Result<llm::Micros> price_of(const toml::node& node, std::string_view key) {
  const auto text = PARLEY_TRY(text_of(node, key));
  if (text == "0") return 0;
  const auto price = admission::parse_money(text);
  if (!price || *price > llm::price_max) return bad(node, key, "must be an amount such as \"2.50\", up to \"10000\"");
  return *price;
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

Result<llm::ModelOptions> read_model(const toml::table& table, std::string_view name) {
  // Beyond any model there is.
  constexpr std::int64_t context_tokens_max = 20'000'000;
  llm::ModelOptions model{.name = std::string(name)};
  bool has_kind = false;
  for (const auto& [key, node] : table) {
    const auto full = fmt::format("models.{}.{}", name, key.str());
    if (key == "kind") {
      const auto kind = PARLEY_TRY(text_of(node, full));
      if (kind == "openai") model.kind = llm::Kind::openai;
      else if (kind == "azure") model.kind = llm::Kind::azure;
      else if (kind == "anthropic") model.kind = llm::Kind::anthropic;
      else if (kind == "builtin") model.kind = llm::Kind::builtin;
      else return bad(node, full, "must be \"openai\", \"azure\", \"anthropic\" or \"builtin\"");
      has_kind = true;
    } else if (key == "base_url") {
      model.base_url = PARLEY_TRY(url_of(node, full));
    } else if (key == "model") {
      model.model = PARLEY_TRY(text_of(node, full));
    } else if (key == "key") {
      model.key = PARLEY_TRY(reference_of(node, full));
    } else if (key == "api_version") {
      model.api_version = PARLEY_TRY(text_of(node, full));
    } else if (key == "output_limit") {
      const auto field = PARLEY_TRY(text_of(node, full));
      if (field != "max_tokens" && field != "max_completion_tokens")
        return bad(node, full, "must be \"max_tokens\" or \"max_completion_tokens\"");
      model.max_completion_tokens = field == "max_completion_tokens";
    } else if (key == "price_input") {
      model.price_input = PARLEY_TRY(price_of(node, full));
    } else if (key == "price_cached_input") {
      model.price_cached_input = PARLEY_TRY(price_of(node, full));
    } else if (key == "price_output") {
      model.price_output = PARLEY_TRY(price_of(node, full));
    } else if (key == "context_tokens") {
      model.context_tokens = PARLEY_TRY(number_of(node, full, context_tokens_max));
    } else if (key == "output_tokens") {
      model.output_tokens = PARLEY_TRY(number_of(node, full, context_tokens_max));
    } else if (key == "timeout_connect") {
      model.timeouts.connect = PARLEY_TRY(timeout_of(node, full));
    } else if (key == "timeout_first_byte") {
      model.timeouts.first_byte = PARLEY_TRY(timeout_of(node, full));
    } else if (key == "timeout_between") {
      model.timeouts.between = PARLEY_TRY(timeout_of(node, full));
    } else if (key == "timeout_total") {
      model.timeouts.total = PARLEY_TRY(timeout_of(node, full));
    } else if (key == "fallback") {
      // Each may be waited for in turn.
      constexpr std::size_t fallback_max = 8;
      const auto* list = node.as_array();
      if (!list || list->size() > fallback_max) return bad(node, full, "must be a list of up to 8 models");
      for (const auto& entry : *list) model.fallback.push_back(PARLEY_TRY(text_of(entry, full)));
    } else {
      return bad(node, full, "is not known");
    }
  }
  if (!has_kind) return bad(table, fmt::format("models.{}.kind", name), "is missing");
  return model;
}

Result<void> read_models(const toml::table& table, Config& config) {
  for (const auto& [key, node] : table) {
    const auto* model = node.as_table();
    if (!model || !is_plain_name(key.str()))
      return bad(node, fmt::format("models.{}", key.str()), "must be a section [models.NAME], in a-z, 0-9, ., - and _");
    config.models.push_back(PARLEY_TRY(read_model(*model, key.str())));
  }
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
                   : purpose == "models"  ? &config.egress_models
                   : purpose == "secrets" ? &config.egress_secrets
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

/// What opens a keeper of secrets.
Result<secrets::Reference> opener_of(const toml::node& node, std::string_view key) {
  auto reference = PARLEY_TRY(reference_of(node, key));
  if (reference.keeper != secrets::Keeper::environment && reference.keeper != secrets::Keeper::file)
    return bad(node, key, "must be \"env:NAME\" or \"file:/path\"");
  return reference;
}

Result<void> read_secrets(const toml::table& table, Config& config) {
  for (const auto& [keeper, node] : table) {
    const auto section = fmt::format("secrets.{}", keeper.str());
    const auto* entries = node.as_table();
    if (!entries) return bad(node, section, "is not known");
    std::optional<net::HttpUrl> url, login;
    std::optional<secrets::Reference> token, key_id, key, session;
    std::string name_space, region, tenant, client;
    // Names and regions become parts of addresses and headers.
    const auto plain = [&](const toml::node& value, const std::string& full, std::string& to) -> Result<void> {
      to = PARLEY_TRY(text_of(value, full));
      const bool right = !to.empty() && to.size() <= 128 && std::ranges::all_of(to, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == '.' || c == '/';
      });
      if (!right) return bad(value, full, "holds a character that none may hold");
      return {};
    };
    const bool vault = keeper == "vault", aws = keeper == "aws", azure = keeper == "azure";
    for (const auto& [entry, value] : *entries) {
      const auto full = fmt::format("{}.{}", section, entry.str());
      if (entry == "url" && (vault || aws || azure)) url = PARLEY_TRY(url_of(value, full));
      else if (entry == "token" && vault) token = PARLEY_TRY(opener_of(value, full));
      else if (entry == "namespace" && vault) PARLEY_TRY(plain(value, full, name_space));
      else if (entry == "region" && aws) {
        PARLEY_TRY(plain(value, full, region));
        // A part of a host name.
        if (region.contains('/') || region.contains('.'))
          return bad(value, full, "must be a region such as \"eu-west-1\"");
      } else if (entry == "access_key_id" && aws) key_id = PARLEY_TRY(opener_of(value, full));
      else if (entry == "secret_access_key" && aws) key = PARLEY_TRY(opener_of(value, full));
      else if (entry == "session_token" && aws) session = PARLEY_TRY(opener_of(value, full));
      else if (entry == "tenant" && azure) PARLEY_TRY(plain(value, full, tenant));
      else if (entry == "client_id" && azure) PARLEY_TRY(plain(value, full, client));
      else if (entry == "client_secret" && azure) key = PARLEY_TRY(opener_of(value, full));
      else if (entry == "login_url" && azure) login = PARLEY_TRY(url_of(value, full));
      else return bad(value, full, "is not known");
    }
    if (vault) {
      if (!url || !token) return bad(node, section, "needs url and token");
      config.keepers.vault = {.url = *url, .token = *token, .name_space = name_space};
    } else if (aws) {
      if (region.empty() || !key_id || !key)
        return bad(node, section, "needs region, access_key_id and secret_access_key");
      config.keepers.aws = {
          .region = region, .access_key_id = *key_id, .secret_access_key = *key, .session_token = session, .url = url};
    } else if (azure) {
      if (!url || tenant.empty() || client.empty() || !key)
        return bad(node, section, "needs url, tenant, client_id and client_secret");
      if (!login) login = PARLEY_TRY(net::parse_http_url("https://login.microsoftonline.com"));
      config.keepers.azure = {
          .url = *url, .tenant = tenant, .client_id = client, .client_secret = *key, .login = *login};
    } else {
      return bad(node, section, "is not known");
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
    else if (key == "models") PARLEY_TRY(read_models(*section, config));
    else if (key == "secrets") PARLEY_TRY(read_secrets(*section, config));
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
  if (reference.starts_with("env:")) return secrets::read_environment(std::string(reference.substr(4)));
  if (reference.starts_with("file:")) return secrets::read_file(std::filesystem::path(reference.substr(5)));
  return fail(Code::invalid_argument, "a secret is given by reference: env:NAME or file:/path");
}

}  // namespace parley::server
