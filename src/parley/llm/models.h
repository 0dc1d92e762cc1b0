#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/llm/chain.h"
#include "parley/llm/upstream.h"

namespace parley::llm {

enum class Kind : std::uint8_t { openai, azure, anthropic, builtin };

/// `[models.NAME]`, read but not yet looked at as a whole.
struct ModelOptions {
  std::string name;
  Kind kind = Kind::openai;
  std::optional<net::HttpUrl> base_url;
  std::string model;  ///< the provider's name for it
  std::optional<secrets::Reference> key;
  std::optional<Micros> price_input, price_cached_input,
      price_output;  ///< for a million tokens; may be left out for http
  std::int64_t context_tokens = 32'000;
  std::int64_t output_tokens = 1'024;
  std::string api_version;                    ///< azure: the older address of a deployment; none: the newer one
  std::optional<bool> max_completion_tokens;  ///< openai: which name the limit has; none: by the address
  http::ClientTimeouts timeouts = {.connect = std::chrono::milliseconds(5'000),
                                   .first_byte = std::chrono::milliseconds(30'000),
                                   .between = std::chrono::milliseconds(20'000),
                                   .total = std::chrono::milliseconds(120'000)};
  std::vector<std::string> fallback;  ///< other models, in order; the built-in need not be named
};

/// All models of an installation, and the chains that begin with them. Safe from any thread.
class Models {
 public:
  /// `invalid_argument`, the detail naming the model, for what cannot be right: an address, a name or prices missing,
  /// limits that do not fit into each other, an unknown or circular fall-back. References must outlive this object.
  static Result<std::unique_ptr<Models>> make(const std::vector<ModelOptions>& options, http::Client& client,
                                              secrets::Secrets& secrets, const Clock& clock, crypto::Random& random,
                                              ChainOptions chain = {});
  /// Of models made elsewhere: the built-in alone, or scripted ones.
  static std::unique_ptr<Models> of(std::vector<std::shared_ptr<Model>> models, const Clock& clock,
                                    crypto::Random& random, ChainOptions chain = {});

  /// The chain that begins with this model; null if there is none of that name.
  std::shared_ptr<const Chain> find(std::string_view name) const;
  /// The one named "default", else the built-in alone.
  std::shared_ptr<const Chain> usual() const;
  /// By name, the built-in included.
  std::vector<std::string> names() const;

  /// Asks a model whether it could be asked; none if there is no such model. For an executor as `http::Client` wants
  /// it.
  Async<Attempt> probe(std::string name) const;

 private:
  struct Entry {
    std::shared_ptr<Model> model;
    std::shared_ptr<const Chain> chain;
  };
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace parley::llm
