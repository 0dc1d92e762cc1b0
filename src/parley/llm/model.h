#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/json/object.hpp>

#include "parley/base/literal.h"
#include "parley/base/result.h"
#include "parley/llm/price.h"
#include "parley/net/async.h"

namespace parley::llm {

enum class Role : std::uint8_t { system, user, assistant, tool };

/// What a model wants done. Name and arguments are the model's words and as untrusted as its text.
struct ToolCall {
  std::string id;  ///< the provider's, to be given back with the result
  std::string name;
  std::string arguments;  ///< JSON text, not checked: it may be cut off or nonsense

  bool operator==(const ToolCall&) const = default;
};

struct Message {
  Role role = Role::user;
  std::string text = {};
  std::vector<ToolCall> tool_calls = {};  ///< of an assistant's message
  std::string tool_call_id = {};          ///< of a tool's message: which call it answers
};

/// A tool as it is offered to a model.
struct ToolOffer {
  std::string name;
  std::string description;
  boost::json::object parameters;  ///< JSON Schema
};

/// Where the built-in's words come from: sentences that stand in the documents. Whoever asks has them found, and only
/// if the built-in is asked.
class Extractor {
 public:
  struct Extract {
    bool answered = false;
    std::string text;
  };
  virtual ~Extractor() = default;
  virtual Async<Extract> extract() = 0;
};

struct Request {
  std::vector<Message> messages = {};
  std::vector<ToolOffer> tools = {};
  /// Nought: the model's own limit, which always holds.
  std::int64_t output_tokens_max = 0;
  std::optional<double> temperature = std::nullopt;
  /// Sent along where it is not empty, so that a provider's record can be found by ours (W3C Trace Context).
  std::string traceparent = {};
  /// Must outlive the call. Without one the built-in cannot answer.
  Extractor* extractor = nullptr;
};

/// Why a model was not asked or did not answer. All that anybody learns of what a provider said: its words stay in the
/// reader of its answer.
enum class Failure : std::uint8_t {
  address_refused,  ///< the egress list does not let us go there
  unreachable,      ///< no connection, or it was cut before the answer began
  timed_out,
  key_missing,      ///< the reference to the key leads to nothing
  key_refused,      ///< 401, 403
  rate_limited,     ///< 429
  overloaded,       ///< 503, 529
  provider_broken,  ///< another 5xx
  request_refused,  ///< another 4xx: a wrong model name, a setting it does not know
  too_long,         ///< the request does not fit the model
  bad_answer,       ///< not what the protocol says
  interrupted,      ///< broken off, or the provider reported an error, after the answer had begun
  circuit_open,     ///< failed too often just now; not asked
  listener_failed,  ///< whoever listens could not take more; not the model's fault
  cancelled,        ///< the caller has left
};
inline constexpr std::size_t failures_count = 15;
Literal name(Failure failure);

/// Why the text ends.
enum class Finish : std::uint8_t {
  stop,        ///< the model had no more to say
  length,      ///< it was cut at the limit: `incomplete`
  tool_calls,  ///< it waits for what the tools say
  withheld,    ///< the provider's filter, or the model refused
};
Literal name(Finish finish);

struct TextDelta {
  std::string text;
  bool operator==(const TextDelta&) const = default;
};
using Event = std::variant<TextDelta, ToolCall>;

/// Receives an answer while it is being made. An error ends the call; it is handed back to whoever made it.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual Async<> text(std::string piece) = 0;
  /// A whole call, with all its arguments. After the text, before the end.
  virtual Async<> tool_call(ToolCall call) = 0;
};

/// What a call has used so far. Written while it runs, so that it is right at whatever point the call ends, an
/// exception of a cancelled coroutine included.
struct Meter {
  bool accepted = false;   ///< the provider may be working on it, and charging for it
  bool delivered = false;  ///< the listener has heard something: nobody else may answer now
  bool reported = false;   ///< `usage` is the provider's own count
  Usage usage;
  std::int64_t input_tokens_guess = 0;
  std::int64_t output_quarters = 0;  ///< guessed from what arrived, in quarters of a token

  /// What has to be paid for, as far as is known.
  Usage payable() const;
};

/// How one attempt ended.
struct Attempt {
  std::string model;  ///< its name in the configuration
  std::optional<Failure> failure;
  int status = 0;  ///< of HTTP, where there was an answer
  Finish finish = Finish::stop;
  /// The provider's word on when to come back.
  std::optional<std::chrono::milliseconds> retry_after;
  /// A listener's error, with `Failure::listener_failed`.
  std::optional<Error> listener_error;
};

/// What an installation knows of a model.
struct ModelCard {
  std::string name;                    ///< in the configuration; the same text goes to logs and is no secret
  std::int64_t context_tokens = 0;     ///< input and output together
  std::int64_t output_tokens_max = 0;  ///< of one answer
  Prices prices;
};

/// A language model, wherever it runs. One call is one attempt: trying again, falling back and paying is the chain's.
class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelCard& card() const = 0;
  /// Makes one attempt. `meter` and `listener` must outlive it. Does not throw but for a cancelled coroutine.
  virtual asio::awaitable<Attempt> run(std::shared_ptr<const Request> request, Meter* meter, Listener* listener) = 0;
  /// Whether it could be asked now: reachable, and the key is taken. Costs nothing. None: it could.
  virtual asio::awaitable<Attempt> probe() = 0;
};

}  // namespace parley::llm
