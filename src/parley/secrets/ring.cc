#include "parley/secrets/ring.h"

#include <algorithm>

#include <fmt/format.h>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "parley/log/log.h"
#include "parley/secrets/local.h"
#include "parley/text/json.h"
#include "parley/text/percent.h"

namespace parley::secrets {
namespace {

namespace json = boost::json;

// A token of Azure that is about to expire is not worth a request.
constexpr std::chrono::seconds token_margin{60};
constexpr std::int64_t token_seconds_max = 3'600;

std::chrono::microseconds fresh_for(Keeper keeper) {
  switch (keeper) {
    case Keeper::environment: return std::chrono::microseconds(0);
    case Keeper::file: return file_fresh_for;
    case Keeper::vault:
    case Keeper::aws:
    case Keeper::azure: return remote_fresh_for;
  }
  std::unreachable();
}

std::unexpected<Error> unconfigured(Literal keeper) {
  return fail(Code::unavailable, "the secret's keeper is not configured", std::string(keeper.view()));
}

// What the keeper said beside the status is not repeated: it may quote the request.
std::unexpected<Error> refused(const Reference& reference, int status) {
  auto detail = fmt::format("{}: status {}", reference.to_string(), status);
  if (status == 404) return fail(Code::not_found, "there is no such secret", std::move(detail));
  if (status == 401 || status == 403)
    return fail(Code::permission_denied, "the secret's keeper refuses us", std::move(detail));
  return fail(Code::unavailable, "the secret's keeper cannot be asked", std::move(detail));
}

std::unexpected<Error> unreadable(const Reference& reference) {
  return fail(Code::unavailable, "the secret's keeper gave no secret", reference.to_string());
}

const json::object* object_in(const json::value* value, std::string_view name) {
  const auto* object = value ? value->if_object() : nullptr;
  const auto* inner = object ? object->if_contains(name) : nullptr;
  return inner ? inner->if_object() : nullptr;
}

std::optional<std::string> text_in(const json::object* object, std::string_view name) {
  const auto* value = object ? object->if_contains(name) : nullptr;
  const auto* text = value ? value->if_string() : nullptr;
  if (!text || text->empty()) return std::nullopt;
  return std::string(text->data(), text->size());
}

Result<net::HttpUrl> below(const net::HttpUrl& base, const std::string& path) {
  std::string url = base.to_string();
  while (url.ends_with('/')) url.pop_back();
  return net::parse_http_url(url + path);
}

}  // namespace

/// The right to ask for one secret; given back however the asking ends.
class Ring::Asking {
 public:
  Asking(Ring& ring, std::string key) : ring_(ring), key_(std::move(key)) {}
  ~Asking() {
    const std::lock_guard lock(ring_.mutex_);
    if (const auto found = ring_.entries_.find(key_); found != ring_.entries_.end()) found->second.asking = false;
  }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

 private:
  Ring& ring_;
  const std::string key_;
};

Async<Secret> Ring::read(Reference reference) {
  if (reference.keeper == Keeper::environment) co_return read_environment(reference.name);
  const auto key = reference.to_string();
  {
    const std::lock_guard lock(mutex_);
    if (entries_.size() >= entries_max && !entries_.contains(key)) entries_.clear();
    auto& entry = entries_[key];
    const auto now = clock_.now();
    const auto since = [&](Timestamp then) { return now < then ? std::chrono::microseconds::max() : now - then; };
    const bool old = entry.expired || since(entry.read_at) >= fresh_for(reference.keeper);
    const bool asked = since(entry.asked_at) < asked_again_after;
    if (entry.value && (!old || asked || entry.asking)) co_return *entry.value;
    if (!entry.value && entry.failed && asked) co_return fail(*entry.failed);
    entry.asking = true;
    entry.asked_at = now;
    entry.expired = false;
  }
  const Asking asking(*this, key);
  auto answer = co_await ask(reference);
  const std::lock_guard lock(mutex_);
  auto& entry = entries_[key];
  const auto now = clock_.now();
  if (answer) {
    entry.value = *answer;
    entry.read_at = now;
    entry.failed.reset();
    co_return answer;
  }
  entry.failed = answer.error();
  const auto code = answer.error().code();
  const bool away = code == Code::unavailable || code == Code::timeout;
  if (entry.value && away && now - entry.read_at < kept_without_keeper) {
    log::write(log::Level::warning, "secret_not_refreshed",
               {log::Field::operator_text("reference", key), {"reason", answer.error().reason()}});
    co_return *entry.value;
  }
  entry.value.reset();
  co_return answer;
}

void Ring::expire(const Reference& reference) {
  const std::lock_guard lock(mutex_);
  if (const auto found = entries_.find(reference.to_string()); found != entries_.end()) found->second.expired = true;
}

Async<Secret> Ring::local(Reference reference) {
  if (reference.keeper == Keeper::environment) co_return read_environment(reference.name);
  // What opens the keepers is never kept by one of them.
  if (reference.keeper != Keeper::file) co_return unconfigured("only env: and file: open a keeper");
  auto work = [&] { return read_file(reference.name); };
  co_return co_await workers_.run(work);
}

Async<Secret> Ring::ask(Reference reference) {
  switch (reference.keeper) {
    case Keeper::environment:
    case Keeper::file: co_return co_await local(std::move(reference));
    case Keeper::vault: co_return co_await ask_vault(std::move(reference));
    case Keeper::aws: co_return co_await ask_aws(std::move(reference));
    case Keeper::azure: co_return co_await ask_azure(std::move(reference));
  }
  std::unreachable();
}

Async<Secret> Ring::ask_vault(Reference reference) {
  if (!keepers_.vault) co_return unconfigured("[secrets.vault]");
  const auto& vault = *keepers_.vault;
  const auto token = PARLEY_CO_TRY(co_await local(vault.token));
  const auto slash = reference.name.find('/');
  const auto path = fmt::format("/v1/{}/data/{}", reference.name.substr(0, slash), reference.name.substr(slash + 1));
  net::FetchRequest request{.url = PARLEY_CO_TRY(below(vault.url, path))};
  request.headers.push_back({"X-Vault-Token", token});
  request.headers.push_back({"X-Vault-Request", Secret("true")});
  if (!vault.name_space.empty()) request.headers.push_back({"X-Vault-Namespace", Secret(vault.name_space)});
  auto asked = web_.fetch(std::move(request));
  const auto answer = PARLEY_CO_TRY(co_await std::move(asked));
  if (answer.status != 200) co_return refused(reference, answer.status);
  const auto parsed = text::parse_json(answer.body.reveal());
  const auto* outer = object_in(parsed ? &*parsed : nullptr, "data");
  const auto* inner = outer ? outer->if_contains("data") : nullptr;
  auto value = text_in(inner ? inner->if_object() : nullptr, reference.field);
  if (!value) co_return unreadable(reference);
  co_return Secret(*std::move(value));
}

Async<Secret> Ring::ask_aws(Reference reference) {
  if (!keepers_.aws) co_return unconfigured("[secrets.aws]");
  const auto& aws = *keepers_.aws;
  AwsCredentials credentials;
  const auto id = PARLEY_CO_TRY(co_await local(aws.access_key_id));
  credentials.access_key_id = id.reveal();
  credentials.secret_access_key = PARLEY_CO_TRY(co_await local(aws.secret_access_key));
  if (aws.session_token) credentials.session_token = PARLEY_CO_TRY(co_await local(*aws.session_token));

  auto url = aws.url;
  if (!url)
    url = PARLEY_CO_TRY(net::parse_http_url(fmt::format("https://secretsmanager.{}.amazonaws.com/", aws.region)));
  const auto body = json::serialize(json::object{{"SecretId", reference.name}});
  const auto now = clock_.now();
  const auto origin = url->origin();
  std::vector<std::pair<std::string, std::string>> headers{{"content-type", "application/x-amz-json-1.1"},
                                                           {"host", origin.substr(origin.find("://") + 3)},
                                                           {"x-amz-date", amz_date(now)},
                                                           {"x-amz-target", "secretsmanager.GetSecretValue"}};
  if (!credentials.session_token.empty())
    headers.emplace_back("x-amz-security-token", credentials.session_token.reveal());
  net::FetchRequest request{.url = *url, .headers = {}, .body = Secret(body)};
  request.url.target = "/";
  request.headers.push_back(
      {"Authorization", sign_aws_request({.method = "POST", .path = "/", .query = "", .headers = headers, .body = body},
                                         credentials, aws.region, "secretsmanager", now)});
  for (const auto& [name, value] : headers)
    if (name != "host") request.headers.push_back({name, Secret(value)});
  auto asked = web_.fetch(std::move(request));
  const auto answer = PARLEY_CO_TRY(co_await std::move(asked));
  const auto parsed = text::parse_json(answer.body.reveal());
  const auto* object = parsed ? parsed->if_object() : nullptr;
  if (answer.status == 400) {
    // One status for everything; the type, which may have a namespace in front, tells what it is.
    const auto type = text_in(object, "__type").value_or("");
    if (type.ends_with("ResourceNotFoundException")) co_return refused(reference, 404);
    if (type.ends_with("AccessDeniedException") || type.ends_with("UnrecognizedClientException") ||
        type.ends_with("InvalidSignatureException") || type.ends_with("ExpiredTokenException"))
      co_return refused(reference, 403);
  }
  if (answer.status != 200) co_return refused(reference, answer.status);
  auto value = text_in(object, "SecretString");
  if (value && !reference.field.empty()) {
    const auto fields = text::parse_json(*value);
    auto chosen = text_in(fields ? fields->if_object() : nullptr, reference.field);
    const Secret wiped(*std::move(value));
    value = std::move(chosen);
  }
  if (!value) co_return unreadable(reference);
  co_return Secret(*std::move(value));
}

Async<Secret> Ring::azure_token() {
  const auto& azure = *keepers_.azure;
  {
    const std::lock_guard lock(mutex_);
    if (!azure_token_.empty() && clock_.now() + token_margin < azure_token_until_) co_return azure_token_;
  }
  const auto client_secret = PARLEY_CO_TRY(co_await local(azure.client_secret));
  net::FetchRequest request{.url = PARLEY_CO_TRY(below(azure.login, fmt::format("/{}/oauth2/v2.0/token",
                                                                                text::percent_encode(azure.tenant))))};
  request.headers.push_back({"Content-Type", Secret("application/x-www-form-urlencoded")});
  request.body = Secret(fmt::format("grant_type=client_credentials&client_id={}&client_secret={}&scope={}",
                                    text::percent_encode(azure.client_id), text::percent_encode(client_secret.reveal()),
                                    text::percent_encode("https://vault.azure.net/.default")));
  auto asked = web_.fetch(std::move(request));
  const auto answer = PARLEY_CO_TRY(co_await std::move(asked));
  // 400 is what a wrong client secret gets here.
  const Reference of{.keeper = Keeper::azure, .name = "token", .field = {}};
  if (answer.status != 200) co_return refused(of, answer.status == 400 ? 401 : answer.status);
  const auto parsed = text::parse_json(answer.body.reveal());
  const auto* object = parsed ? parsed->if_object() : nullptr;
  auto token = text_in(object, "access_token");
  const auto* expires = object ? object->if_contains("expires_in") : nullptr;
  const auto* seconds = expires ? expires->if_int64() : nullptr;
  if (!token) co_return unreadable(of);
  const std::lock_guard lock(mutex_);
  azure_token_ = Secret(*std::move(token));
  azure_token_until_ =
      clock_.now() + std::chrono::seconds(std::clamp<std::int64_t>(seconds ? *seconds : 0, 0, token_seconds_max));
  co_return azure_token_;
}

Async<Secret> Ring::ask_azure(Reference reference) {
  if (!keepers_.azure) co_return unconfigured("[secrets.azure]");
  for (int attempt = 0;; ++attempt) {
    const auto token = PARLEY_CO_TRY(co_await azure_token());
    net::FetchRequest request{
        .url = PARLEY_CO_TRY(below(keepers_.azure->url, fmt::format("/secrets/{}?api-version=7.4", reference.name)))};
    request.headers.push_back({"Authorization", Secret("Bearer " + std::string(token.reveal()))});
    auto asked = web_.fetch(std::move(request));
    const auto answer = PARLEY_CO_TRY(co_await std::move(asked));
    if (answer.status == 401 && attempt == 0) {
      // Withdrawn before its time.
      const std::lock_guard lock(mutex_);
      azure_token_ = Secret();
      continue;
    }
    if (answer.status != 200) co_return refused(reference, answer.status);
    const auto parsed = text::parse_json(answer.body.reveal());
    auto value = text_in(parsed ? parsed->if_object() : nullptr, "value");
    if (!value) co_return unreadable(reference);
    co_return Secret(*std::move(value));
  }
}

}  // namespace parley::secrets
