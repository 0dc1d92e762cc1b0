#include "parley/server/config.h"

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
  const auto rate = text ? admission::parse_rate(*text) : std::nullopt;
  if (!rate) return bad(node, key, "must be a rate such as \"15/min\"");
  return *rate;
}

Result<std::string> text_of(const toml::node& node, std::string_view key) {
  auto text = node.value_exact<std::string>();
  if (!text) return bad(node, key, "must be text");
  return *std::move(text);
}

Result<void> read_limits(const toml::table& table, admission::Limits& limits) {
  struct Entry {
    std::string_view key;
    admission::Rate admission::Limits::* member;
  };
  static constexpr std::array entries{
      Entry{"chat_per_visitor", &admission::Limits::chat_per_visitor},
      Entry{"chat_per_chat", &admission::Limits::chat_per_chat},
      Entry{"chat_per_address", &admission::Limits::chat_per_address},
      Entry{"chat_per_secret_key", &admission::Limits::chat_per_secret_key},
      Entry{"chat_per_organisation", &admission::Limits::chat_per_organisation},
      Entry{"request_per_address", &admission::Limits::request_per_address},
      Entry{"visitor_per_address", &admission::Limits::visitor_per_address},
  };
  for (const auto& [key, node] : table) {
    const auto entry = std::ranges::find(entries, key.str(), &Entry::key);
    if (entry == entries.end()) return bad(node, fmt::format("limits.{}", key.str()), "is not known");
    limits.*entry->member = PARLEY_TRY(rate_of(node, key.str()));
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
    const auto reference = PARLEY_TRY(text_of(node, "database.url"));
    auto secret = resolve_secret(reference);
    if (!secret)
      return bad(node, "database.url", "must be \"env:NAME\" or \"file:/path\", naming something that exists");
    config.database_url = *std::move(secret);
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
