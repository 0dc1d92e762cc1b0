#include "parley/llm/models.h"

#include <algorithm>

#include <fmt/format.h>

#include "parley/llm/anthropic.h"
#include "parley/llm/builtin.h"
#include "parley/llm/one_thread.h"
#include "parley/llm/openai.h"
#include "parley/text/percent.h"

namespace parley::llm {
namespace {

std::unexpected<Error> wrong(const ModelOptions& options, std::string_view what) {
  return fail(Code::invalid_argument, "a model's configuration cannot be used",
              fmt::format("models.{}: {}", options.name, what));
}

Result<net::HttpUrl> base_of(const ModelOptions& options) {
  if (options.base_url) return *options.base_url;
  switch (options.kind) {
    case Kind::openai: return net::parse_http_url("https://api.openai.com/v1");
    case Kind::anthropic: return net::parse_http_url("https://api.anthropic.com");
    case Kind::azure:
    case Kind::builtin: break;
  }
  return wrong(options, "base_url is missing");
}

Result<std::shared_ptr<Model>> make_model(const ModelOptions& options, http::Client& client,
                                          secrets::Secrets& secrets) {
  auto base = PARLEY_TRY(base_of(options));
  if (base.target.contains('?')) return wrong(options, "base_url holds a query");
  if (options.model.empty()) return wrong(options, "model is missing");
  // A price left out would be a budget left out. Plain http goes to listed places alone: one's own machines.
  const bool own = base.scheme == net::UrlScheme::http;
  if (!own && (!options.price_input || !options.price_output))
    return wrong(options, "price_input and price_output are missing; \"0\" says that it costs nothing");
  const Micros price_input = options.price_input.value_or(0);
  if (options.output_tokens >= options.context_tokens)
    return wrong(options, "output_tokens leaves no room for a question");

  std::unique_ptr<const Protocol> protocol;
  switch (options.kind) {
    case Kind::openai: {
      const bool newer = options.max_completion_tokens.value_or(base.host == "api.openai.com");
      protocol = std::make_unique<OpenAiProtocol>(
          OpenAiProtocol::Options{.model = options.model,
                                  .limit_field = newer ? OpenAiProtocol::LimitField::max_completion_tokens
                                                       : OpenAiProtocol::LimitField::max_tokens});
      break;
    }
    case Kind::azure: {
      std::string query;
      std::string path = base.target;
      while (path.ends_with('/')) path.pop_back();
      if (options.api_version.empty()) {
        path += "/openai/v1";
      } else {
        path += "/openai/deployments/" + text::percent_encode(options.model);
        query = "?api-version=" + text::percent_encode(options.api_version);
      }
      base = PARLEY_TRY(net::parse_http_url(base.origin() + path));
      protocol = std::make_unique<OpenAiProtocol>(
          OpenAiProtocol::Options{.model = options.model,
                                  .key_header = OpenAiProtocol::KeyHeader::api_key,
                                  .limit_field = OpenAiProtocol::LimitField::max_completion_tokens,
                                  .query = std::move(query)});
      break;
    }
    case Kind::anthropic: protocol = std::make_unique<AnthropicProtocol>(options.model); break;
    case Kind::builtin: return std::make_shared<BuiltinModel>();
  }
  return std::make_shared<UpstreamModel>(
      UpstreamOptions{.card = {.name = options.name,
                               .context_tokens = options.context_tokens,
                               .output_tokens_max = options.output_tokens,
                               .prices = {.input = price_input,
                                          .cached_input = options.price_cached_input.value_or(price_input),
                                          .output = options.price_output.value_or(0)}},
                      .base = std::move(base),
                      .key = options.key,
                      .timeouts = options.timeouts},
      std::move(protocol), client, secrets);
}

}  // namespace

Result<std::unique_ptr<Models>> Models::make(const std::vector<ModelOptions>& options, http::Client& client,
                                             secrets::Secrets& secrets, const Clock& clock, crypto::Random& random,
                                             ChainOptions chain) {
  std::map<std::string, Link, std::less<>> links;
  const Link builtin{std::make_shared<BuiltinModel>(), std::make_shared<Breaker>(clock)};
  links.emplace(builtin_name, builtin);
  for (const auto& each : options) {
    if (each.kind == Kind::builtin) {
      links.emplace(each.name, builtin);
      continue;
    }
    auto model = PARLEY_TRY(make_model(each, client, secrets));
    if (!links.emplace(each.name, Link{std::move(model), std::make_shared<Breaker>(clock)}).second)
      return wrong(each, "the name is taken");
  }
  auto models = std::unique_ptr<Models>(new Models());
  for (const auto& each : options) {
    std::vector<Link> in_order{links.find(each.name)->second};
    for (const auto& name : each.fallback) {
      const auto found = links.find(name);
      if (found == links.end()) return wrong(each, fmt::format("fallback names {}, which there is not", name));
      if (std::ranges::find(in_order, found->second.model, &Link::model) != in_order.end())
        return wrong(each, fmt::format("fallback names {} twice", name));
      in_order.push_back(found->second);
    }
    if (std::ranges::find(in_order, builtin.model, &Link::model) == in_order.end()) in_order.push_back(builtin);
    auto first = in_order.front().model;
    models->entries_[each.name] = {std::move(first), std::make_shared<Chain>(std::move(in_order), random, chain)};
  }
  models->entries_.try_emplace(std::string(builtin_name),
                               Entry{builtin.model, std::make_shared<Chain>(std::vector{builtin}, random, chain)});
  return models;
}

std::unique_ptr<Models> Models::of(std::vector<std::shared_ptr<Model>> made, const Clock& clock, crypto::Random& random,
                                   ChainOptions chain) {
  auto models = std::unique_ptr<Models>(new Models());
  const Link builtin{std::make_shared<BuiltinModel>(), std::make_shared<Breaker>(clock)};
  for (auto& model : made) {
    const auto name = model->card().name;
    std::vector<Link> in_order{{model, std::make_shared<Breaker>(clock)}, builtin};
    models->entries_[name] = {std::move(model), std::make_shared<Chain>(std::move(in_order), random, chain)};
  }
  models->entries_.try_emplace(std::string(builtin_name),
                               Entry{builtin.model, std::make_shared<Chain>(std::vector{builtin}, random, chain)});
  return models;
}

std::shared_ptr<const Chain> Models::find(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->second.chain;
}

std::shared_ptr<const Chain> Models::usual() const {
  auto chain = find("default");
  return chain ? chain : find(builtin_name);
}

std::vector<std::string> Models::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

Async<Attempt> Models::probe(std::string name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) co_return fail(Code::not_found, "there is no such model", name);
  auto work = found->second.model->probe();
  co_return co_await on_one_thread(std::move(work));
}

}  // namespace parley::llm
