#include "parley/server/models.h"

namespace parley::server {

ModelHouse::ModelHouse(const Config& config, const Clock& clock)
    : web_(workers_, {.policy = config.egress_secrets.policy, .ca_file = config.egress_secrets.ca_file}),
      ring_(config.keepers, web_, workers_, clock) {}

Result<std::unique_ptr<ModelHouse>> ModelHouse::open(const Config& config, const Clock& clock, crypto::Random& random) {
  std::unique_ptr<ModelHouse> house(new ModelHouse(config, clock));
  house->client_ = PARLEY_TRY(http::Client::make(
      house->workers_, {.policy = config.egress_models.policy, .ca_file = config.egress_models.ca_file}));
  house->models_ = PARLEY_TRY(llm::Models::make(config.models, *house->client_, house->ring_, clock, random));
  return house;
}

}  // namespace parley::server
