#include "parley/llm/upstream.h"

#include <algorithm>
#include <charconv>

#include "parley/crypto/hash.h"
#include "parley/llm/tokens.h"

namespace parley::llm {
namespace {

// A person waits for it, and what takes longer to list its models is not well.
constexpr std::chrono::milliseconds probe_within{10'000};

Failure failure_of(const Error& error) {
  switch (error.code()) {
    case Code::timeout: return Failure::timed_out;
    case Code::permission_denied: return Failure::address_refused;
    case Code::cancelled: return Failure::cancelled;
    case Code::invalid_argument: return Failure::key_missing;  // a key that cannot stand in a header
    default: return Failure::unreachable;
  }
}

std::optional<Failure> failure_of_status(int status) {
  switch (status) {
    case 200: return std::nullopt;
    case 401:
    case 403: return Failure::key_refused;
    case 413: return Failure::too_long;
    case 429: return Failure::rate_limited;
    case 503:
    case 529: return Failure::overloaded;
    case 408:
    case 504: return Failure::timed_out;
    default: break;
  }
  if (status >= 500) return Failure::provider_broken;
  // A redirect, too: a prompt and a key are not passed on to where somebody points.
  return status >= 300 ? Failure::request_refused : Failure::bad_answer;
}

// In seconds, or in milliseconds by the header that some send beside it. A date is not looked at: clocks differ.
std::optional<std::chrono::milliseconds> retry_after_of(const http::ResponseHead& head) {
  const auto whole = [&](std::string_view name) -> std::optional<std::int64_t> {
    const auto text = head.header(name);
    std::int64_t number = 0;
    if (!text) return std::nullopt;
    const auto [end, status] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (status != std::errc() || end != text->data() + text->size() || number < 0) return std::nullopt;
    return number;
  };
  constexpr std::int64_t seconds_max = 3'600;
  if (const auto ms = whole("retry-after-ms")) return std::chrono::milliseconds(std::min(*ms, seconds_max * 1'000));
  if (const auto seconds = whole("retry-after")) return std::chrono::seconds(std::min(*seconds, seconds_max));
  return std::nullopt;
}

bool is_event_stream(const http::ResponseHead& head) {
  constexpr std::string_view type = "text/event-stream";
  const auto said = head.header("content-type");
  if (!said || said->size() < type.size()) return false;
  for (std::size_t i = 0; i < type.size(); ++i) {
    const char c = (*said)[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != type[i]) return false;
  }
  if (said->size() > type.size() && (*said)[type.size()] != ';' && (*said)[type.size()] != ' ') return false;
  // We asked for none; bytes that we cannot read are no answer.
  const auto encoding = head.header("content-encoding");
  return !encoding || *encoding == "identity";
}

// However the call ends, an exception of a cancelled coroutine included, the meter knows whether it may cost.
struct AcceptedUnlessRefused {
  explicit AcceptedUnlessRefused(Meter* to) : meter(to) {}
  ~AcceptedUnlessRefused() {
    if (!refused && sent == http::Sent::maybe) meter->accepted = true;
  }
  AcceptedUnlessRefused(const AcceptedUnlessRefused&) = delete;
  AcceptedUnlessRefused& operator=(const AcceptedUnlessRefused&) = delete;
  Meter* meter;
  http::Sent sent = http::Sent::no;
  bool refused = false;
};

}  // namespace

UpstreamModel::UpstreamModel(UpstreamOptions options, std::unique_ptr<const Protocol> protocol, http::Client& client,
                             secrets::Secrets& secrets)
    : options_(std::move(options)), protocol_(std::move(protocol)), client_(client), secrets_(secrets) {}

Result<http::ClientRequest> UpstreamModel::address(const std::string& path, const Secret& key) const {
  std::string base = options_.base.to_string();
  while (base.ends_with('/')) base.pop_back();
  return http::ClientRequest{.url = PARLEY_TRY(net::parse_http_url(base + path)), .headers = protocol_->headers(key)};
}

Async<Secret> UpstreamModel::read_key() {
  if (!options_.key) co_return Secret();
  co_return co_await secrets_.read(*options_.key);
}

asio::awaitable<std::optional<Secret>> UpstreamModel::changed_key(Secret refused) {
  if (!options_.key) co_return std::nullopt;
  secrets_.expire(*options_.key);
  auto now = co_await secrets_.read(*options_.key);
  if (!now || crypto::equal_constant_time(now->reveal(), refused.reveal())) co_return std::nullopt;
  co_return *std::move(now);
}

asio::awaitable<Attempt> UpstreamModel::run(std::shared_ptr<const Request> request, Meter* meter, Listener* listener) {
  const auto key = co_await read_key();
  if (!key) co_return Attempt{.model = options_.card.name, .failure = Failure::key_missing};
  auto attempt = co_await ask(request, *key, meter, listener);
  if (attempt.failure == Failure::key_refused) {
    // Rotated since we read it, it may be.
    auto other = co_await changed_key(*key);
    if (other) attempt = co_await ask(std::move(request), *std::move(other), meter, listener);
  }
  co_return attempt;
}

asio::awaitable<Attempt> UpstreamModel::ask(std::shared_ptr<const Request> request, Secret key, Meter* meter,
                                            Listener* listener) {
  Attempt attempt{.model = options_.card.name};
  const auto end = [&](std::optional<Failure> failure) {
    attempt.failure = failure;
    return std::move(attempt);
  };
  const auto& card = options_.card;
  const auto output_tokens_max = request->output_tokens_max > 0
                                     ? std::min(request->output_tokens_max, card.output_tokens_max)
                                     : card.output_tokens_max;
  meter->input_tokens_guess = estimate_tokens(*request);
  if (meter->input_tokens_guess + output_tokens_max > card.context_tokens) co_return end(Failure::too_long);

  auto call = address(protocol_->path(), key);
  if (!call) co_return end(Failure::address_refused);
  call->headers.push_back({"Content-Type", Secret("application/json")});
  call->headers.push_back({"Accept", Secret("text/event-stream")});
  if (!request->traceparent.empty()) call->headers.push_back({"traceparent", Secret(request->traceparent)});
  call->body = protocol_->body(*request, output_tokens_max);

  AcceptedUnlessRefused accepted(meter);
  auto answer = co_await client_.send(*std::move(call), options_.timeouts, &accepted.sent);
  if (!answer) co_return end(failure_of(answer.error()));
  const auto& head = (*answer)->head();
  attempt.status = head.status;
  if (const auto failure = failure_of_status(head.status)) {
    // What else the provider says stays unread.
    accepted.refused = true;
    attempt.retry_after = retry_after_of(head);
    http::ClientAnswer::leave(*std::move(answer));
    co_return end(*failure);
  }
  if (!is_event_stream(head)) co_return end(Failure::bad_answer);

  EventStream stream(protocol_->reader());
  std::vector<Event> events;
  std::uint64_t lines = 0;
  while (true) {
    std::optional<Failure> failure;
    bool ended = false;
    const auto bytes = co_await (*answer)->read();
    if (!bytes) {
      failure = failure_of(bytes.error());
      if (*failure == Failure::unreachable) failure = Failure::interrupted;
    } else if (bytes->empty()) {
      ended = true;
      failure = stream.end(events);
    } else {
      failure = stream.feed(*bytes, *meter, events);
      if (!failure && stream.done() && !ended) {
        ended = true;
        failure = stream.end(events);
      }
      if (stream.lines() != lines) {
        lines = stream.lines();
        (*answer)->progress();
      }
    }
    // What came before a failure was said, and stays said.
    for (auto& event : events) {
      meter->delivered = true;
      Result<void> taken;
      if (auto* delta = std::get_if<TextDelta>(&event)) taken = co_await listener->text(std::move(delta->text));
      else taken = co_await listener->tool_call(std::get<ToolCall>(std::move(event)));
      if (!taken) {
        attempt.listener_error = std::move(taken).error();
        const bool left = attempt.listener_error->code() == Code::cancelled;
        co_return end(left ? Failure::cancelled : Failure::listener_failed);
      }
    }
    events.clear();
    if (failure) co_return end(*failure);
    if (ended) break;
  }
  attempt.finish = stream.finish();
  http::ClientAnswer::leave(*std::move(answer));
  co_return end(std::nullopt);
}

asio::awaitable<Attempt> UpstreamModel::ask_for_list(Secret key) {
  Attempt attempt{.model = options_.card.name};
  auto call = address(protocol_->probe_path(), key);
  if (!call) {
    attempt.failure = Failure::address_refused;
    co_return attempt;
  }
  auto timeouts = options_.timeouts;
  timeouts.total = std::min(timeouts.total, probe_within);
  auto answer = co_await client_.send(*std::move(call), timeouts);
  if (!answer) {
    attempt.failure = failure_of(answer.error());
    co_return attempt;
  }
  attempt.status = (*answer)->head().status;
  // Not everybody has such a list; whoever says so was reached, and took the key.
  if (attempt.status != 404 && attempt.status != 405) attempt.failure = failure_of_status(attempt.status);
  http::ClientAnswer::leave(*std::move(answer));
  co_return attempt;
}

asio::awaitable<Attempt> UpstreamModel::probe() {
  const auto key = co_await read_key();
  if (!key) co_return Attempt{.model = options_.card.name, .failure = Failure::key_missing};
  auto attempt = co_await ask_for_list(*key);
  if (attempt.failure == Failure::key_refused) {
    auto other = co_await changed_key(*key);
    if (other) attempt = co_await ask_for_list(*std::move(other));
  }
  co_return attempt;
}

}  // namespace parley::llm
