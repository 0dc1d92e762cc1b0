#pragma once

#include <memory>

#include "parley/crypto/random.h"
#include "parley/http/client.h"
#include "parley/llm/models.h"
#include "parley/net/fetch.h"
#include "parley/net/workers.h"
#include "parley/secrets/ring.h"
#include "parley/server/config.h"

namespace parley::server {

/// The configured models with all they need: secrets, the client that reaches them, threads that ask for names.
class ModelHouse {
 public:
  /// `invalid_argument` for a configuration that cannot be used. Asks nobody yet. Clock and randomness must outlive
  /// this object, and it every call.
  static Result<std::unique_ptr<ModelHouse>> open(const Config& config, const Clock& clock, crypto::Random& random);

  const llm::Models& models() const { return *models_; }
  secrets::Secrets& secrets() { return ring_; }

 private:
  ModelHouse(const Config& config, const Clock& clock);

  // Names take as long as somebody's name server likes; one that hangs holds up half.
  net::Workers workers_{2};
  net::Fetcher web_;  ///< to where secrets are kept
  secrets::Ring ring_;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<llm::Models> models_;
};

}  // namespace parley::server
