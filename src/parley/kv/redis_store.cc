#include "parley/kv/redis_store.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "parley/kv/redis_scripts.h"
#include "parley/kv/signal_hub.h"
#include "parley/log/log.h"
#include "parley/net/descriptor.h"

namespace parley::kv {
namespace {

/// What may wait to be sent: a second's worth for a node at its busiest. More waiting is a server that cannot keep up,
/// and refusing then is better than memory and late answers.
constexpr std::size_t waiting_max = 10'000;
/// Sent together at most: their replies fit a socket's buffer, so neither side waits for the other to read.
constexpr std::size_t batch_max = 128;

enum class Script : std::uint8_t { none, take, give_back, reserve, settle, raise };
constexpr std::array scripts{take_script, give_back_script, reserve_script, settle_script, raise_script};

struct Job {
  Script script = Script::none;
  Command words;  ///< for a script: number of keys, keys, arguments
  std::move_only_function<void(Result<Reply>)> done;
};

std::unexpected<Error> away() { return fail(Code::unavailable, "the shared counters cannot be reached"); }

std::string forget_at(Timestamp ends_at) { return std::to_string((ends_at + budget_kept_after).micros / 1000); }

/// The two numbers that most scripts answer.
Result<std::pair<std::int64_t, std::int64_t>> pair_of(const Reply& reply) {
  if (reply.kind != Reply::Kind::list || reply.list.size() != 2 || reply.list[0].kind != Reply::Kind::integer ||
      reply.list[1].kind != Reply::Kind::integer)
    return fail(Code::unavailable, "the shared counters answer something else", reply.text);
  return std::pair(reply.list[0].integer, reply.list[1].integer);
}

}  // namespace

/// The connection that commands go over.
class RedisStore::Sender {
 public:
  explicit Sender(const RedisOptions& options) : options_(options) {
    connect();
    thread_ = std::thread([this] { run(); });
  }
  ~Sender() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  bool connected() const { return connected_; }

  void submit(Job job) {
    {
      const std::scoped_lock lock(mutex_);
      if (connected_ && !stopping_ && waiting_.size() < waiting_max) {
        waiting_.push_back(std::move(job));
        wake_.notify_one();
        return;
      }
    }
    if (job.done) job.done(away());
  }

  Async<Reply> call(Script script, Command words) {
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<Reply>)>(
        [this](auto handler, Script what, Command with) {
          submit({what, std::move(with), [handler = std::move(handler)](Result<Reply> result) mutable {
                    auto executor = asio::get_associated_executor(handler);
                    asio::post(executor, [handler = std::move(handler), result = std::move(result)]() mutable {
                      std::move(handler)(std::move(result));
                    });
                  }});
        },
        asio::use_awaitable, script, std::move(words));
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait_for(lock, connected_ ? options_.heartbeat : options_.retry_pause,
                     [&] { return stopping_ || !waiting_.empty(); });
      if (stopping_ && waiting_.empty()) return;
      std::vector<Job> batch;
      while (!waiting_.empty() && batch.size() < batch_max) {
        batch.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
      }
      lock.unlock();
      if (link_) serve(batch);
      else connect();
      lock.lock();
      if (link_) continue;
      // What came in before the loss was noticed.
      std::deque<Job> lost = std::exchange(waiting_, {});
      lock.unlock();
      for (Job& job : lost)
        if (job.done) job.done(away());
      lock.lock();
    }
  }

  void connect() {
    auto link = RedisLink::connect(options_.address, options_.reply_timeout);
    if (link) {
      link_ = *std::move(link);
      if (auto loaded = load_scripts(); !loaded) link = fail(std::move(loaded).error());
    }
    if (!link) {
      link_.reset();
      // Once for each loss, not once for each attempt.
      if (!told_) {
        log::write(
            log::Level::error, "redis_unreachable",
            {{"reason", link.error().reason()}, log::Field::operator_text("detail", link.error().operator_detail())});
      }
      told_ = true;
      return;
    }
    if (told_) log::write(log::Level::info, "redis_reachable_again", {});
    told_ = false;
    const std::scoped_lock lock(mutex_);
    connected_ = true;
  }

  Result<void> load_scripts() {
    std::vector<Command> commands;
    for (const auto script : scripts) commands.push_back({"SCRIPT", "LOAD", std::string(script)});
    const auto replies = PARLEY_TRY(link_->call(std::span<const Command>(commands)));
    for (std::size_t i = 0; i < scripts.size(); ++i) {
      if (replies[i].kind != Reply::Kind::text)
        return fail(Code::unavailable, "the shared counters refuse our scripts", replies[i].text);
      digests_[i] = replies[i].text;
    }
    return {};
  }

  Command command_of(const Job& job) const {
    if (job.script == Script::none) return job.words;
    Command command{"EVALSHA", digests_[static_cast<std::size_t>(job.script) - 1]};
    command.insert(command.end(), job.words.begin(), job.words.end());
    return command;
  }

  /// Without jobs: asks whether the server is still there.
  void serve(std::vector<Job>& batch) {
    std::vector<Command> commands;
    for (const Job& job : batch) commands.push_back(command_of(job));
    if (batch.empty()) commands.push_back({"PING"});
    auto replies = link_->call(std::span<const Command>(commands));
    if (replies) {
      // A server that was restarted or failed over forgot the scripts, and says so without having run anything.
      std::vector<std::size_t> again;
      for (std::size_t i = 0; i < batch.size(); ++i)
        if ((*replies)[i].kind == Reply::Kind::refusal && (*replies)[i].text.starts_with("NOSCRIPT"))
          again.push_back(i);
      if (!again.empty()) replies = repeat(batch, again, *std::move(replies));
    }
    if (!replies) return lose(batch, replies.error());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (!batch[i].done) continue;
      Reply& reply = (*replies)[i];
      if (reply.kind == Reply::Kind::refusal)
        batch[i].done(fail(Code::unavailable, "the shared counters refuse a command", std::move(reply.text)));
      else batch[i].done(std::move(reply));
    }
  }

  Result<std::vector<Reply>> repeat(const std::vector<Job>& batch, const std::vector<std::size_t>& which,
                                    std::vector<Reply> replies) {
    PARLEY_TRY(load_scripts());
    std::vector<Command> commands;
    for (const std::size_t i : which) commands.push_back(command_of(batch[i]));
    auto repeated = PARLEY_TRY(link_->call(std::span<const Command>(commands)));
    for (std::size_t k = 0; k < which.size(); ++k) replies[which[k]] = std::move(repeated[k]);
    return replies;
  }

  void lose(std::vector<Job>& batch, const Error& why) {
    {
      const std::scoped_lock lock(mutex_);
      connected_ = false;
    }
    link_.reset();
    log::write(log::Level::error, "redis_lost",
               {{"reason", why.reason()}, log::Field::operator_text("detail", why.operator_detail())});
    told_ = true;
    for (Job& job : batch)
      if (job.done) job.done(fail(why));
  }

  const RedisOptions options_;
  std::unique_ptr<RedisLink> link_;  ///< the thread's own, after the constructor
  std::array<std::string, scripts.size()> digests_;
  bool told_ = false;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> waiting_;
  bool stopping_ = false;
  std::atomic<bool> connected_ = false;  ///< written under the mutex
  std::thread thread_;
};

/// The connection that messages come over.
class RedisStore::Listener {
 public:
  Listener(const RedisOptions& options, std::string node, std::shared_ptr<SignalHub> hub)
      : options_(options), node_(std::move(node)), hub_(std::move(hub)), stop_(::eventfd(0, EFD_CLOEXEC)) {
    thread_ = std::thread([this] { run(); });
  }
  ~Listener() {
    const std::uint64_t one = 1;
    (void)!::write(stop_.get(), &one, sizeof one);
    thread_.join();
  }

  bool connected() const { return connected_; }

 private:
  void run() {
    for (;;) {
      auto link = RedisLink::connect(options_.address, options_.reply_timeout);
      if (link && (*link)->send({"SUBSCRIBE", options_.prefix + ":signals"})) listen(**link);
      connected_ = false;
      hub_->tell_missed();
      if (stopped_within(options_.retry_pause)) return;
    }
  }

  /// Until the connection or the store ends.
  void listen(RedisLink& link) {
    // One unanswered ping is a lost connection: a cable that was pulled says nothing.
    bool asked = false;
    for (;;) {
      std::array<pollfd, 2> waits{pollfd{link.descriptor(), POLLIN, 0}, pollfd{stop_.get(), POLLIN, 0}};
      const int ready = ::poll(waits.data(), waits.size(), static_cast<int>(options_.heartbeat.count()));
      if (ready < 0 && errno == EINTR) continue;
      if (ready < 0 || waits[1].revents != 0) return;
      if (ready == 0) {
        if (asked || !link.send({"PING"})) return;
        asked = true;
        continue;
      }
      auto arrived = link.arrived();
      if (!arrived) return;
      asked = false;
      for (const Reply& reply : *arrived) handle(reply);
    }
  }

  void handle(const Reply& reply) {
    if (reply.kind != Reply::Kind::list || reply.list.size() != 3) return;
    if (reply.list[0].text == "subscribe") {
      connected_ = true;
      // What was sent before this moment did not reach us.
      hub_->tell_missed();
    } else if (reply.list[0].text == "message") {
      // node, topic, payload, a line each; the payload may hold anything.
      const std::string_view message = reply.list[2].text;
      const auto first = message.find('\n');
      const auto second = first == std::string_view::npos ? first : message.find('\n', first + 1);
      if (second == std::string_view::npos || message.substr(0, first) == node_) return;
      hub_->tell(message.substr(first + 1, second - first - 1), message.substr(second + 1));
    }
  }

  bool stopped_within(std::chrono::milliseconds time) const {
    pollfd wait{stop_.get(), POLLIN, 0};
    return ::poll(&wait, 1, static_cast<int>(time.count())) > 0;
  }

  const RedisOptions options_;
  const std::string node_;
  const std::shared_ptr<SignalHub> hub_;
  const net::Descriptor stop_;
  std::atomic<bool> connected_ = false;
  std::thread thread_;
};

RedisStore::RedisStore(RedisOptions options) : options_(std::move(options)), hub_(std::make_shared<SignalHub>()) {
  // Not a secret, only unlike any other node's.
  std::random_device random;
  node_ = fmt::format("{:08x}{:08x}{:08x}", random(), random(), random());
  listener_ = std::make_unique<Listener>(options_, node_, hub_);
  sender_ = std::make_unique<Sender>(options_);
}

RedisStore::~RedisStore() = default;

bool RedisStore::connected() const { return sender_->connected() && listener_->connected(); }

std::string RedisStore::rate_key(std::uint64_t key) const {
  return fmt::format("{}:rate:{:016x}", options_.prefix, key);
}
std::string RedisStore::budget_key(std::string_view key) const {
  return fmt::format("{}:budget:{}", options_.prefix, key);
}
std::string RedisStore::claims_key(std::string_view key) const {
  return fmt::format("{}:claims:{}", options_.prefix, key);
}

Async<std::optional<Exceeded>> RedisStore::take(Counts counts) {
  if (counts.empty()) co_return std::nullopt;
  Command words{std::to_string(counts.size())};
  for (const Count& count : counts) words.push_back(rate_key(count.key));
  for (const Count& count : counts) {
    words.push_back(std::to_string(count.rate.step_micros()));
    words.push_back(std::to_string(count.rate.burst_micros()));
  }
  const auto reply = PARLEY_CO_TRY(co_await sender_->call(Script::take, std::move(words)));
  const auto [which, wait] = PARLEY_CO_TRY(pair_of(reply));
  if (which == 0) co_return std::nullopt;
  co_return Exceeded{static_cast<std::size_t>(which - 1), std::chrono::microseconds(wait)};
}

void RedisStore::give_back(Counts counts) {
  if (counts.empty()) return;
  Command words{std::to_string(counts.size())};
  for (const Count& count : counts) words.push_back(rate_key(count.key));
  for (const Count& count : counts) words.push_back(std::to_string(count.rate.step_micros()));
  sender_->submit({Script::give_back, std::move(words), {}});
}

Async<Reserved> RedisStore::reserve(Claim claim) {
  Command words{std::to_string(claim.lines.size() * 2)};
  for (const BudgetLine& line : claim.lines) {
    words.push_back(budget_key(line.key));
    words.push_back(claims_key(line.key));
  }
  words.push_back(claim.id);
  words.push_back(std::to_string(claim.amount));
  words.push_back(std::to_string(claim.expires_in.count()));
  for (const BudgetLine& line : claim.lines) {
    words.push_back(std::to_string(line.limit));
    words.push_back(forget_at(line.ends_at));
  }
  const auto reply = PARLEY_CO_TRY(co_await sender_->call(Script::reserve, std::move(words)));
  const auto [outcome, which] = PARLEY_CO_TRY(pair_of(reply));
  if (outcome == 0) co_return Reserved{};
  co_return Reserved{outcome == 1 ? Reserved::Outcome::over : Reserved::Outcome::unknown,
                     static_cast<std::size_t>(which - 1)};
}

void RedisStore::settle(Claim claim, Micros cost) {
  Command words{std::to_string(claim.lines.size() * 2)};
  for (const BudgetLine& line : claim.lines) {
    words.push_back(budget_key(line.key));
    words.push_back(claims_key(line.key));
  }
  words.push_back(claim.id);
  words.push_back(std::to_string(claim.amount));
  words.push_back(std::to_string(cost));
  sender_->submit({Script::settle, std::move(words), {}});
}

Async<> RedisStore::raise(std::vector<Spent> spent) {
  if (spent.empty()) co_return Result<void>();
  Command words{std::to_string(spent.size())};
  for (const Spent& one : spent) words.push_back(budget_key(one.key));
  for (const Spent& one : spent) {
    words.push_back(std::to_string(one.settled));
    words.push_back(forget_at(one.ends_at));
  }
  PARLEY_CO_TRY(co_await sender_->call(Script::raise, std::move(words)));
  co_return Result<void>();
}

Async<std::optional<BudgetState>> RedisStore::budget(std::string key) {
  Command words{"HMGET", budget_key(key), "s", "r"};
  const auto reply = PARLEY_CO_TRY(co_await sender_->call(Script::none, std::move(words)));
  if (reply.list.size() != 2 || reply.list[0].kind != Reply::Kind::text) co_return std::nullopt;
  const auto number = [](const Reply& from) { return from.text.empty() ? Micros{0} : std::stoll(from.text); };
  co_return BudgetState{number(reply.list[0]), number(reply.list[1])};
}

Async<> RedisStore::publish(Signal signal) {
  if (signal.payload.size() > signal_bytes_max) co_return fail(Code::too_large, "a signal is too large");
  hub_->tell(signal.topic, signal.payload);
  Command words{"PUBLISH", options_.prefix + ":signals",
                fmt::format("{}\n{}\n{}", node_, signal.topic, signal.payload)};
  PARLEY_CO_TRY(co_await sender_->call(Script::none, std::move(words)));
  co_return Result<void>();
}

Subscription RedisStore::subscribe(Literal topic, OnSignal on_signal) {
  return {hub_, hub_->add(std::string(topic.view()), std::move(on_signal))};
}

}  // namespace parley::kv
