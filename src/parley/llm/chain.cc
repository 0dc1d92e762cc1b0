#include "parley/llm/chain.h"

#include <algorithm>

#include <fmt/format.h>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "parley/llm/one_thread.h"
#include "parley/llm/tokens.h"

namespace parley::llm {
namespace {

// Refused before any work, and worth another try soon.
bool may_try_again(const Attempt& attempt, const Meter& meter) {
  if (meter.delivered || meter.accepted || !attempt.failure) return false;
  switch (*attempt.failure) {
    case Failure::unreachable:
    case Failure::rate_limited:
    case Failure::overloaded:
    case Failure::provider_broken: return true;
    default: return false;
  }
}

std::int64_t output_limit(const Request& request, const ModelCard& card) {
  return request.output_tokens_max > 0 ? std::min(request.output_tokens_max, card.output_tokens_max)
                                       : card.output_tokens_max;
}

}  // namespace

/// What a call has cost so far, over all attempts; settles when it goes.
struct Chain::Bill {
  explicit Bill(std::unique_ptr<Reservation> pays) : reservation(std::move(pays)) {}
  ~Bill() {
    close_attempt();
    reservation->settle(completion.cost);
  }
  Bill(const Bill&) = delete;
  Bill& operator=(const Bill&) = delete;

  void open_attempt(const Prices& prices) {
    close_attempt();
    meter = Meter();
    open = &prices;
  }
  void close_attempt() {
    if (!open) return;
    const auto used = meter.payable();
    completion.cost += cost_of(used, *open);
    completion.usage.input += used.input;
    completion.usage.cached_input += used.cached_input;
    completion.usage.output += used.output;
    completion.usage_reported = meter.reported;
    open = nullptr;
  }

  std::unique_ptr<Reservation> reservation;
  Meter meter;
  const Prices* open = nullptr;
  Completion completion;
};

std::vector<std::string> Chain::names() const {
  std::vector<std::string> names;
  for (const auto& link : links_) names.push_back(link.model->card().name);
  return names;
}

Micros Chain::cost_max(const Request& request) const {
  const auto input = tokens_max(request);
  Micros most = 0;
  for (const auto& link : links_) {
    const auto& card = link.model->card();
    const Usage usage{
        .input = std::min(input, card.context_tokens), .cached_input = 0, .output = output_limit(request, card)};
    most = std::max(most, cost_of(usage, card.prices));
  }
  return most;
}

Async<PaidRequest> Chain::reserve(Request request, Purse& purse) const {
  const auto most = cost_max(request);
  auto reservation = PARLEY_CO_TRY(co_await purse.reserve(most));
  co_return PaidRequest(std::make_shared<const Request>(std::move(request)), std::move(reservation), most);
}

Async<Completion> Chain::run(PaidRequest paid, Listener& listener) const {
  auto work = run_here(std::move(paid), &listener);
  co_return co_await on_one_thread(std::move(work));
}

std::chrono::milliseconds Chain::wait_before(int attempt) const {
  const auto most = std::min(options_.wait_min * (1 << std::min(attempt - 1, 10)), options_.wait_max);
  std::array<std::uint8_t, 2> bytes{};
  random_.fill(bytes);
  const auto share = bytes[0] << 8 | bytes[1];
  // Never less than half: no wait at all is no wait.
  return most / 2 + most * share / (2 * 65'535);
}

asio::awaitable<Attempt> Chain::try_model(const Link* link, std::shared_ptr<const Request> request, Listener* listener,
                                          Bill* bill) const {
  const auto& card = link->model->card();
  for (int attempt = 1;; ++attempt) {
    auto pass = link->breaker->ask();
    if (!pass) co_return Attempt{.model = card.name, .failure = Failure::circuit_open};
    bill->open_attempt(card.prices);
    auto outcome = co_await link->model->run(request, &bill->meter, listener);
    bill->close_attempt();
    if (!outcome.failure) pass->went_well();
    else if (is_upstreams_fault(*outcome.failure)) pass->failed();
    if (attempt >= options_.attempts_max || !may_try_again(outcome, bill->meter)) co_return outcome;
    auto wait = wait_before(attempt);
    if (outcome.retry_after) wait = std::max(wait, *outcome.retry_after);
    if (wait > options_.wait_max) co_return outcome;
    bill->completion.setbacks.push_back({card.name, *outcome.failure, outcome.status});
    pass.reset();
    asio::steady_timer timer(co_await asio::this_coro::executor);
    timer.expires_after(wait);
    boost::system::error_code error;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return Attempt{.model = card.name, .failure = Failure::cancelled};
  }
}

Async<Completion> Chain::run_here(PaidRequest paid, Listener* listener) const {
  if (!paid.reservation_) co_return fail(Code::internal, "a paid request was run twice");
  Bill bill(std::move(paid.reservation_));
  bool too_long_everywhere = true;
  for (const auto& link : links_) {
    auto attempt = co_await try_model(&link, paid.request_, listener, &bill);
    if (!attempt.failure) {
      bill.completion.model = std::move(attempt.model);
      bill.completion.finish = attempt.finish;
      co_return bill.completion;
    }
    if (attempt.listener_error) co_return fail(*std::move(attempt.listener_error));
    if (attempt.failure == Failure::cancelled) co_return fail(Code::cancelled, "the caller has left");
    // The kind and the status, and nothing that somebody else wrote.
    auto detail = fmt::format("{}: {}, status {}", attempt.model, name(*attempt.failure).view(), attempt.status);
    if (bill.meter.delivered) {
      if (attempt.failure == Failure::timed_out)
        co_return fail(Code::timeout, "the model fell silent before its answer was whole", std::move(detail));
      co_return fail(Code::unavailable, "the model broke off before its answer was whole", std::move(detail));
    }
    too_long_everywhere = too_long_everywhere && attempt.failure == Failure::too_long;
    bill.completion.setbacks.push_back({std::move(attempt.model), *attempt.failure, attempt.status});
  }
  std::string tried;
  for (const auto& setback : bill.completion.setbacks)
    tried += fmt::format("{}{}: {}, status {}", tried.empty() ? "" : "; ", setback.model, name(setback.failure).view(),
                         setback.status);
  if (too_long_everywhere)
    co_return fail(Code::too_large, "the conversation is too long for the model", std::move(tried));
  co_return fail(Code::unavailable, "no model answers now", std::move(tried));
}

}  // namespace parley::llm
