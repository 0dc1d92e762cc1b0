#pragma once

#include "parley/llm/model.h"

namespace parley::llm {

/// The answerer that needs no model: says what `Request::extractor` found, in pieces as a model would. Costs nothing,
/// calls no tools, and stands at the end of every chain.
class BuiltinModel final : public Model {
 public:
  BuiltinModel();

  const ModelCard& card() const override { return card_; }
  asio::awaitable<Attempt> run(std::shared_ptr<const Request> request, Meter* meter, Listener* listener) override;
  asio::awaitable<Attempt> probe() override;

 private:
  const ModelCard card_;
};

/// Its name in configurations and reports.
inline constexpr std::string_view builtin_name = "builtin";

}  // namespace parley::llm
