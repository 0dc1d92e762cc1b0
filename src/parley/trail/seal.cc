#include "parley/trail/seal.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "parley/text/hex.h"
#include "parley/text/json.h"

namespace parley::trail {

namespace json = boost::json;

namespace {

constexpr std::string_view first_line = "parley seal 1\n";
constexpr std::string_view export_format = "parley trail seals 1";

std::string to_hex(std::string_view bytes) {
  return text::to_hex({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

/// Takes "name value\n" off the front; none if the line is another.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view name) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  auto line = text.substr(0, end);
  if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ') return std::nullopt;
  text.remove_prefix(end + 1);
  return line.substr(name.size() + 1);
}

std::string_view take_word(std::string_view& text) {
  const auto end = std::min(text.find(' '), text.size());
  const auto word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Reads leniently; the caller compares with the one right spelling.
std::optional<Seal> read(std::string_view text) {
  if (!text.starts_with(first_line)) return std::nullopt;
  text.remove_prefix(first_line.size());
  const auto tenant = take_line(text, "tenant");
  const auto number = take_line(text, "number");
  const auto at = take_line(text, "at");
  const auto previous = take_line(text, "previous");
  const auto key = take_line(text, "key");
  if (!tenant || !number || !at || !previous || !key) return std::nullopt;
  const auto tenant_id = TenantId::parse(*tenant);
  const auto number_value = parse_number(*number);
  const auto at_value = parse_number(*at);
  const auto previous_digest = crypto::Digest::parse_hex(*previous);
  const auto public_key = parse_public_key(*key);
  if (!tenant_id || !number_value || !at_value || !previous_digest || !public_key) return std::nullopt;
  Seal seal{.tenant = *tenant_id,
            .number = *number_value,
            .at = {*at_value},
            .previous = *previous_digest,
            .key = *public_key,
            .heads = {}};
  while (!text.empty()) {
    auto line = take_line(text, "head");
    if (!line) return std::nullopt;
    const std::string node(take_word(*line));
    const auto seq = parse_number(take_word(*line));
    const auto epoch = parse_number(take_word(*line));
    const auto hash = crypto::Digest::parse_hex(*line);
    if (!seq || !epoch || !hash) return std::nullopt;
    if (!seal.heads.empty() && seal.heads.back().node >= node) return std::nullopt;
    seal.heads.push_back({.node = node, .seq = *seq, .epoch = *epoch, .hash = *hash});
  }
  return seal;
}

}  // namespace

std::string canonical(const Seal& seal) {
  std::string out(first_line);
  out += fmt::format("tenant {}\nnumber {}\nat {}\nprevious {}\nkey {}\n", seal.tenant.to_string(), seal.number,
                     seal.at.micros, seal.previous.hex(), hex(seal.key));
  for (const auto& head : seal.heads)
    out += fmt::format("head {} {} {} {}\n", head.node, head.seq, head.epoch, head.hash.hex());
  return out;
}

Result<Seal> parse_seal(std::string_view body) {
  auto seal = read(body);
  // One spelling only, so that no two bodies say the same.
  if (!seal || canonical(*seal) != body) return fail(Code::data_corrupt, "a seal of the trail cannot be read");
  return *std::move(seal);
}

crypto::Digest digest_of(const StoredSeal& seal) {
  return crypto::Sha256().update(seal.body).update(seal.signature).finish();
}

StoredSeal sign(const Seal& seal, const crypto::SigningKey& key) {
  StoredSeal stored{.number = seal.number, .body = canonical(seal), .signature = {}};
  const auto signature = key.sign(stored.body);
  stored.signature.assign(reinterpret_cast<const char*>(signature.bytes.data()), signature.bytes.size());
  return stored;
}

bool is_signed_by(const StoredSeal& seal, const crypto::PublicKey& key) {
  crypto::Signature signature;
  if (seal.signature.size() != signature.bytes.size()) return false;
  std::ranges::transform(seal.signature, signature.bytes.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  return crypto::verify_signature(key, seal.body, signature) == crypto::SignatureVerdict::valid;
}

Result<crypto::SigningKey> sealing_key(const crypto::Keyring& keyring) {
  return crypto::SigningKey::from_seed(keyring.derive("trail seals").secret());
}

std::string hex(const crypto::PublicKey& key) { return text::to_hex(key.bytes); }

std::optional<crypto::PublicKey> parse_public_key(std::string_view text) {
  const auto digest = crypto::Digest::parse_hex(text);  // 32 bytes as well
  if (!digest) return std::nullopt;
  return crypto::PublicKey{digest->bytes};
}

std::string to_json(const SealExport& seals) {
  json::array list;
  for (const auto& stored : seals.seals) {
    const auto seal = parse_seal(stored.body);
    list.push_back(json::object{{"number", stored.number},
                                {"at", seal ? to_rfc3339(seal->at) : ""},
                                {"body", stored.body},
                                {"signature", to_hex(stored.signature)}});
  }
  return json::serialize(json::object{{"format", export_format},
                                      {"tenant", seals.tenant.to_string()},
                                      {"public_key", hex(seals.key)},
                                      {"seals", std::move(list)}});
}

Result<SealExport> parse_seal_export(std::string_view text) {
  const auto wrong = [] { return fail(Code::invalid_argument, "this is no export of seals"); };
  if (text.size() > seal_export_bytes_max) return fail(Code::too_large, "an export of seals has at most 64 MB");
  const auto value = PARLEY_TRY(text::parse_json(text, {.bytes_max = seal_export_bytes_max}));
  const auto* object = value.if_object();
  const auto find_text = [](const json::object& in, std::string_view name) -> std::optional<std::string_view> {
    const auto* found = in.if_contains(name);
    if (!found || !found->is_string()) return std::nullopt;
    return std::string_view(found->get_string());
  };
  if (!object || find_text(*object, "format") != export_format) return wrong();
  const auto tenant = TenantId::parse(find_text(*object, "tenant").value_or(""));
  const auto key = parse_public_key(find_text(*object, "public_key").value_or(""));
  const auto* list = object->if_contains("seals");
  if (!tenant || !key || !list || !list->is_array()) return wrong();
  SealExport seals{.tenant = *tenant, .key = *key, .seals = {}};
  for (const auto& entry : list->get_array()) {
    const auto* one = entry.if_object();
    const auto* number = one ? one->if_contains("number") : nullptr;
    if (!number || !number->is_int64()) return wrong();
    const auto body = find_text(*one, "body");
    const auto signature = text::parse_hex(find_text(*one, "signature").value_or(""));
    if (!body || !signature) return wrong();
    StoredSeal stored{.number = number->get_int64(),
                      .body = std::string(*body),
                      .signature = std::string(signature->begin(), signature->end())};
    const auto seal = parse_seal(stored.body);
    if (!seal || seal->number != stored.number || seal->tenant != seals.tenant || seal->key != seals.key ||
        !is_signed_by(stored, seals.key))
      return fail(Code::invalid_argument, "a seal in the file is not what was signed",
                  fmt::format("{}", stored.number));
    seals.seals.push_back(std::move(stored));
  }
  return seals;
}

}  // namespace parley::trail
