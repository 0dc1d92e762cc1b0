#include "parley/kv/redis_link.h"

#include <charconv>

#include <hiredis/hiredis.h>

namespace parley::kv {
namespace {

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using ReplyHandle = std::unique_ptr<redisReply, FreeReply>;

Reply take(const redisReply& from) {
  Reply reply;
  switch (from.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      reply.kind = Reply::Kind::text;
      reply.text.assign(from.str, from.len);
      break;
    case REDIS_REPLY_INTEGER:
      reply.kind = Reply::Kind::integer;
      reply.integer = from.integer;
      break;
    case REDIS_REPLY_ARRAY:
      reply.kind = Reply::Kind::list;
      for (std::size_t i = 0; i < from.elements; ++i) reply.list.push_back(take(*from.element[i]));
      break;
    case REDIS_REPLY_ERROR:
      reply.kind = Reply::Kind::refusal;
      reply.text.assign(from.str, from.len);
      break;
    default: break;
  }
  return reply;
}

timeval timeval_of(std::chrono::milliseconds time) {
  return {.tv_sec = static_cast<time_t>(time.count() / 1000),
          .tv_usec = static_cast<suseconds_t>(time.count() % 1000 * 1000)};
}

std::optional<int> number_of(std::string_view text, int max) {
  int value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size() || value < 0 || value > max) return std::nullopt;
  return value;
}

}  // namespace

Result<RedisAddress> parse_redis_url(std::string_view text) {
  const auto refuse = [] {
    return fail(Code::invalid_argument, "the Redis address must be redis://HOST:PORT or unix:/PATH");
  };
  RedisAddress address;
  if (text.starts_with("unix:/")) {
    address.socket = std::string(text.substr(5));
    return address;
  }
  if (!text.starts_with("redis://")) return refuse();
  text.remove_prefix(8);
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    const auto database = number_of(text.substr(slash + 1), 1'000'000);
    if (!database) return refuse();
    address.database = *database;
    text = text.substr(0, slash);
  }
  if (text.starts_with('[')) {  // an IPv6 address in brackets
    const auto end = text.find(']');
    if (end == std::string_view::npos) return refuse();
    address.host = std::string(text.substr(1, end - 1));
    text.remove_prefix(end + 1);
  } else {
    const auto end = text.find(':');
    address.host = std::string(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end);
  }
  if (!text.empty()) {
    const auto port = text.starts_with(':') ? number_of(text.substr(1), 65535) : std::nullopt;
    if (!port || *port == 0) return refuse();
    address.port = static_cast<std::uint16_t>(*port);
  }
  // An '@' would be a name and perhaps a password in front of the host.
  if (address.host.empty() || address.host.find_first_of("@?# \t\r\n") != std::string::npos) return refuse();
  return address;
}

void RedisLink::Free::operator()(redisContext* context) const { redisFree(context); }

RedisLink::~RedisLink() = default;

std::unexpected<Error> RedisLink::failure() const {
  return fail(Code::unavailable, "the shared counters do not answer", context_->errstr);
}

Result<std::unique_ptr<RedisLink>> RedisLink::connect(const RedisAddress& address, std::chrono::milliseconds timeout) {
  const timeval limit = timeval_of(timeout);
  redisContext* context = address.socket.empty() ? redisConnectWithTimeout(address.host.c_str(), address.port, limit)
                                                 : redisConnectUnixWithTimeout(address.socket.c_str(), limit);
  if (!context) return fail(Code::unavailable, "the shared counters do not answer", "no memory");
  std::unique_ptr<RedisLink> link(new RedisLink(context));
  if (context->err != 0) return link->failure();
  if (redisSetTimeout(context, limit) != REDIS_OK) return link->failure();

  std::vector<Command> greeting;
  if (!address.password.empty()) {
    Command login{"AUTH"};
    if (!address.user.empty()) login.push_back(address.user);
    login.emplace_back(address.password.reveal());
    greeting.push_back(std::move(login));
  }
  if (address.database != 0) greeting.push_back({"SELECT", std::to_string(address.database)});
  greeting.push_back({"PING"});
  for (const Reply& reply : PARLEY_TRY(link->call(std::span<const Command>(greeting))))
    if (reply.kind == Reply::Kind::refusal) return fail(Code::unavailable, "the shared counters refuse us", reply.text);
  return link;
}

Result<void> RedisLink::append(const Command& command) {
  std::vector<const char*> words;
  std::vector<std::size_t> lengths;
  for (const std::string& word : command) {
    words.push_back(word.data());
    lengths.push_back(word.size());
  }
  if (redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), words.data(), lengths.data()) != REDIS_OK)
    return failure();
  return {};
}

Result<std::vector<Reply>> RedisLink::call(std::span<const Command> commands) {
  for (const Command& command : commands) PARLEY_TRY(append(command));
  std::vector<Reply> replies;
  while (replies.size() < commands.size()) {
    void* raw = nullptr;
    if (redisGetReply(context_.get(), &raw) != REDIS_OK) return failure();
    const ReplyHandle reply(static_cast<redisReply*>(raw));
    replies.push_back(take(*reply));
  }
  return replies;
}

Result<Reply> RedisLink::call(const Command& command) {
  auto replies = PARLEY_TRY(call(std::span(&command, 1)));
  return std::move(replies.front());
}

Result<void> RedisLink::send(const Command& command) {
  PARLEY_TRY(append(command));
  for (int done = 0; done == 0;)
    if (redisBufferWrite(context_.get(), &done) != REDIS_OK) return failure();
  return {};
}

Result<std::vector<Reply>> RedisLink::arrived() {
  if (redisBufferRead(context_.get()) != REDIS_OK) return failure();
  std::vector<Reply> replies;
  for (;;) {
    void* raw = nullptr;
    if (redisGetReplyFromReader(context_.get(), &raw) != REDIS_OK) return failure();
    if (!raw) return replies;
    const ReplyHandle reply(static_cast<redisReply*>(raw));
    replies.push_back(take(*reply));
  }
}

int RedisLink::descriptor() const { return context_->fd; }

}  // namespace parley::kv
