#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "parley/llm/chain.h"
#include "parley/llm/model.h"

namespace parley::testing {

/// A model that says what a test wrote for it: one script for each attempt, the last one again and again.
class ScriptedModel final : public llm::Model {
 public:
  struct Script {
    std::vector<llm::Event> events;
    std::optional<llm::Failure> failure = std::nullopt;  ///< behind the events
    llm::Finish finish = llm::Finish::stop;
    llm::Usage usage = {};
    bool reported = true;  ///< whether the provider told its count
    bool accepted = true;  ///< whether it may charge
    int status = 200;
    std::optional<std::chrono::milliseconds> retry_after = std::nullopt;
  };

  ScriptedModel(llm::ModelCard card, std::vector<Script> scripts)
      : card_(std::move(card)), scripts_(std::move(scripts)) {}

  /// Answers with this text, in pieces, and costs nothing.
  static std::shared_ptr<ScriptedModel> saying(std::string name, const std::vector<std::string>& pieces) {
    Script script;
    for (const auto& piece : pieces) script.events.emplace_back(llm::TextDelta{piece});
    return std::make_shared<ScriptedModel>(
        llm::ModelCard{.name = std::move(name), .context_tokens = 8'000, .output_tokens_max = 1'000},
        std::vector{std::move(script)});
  }

  const llm::ModelCard& card() const override { return card_; }

  asio::awaitable<llm::Attempt> run(std::shared_ptr<const llm::Request> request, llm::Meter* meter,
                                    llm::Listener* listener) override {
    const Script script = next(*request);
    meter->accepted = script.accepted;
    llm::Attempt attempt{.model = card_.name, .failure = script.failure, .status = script.status};
    attempt.retry_after = script.retry_after;
    for (const auto& event : script.events) {
      meter->delivered = true;
      Result<void> taken;
      if (const auto* delta = std::get_if<llm::TextDelta>(&event)) taken = co_await listener->text(delta->text);
      else taken = co_await listener->tool_call(std::get<llm::ToolCall>(event));
      if (!taken) {
        const bool left = taken.error().code() == Code::cancelled;
        attempt.failure = left ? llm::Failure::cancelled : llm::Failure::listener_failed;
        attempt.listener_error = taken.error();
        co_return attempt;
      }
    }
    meter->usage = script.usage;
    meter->reported = script.reported;
    attempt.finish = script.finish;
    co_return attempt;
  }

  asio::awaitable<llm::Attempt> probe() override {
    const std::lock_guard lock(mutex_);
    co_return llm::Attempt{.model = card_.name, .failure = scripts_.empty() ? std::nullopt : scripts_.front().failure};
  }

  /// What it was asked.
  std::vector<llm::Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  Script next(const llm::Request& request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    const auto at = std::min(requests_.size(), scripts_.size());
    return at == 0 ? Script{} : scripts_[at - 1];
  }

  const llm::ModelCard card_;
  const std::vector<Script> scripts_;
  mutable std::mutex mutex_;
  std::vector<llm::Request> requests_;
};

/// Keeps what it hears.
class HearingListener final : public llm::Listener {
 public:
  std::string heard;
  int pieces = 0;
  std::vector<llm::ToolCall> calls;
  std::optional<Error> fails_with;

  Async<> text(std::string piece) override {
    if (fails_with) co_return fail(*fails_with);
    heard += piece;
    ++pieces;
    co_return Result<void>();
  }
  Async<> tool_call(llm::ToolCall call) override {
    if (fails_with) co_return fail(*fails_with);
    calls.push_back(std::move(call));
    co_return Result<void>();
  }
};

/// Lends up to a limit, and writes down what was set aside and what was paid.
class CountingPurse final : public llm::Purse {
 public:
  explicit CountingPurse(llm::Micros limit = 1'000'000'000) : limit_(limit) {}

  Async<std::unique_ptr<llm::Reservation>> reserve(llm::Micros most) override {
    if (most > limit_) co_return fail(Code::budget_exceeded, "nothing left");
    reserved.push_back(most);
    co_return std::unique_ptr<llm::Reservation>(std::make_unique<Held>(*this));
  }

  std::vector<llm::Micros> reserved;
  std::vector<llm::Micros> settled;
  int given_back = 0;

 private:
  class Held final : public llm::Reservation {
   public:
    explicit Held(CountingPurse& purse) : purse_(purse) {}
    ~Held() override {
      if (!settled_) ++purse_.given_back;
    }
    void settle(llm::Micros cost) override {
      if (!settled_) purse_.settled.push_back(cost);
      settled_ = true;
    }

   private:
    CountingPurse& purse_;
    bool settled_ = false;
  };
  const llm::Micros limit_;
};

}  // namespace parley::testing
