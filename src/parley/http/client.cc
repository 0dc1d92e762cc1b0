#include "parley/http/client.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <unordered_map>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "parley/http/ascii.h"
#include "parley/http/transport.h"

namespace parley::http {
namespace {

using Tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;

constexpr std::size_t read_buffer_bytes = 16 * 1024;  // one TLS record
// A tried address may use up half of what is left, so that one that swallows packets leaves time for the next.
constexpr int share_of_time = 2;
// What nobody wants to read any more is the end of a stream or a page about an error. More costs less as a new
// connection.
constexpr std::chrono::milliseconds leave_within{1'000};
constexpr std::size_t leave_bytes_max = 64 * 1024;

/// A connection to one origin.
struct Link {
  Link(Tcp::socket open, SslHandle ssl)
      : socket(std::move(open)), transport(socket.native_handle(), std::move(ssl), Transport::Side::client) {}
  Tcp::socket socket;
  Transport transport;
  Clock::time_point idle_since;
};

/// What one event loop keeps for all clients: connections between requests, and a buffer that every read goes through
/// first. A service of the loop, so that it goes before the loop does.
class Kept final : public asio::execution_context::service {
 public:
  static asio::execution_context::id id;  // NOLINT(readability-identifier-naming): Asio looks for this name

  explicit Kept(asio::execution_context& context)
      : asio::execution_context::service(context), buffer_(read_buffer_bytes) {}

  static Kept& of(const asio::any_io_executor& executor) {
    // Services end in the reverse order of their beginning, and the sockets kept here need theirs.
    const Tcp::socket first(executor);
    return asio::use_service<Kept>(asio::query(executor, asio::execution::context));
  }

  std::unique_ptr<Link> take(const std::string& key, std::chrono::milliseconds idle_for) {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    sweep(now, idle_for);
    const auto found = idle_.find(key);
    if (found == idle_.end()) return nullptr;
    auto& links = found->second;
    while (!links.empty()) {
      // The newest: the others may then grow old and be closed.
      auto link = std::move(links.back());
      links.pop_back();
      if (now - link->idle_since < idle_for && link->transport.probe() == Transport::Peer::silent) return link;
    }
    return nullptr;
  }

  void give(const std::string& key, std::unique_ptr<Link> link, const ClientOptions& options) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    const auto now = Clock::now();
    sweep(now, options.idle_for);
    auto& links = idle_[key];
    if (links.size() >= options.idle_max) links.erase(links.begin());
    link->idle_since = now;
    links.push_back(std::move(link));
  }

  std::vector<char>& buffer() { return buffer_; }

 private:
  void shutdown() noexcept override {
    // Coroutines that go with the loop give their connections back even now.
    closed_ = true;
    idle_.clear();
  }

  // Also those of origins that are not asked any more.
  void sweep(Clock::time_point now, std::chrono::milliseconds idle_for) {
    if (now < next_sweep_) return;
    next_sweep_ = now + std::chrono::seconds(1);
    for (auto entry = idle_.begin(); entry != idle_.end();) {
      std::erase_if(entry->second, [&](const auto& link) { return now - link->idle_since >= idle_for; });
      entry = entry->second.empty() ? idle_.erase(entry) : std::next(entry);
    }
  }

  std::mutex mutex_;
  std::unordered_map<std::string, std::vector<std::unique_ptr<Link>>> idle_;
  Clock::time_point next_sweep_;
  bool closed_ = false;
  std::vector<char> buffer_;
};

asio::execution_context::id Kept::id;

/// Cancels what a socket waits for when a moment has passed. Moving the moment back costs nothing: the timer looks when
/// it goes off.
class Deadline {
 public:
  explicit Deadline(const asio::any_io_executor& executor) : state_(std::make_shared<State>(executor)) {}
  ~Deadline() {
    state_->socket = nullptr;
    state_->timer.cancel();
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void watch(Tcp::socket* socket) { state_->socket = socket; }
  void set(Clock::time_point at) {
    state_->at = at;
    state_->passed = false;
    if (at < state_->armed_for) arm(state_);
  }
  Clock::time_point at() const { return state_->at; }
  bool passed() const { return state_->passed || Clock::now() >= state_->at; }

 private:
  struct State {
    explicit State(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
    Tcp::socket* socket = nullptr;
    Clock::time_point at = Clock::time_point::max();
    Clock::time_point armed_for = Clock::time_point::max();
    bool passed = false;
  };

  static void arm(const std::shared_ptr<State>& state) {
    state->armed_for = state->at;
    state->timer.expires_at(state->at);
    state->timer.async_wait([state](const boost::system::error_code& error) {
      if (error) return;
      if (Clock::now() < state->at) return arm(state);
      // Or a later moment, of the next address to try, would never be armed.
      state->armed_for = Clock::time_point::max();
      state->passed = true;
      boost::system::error_code ignored;
      if (state->socket) state->socket->cancel(ignored);
    });
  }

  std::shared_ptr<State> state_;
};

std::string openssl_error() {
  char text[256] = "unknown";
  if (const auto code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

std::unexpected<Error> late(const net::HttpUrl& url, Literal what) {
  return fail(Code::timeout, "the host did not answer in time", fmt::format("{}: {}", url.origin(), what.view()));
}
std::unexpected<Error> broken(const net::HttpUrl& url, Literal what) {
  return fail(Code::unavailable, "the host could not be asked", fmt::format("{}: {}", url.origin(), what.view()));
}

/// An exception that leaves a worker's job ends the program.
template <class Work>
std::invoke_result_t<Work> guarded(Work work) {
  try {
    return work();
  } catch (const std::exception& error) {
    return fail(Code::internal, "an unforeseen failure", error.what());
  }
}

Result<std::string> form_head(const ClientRequest& request) {
  const auto origin = request.url.origin();
  const auto host = origin.substr(origin.find("://") + 3);
  std::string head;
  head.reserve(512);
  head += request.body ? "POST " : "GET ";
  head += request.url.target;
  head += " HTTP/1.1\r\nHost: ";
  head += host;
  head += "\r\nUser-Agent: parley/" PARLEY_VERSION "\r\nAccept-Encoding: identity\r\n";
  if (request.body) head += fmt::format("Content-Length: {}\r\n", request.body->size());
  for (const auto& [name, value] : request.headers) {
    const auto text = value.reveal();
    if (name.empty() || !ascii::all(name, ascii::token) || (!text.empty() && !ascii::all(text, ascii::field_value)))
      return fail(Code::invalid_argument, "a header that cannot be sent", name);
    head += name;
    head += ": ";
    head += text;
    head += "\r\n";
  }
  head += "\r\n";
  return head;
}

}  // namespace

class Client::Answer final : public ClientAnswer {
 public:
  Answer(Client& client, asio::any_io_executor executor, ClientRequest request, ClientTimeouts timeouts)
      : client_(client),
        executor_(std::move(executor)),
        kept_(Kept::of(executor_)),
        keeps_(executor_.target<asio::io_context::executor_type>() != nullptr),
        request_(std::move(request)),
        timeouts_(timeouts),
        key_(fmt::format("{} {}", client.number_, request_.url.origin())),
        deadline_(executor_),
        ends_by_(Clock::now() + timeouts.total) {}
  ~Answer() override {
    deadline_.watch(nullptr);
    // Bytes behind the answer belong to nobody.
    if (link_ && keeps_ && parser_.may_continue() && !surplus_ && !link_->transport.has_buffered_input())
      kept_.give(key_, std::move(link_), client_.options_);
  }

  const ResponseHead& head() const override { return parser_.head(); }
  void progress() override { set_deadline(timeouts_.between); }
  asio::any_io_executor executor() const override { return executor_; }
  void end_soon() override { set_deadline(leave_within); }
  bool is_complete() const override { return parser_.is_complete(); }

  Async<> start(Sent* sent) {
    const Secret head(PARLEY_CO_TRY(form_head(request_)));
    link_ = keeps_ ? kept_.take(key_, client_.options_.idle_for) : nullptr;
    bool reused = link_ != nullptr;
    while (true) {
      if (!link_) PARLEY_CO_TRY(co_await connect());
      deadline_.watch(&link_->socket);
      set_deadline(timeouts_.first_byte);
      if (sent) *sent = Sent::maybe;
      auto outcome = co_await exchange(head.reveal());
      if (outcome) break;
      deadline_.watch(nullptr);
      link_.reset();
      // A server may close what is idle at any moment; then it has not read what we sent.
      if (!reused || got_bytes_ || outcome.error().code() != Code::unavailable)
        co_return fail(std::move(outcome).error());
      reused = false;
      if (sent) *sent = Sent::no;
    }
    request_.headers.clear();
    request_.body.reset();
    progress();
    co_return Result<void>();
  }

  Async<std::string_view> read() override {
    piece_.clear();
    while (true) {
      if (auto error = take_pieces()) co_return fail(*std::move(error));
      if (!piece_.empty() || parser_.is_complete()) co_return std::string_view(piece_);
      auto more = PARLEY_CO_TRY(co_await receive());
      if (!more && !parser_.close()) co_return broken(request_.url, "the answer was cut short");
    }
  }

 private:
  void set_deadline(std::chrono::milliseconds in) { deadline_.set(std::min(Clock::now() + in, ends_by_)); }

  Async<bool> wait(Tcp::socket::wait_type readiness) {
    if (deadline_.passed()) co_return late(request_.url, "waiting");
    boost::system::error_code error;
    co_await link_->socket.async_wait(readiness, asio::redirect_error(asio::use_awaitable, error));
    if (deadline_.passed()) co_return late(request_.url, "waiting");
    if (error == asio::error::operation_aborted) co_return fail(Code::cancelled, "the caller has left");
    co_return !error;
  }

  Async<> connect() {
    const auto connect_by = std::min(Clock::now() + timeouts_.connect, ends_by_);
    // Holds the loop up for some ten milliseconds, once in the program's life.
    if (request_.url.scheme == net::UrlScheme::https) tls_ = PARLEY_CO_TRY(client_.tls_context());
    std::vector<asio::ip::address> addresses;
    if (request_.url.address)
      addresses = PARLEY_CO_TRY(net::require_addresses(client_.options_.policy, client_.resolver_, request_.url));
    else addresses = PARLEY_CO_TRY(co_await look_up(connect_by));
    Error last(Code::unavailable, "the host could not be asked");
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      const auto left = connect_by - Clock::now();
      const bool is_last = i + 1 == addresses.size();
      auto made = co_await connect_to(addresses[i], is_last ? connect_by : Clock::now() + left / share_of_time);
      if (made) co_return Result<void>();
      deadline_.watch(nullptr);
      link_.reset();
      last = std::move(made).error();
      if (last.code() == Code::cancelled) break;
    }
    co_return fail(std::move(last));
  }

  /// Asks for the host's addresses. A name server that hangs holds up a worker, and not us.
  Async<std::vector<asio::ip::address>> look_up(Clock::time_point by) {
    struct State {
      explicit State(const asio::any_io_executor& executor) : answered(executor) {}
      std::optional<Result<std::vector<asio::ip::address>>> found;
      asio::steady_timer answered;
    };
    const auto state = std::make_shared<State>(executor_);
    state->answered.expires_at(by);
    // The loop must be there when the answer comes, though nobody may want it any more.
    auto loop = asio::make_work_guard(executor_);
    asio::post(client_.workers_.executor(), [state, loop = std::move(loop), policy = client_.options_.policy,
                                             &resolver = client_.resolver_, url = request_.url]() mutable {
      auto found = guarded([&] { return net::require_addresses(policy, resolver, url); });
      asio::post(loop.get_executor(), [state = std::move(state), found = std::move(found)]() mutable {
        state->found.emplace(std::move(found));
        state->answered.cancel();
      });
    });
    boost::system::error_code error;
    co_await state->answered.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if (state->found) co_return *std::move(state->found);
    if (!error) co_return late(request_.url, "looking the name up");
    co_return fail(Code::cancelled, "the caller has left");
  }

  Async<> connect_to(asio::ip::address address, Clock::time_point by) {
    Tcp::socket socket(executor_);
    boost::system::error_code error;
    socket.open(address.is_v6() ? Tcp::v6() : Tcp::v4(), error);
    if (error) co_return broken(request_.url, "no socket");
    socket.set_option(Tcp::no_delay(true), error);
    deadline_.watch(&socket);
    deadline_.set(by);
    const Tcp::endpoint endpoint(address, request_.url.port);
    co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
    deadline_.watch(nullptr);
    if (deadline_.passed()) co_return late(request_.url, "connecting");
    if (error == asio::error::operation_aborted) co_return fail(Code::cancelled, "the caller has left");
    if (error) co_return broken(request_.url, "no connection");
    socket.non_blocking(true, error);
    SslHandle ssl;
    if (request_.url.scheme == net::UrlScheme::https) ssl = PARLEY_CO_TRY(make_ssl());
    link_ = std::make_unique<Link>(std::move(socket), std::move(ssl));
    deadline_.watch(&link_->socket);
    while (link_->transport.is_tls()) {
      const auto step = link_->transport.handshake();
      if (step.status == Io::done) break;
      if (step.status == Io::closed) co_return broken(request_.url, "no TLS connection, or not its certificate");
      if (!PARLEY_CO_TRY(
              co_await wait(step.status == Io::want_write ? Tcp::socket::wait_write : Tcp::socket::wait_read)))
        co_return broken(request_.url, "no TLS connection");
    }
    co_return Result<void>();
  }

  Result<SslHandle> make_ssl() const {
    ERR_clear_error();
    SslHandle ssl(SSL_new(tls_));
    if (!ssl) return fail(Code::internal, "memory ran out");
    auto* parameters = SSL_get0_param(ssl.get());
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    // The certificate must name what the operator wrote, not what a name service made of it.
    const bool named = request_.url.address ? X509_VERIFY_PARAM_set1_ip_asc(parameters, request_.url.host.c_str()) == 1
                                            : X509_VERIFY_PARAM_set1_host(parameters, request_.url.host.data(),
                                                                          request_.url.host.size()) == 1 &&
                                                  SSL_set_tlsext_host_name(ssl.get(), request_.url.host.c_str()) == 1;
    if (!named) return fail(Code::internal, "cannot prepare TLS", openssl_error());
    return ssl;
  }

  Async<> exchange(std::string_view head) {
    parser_ = ResponseParser();
    std::string_view first = head;
    std::string_view second = request_.body ? std::string_view(*request_.body) : std::string_view();
    while (!first.empty() || !second.empty()) {
      const auto written = link_->transport.write(first, second);
      if (written.status == Io::closed) co_return broken(request_.url, "the request was not taken");
      if (written.status == Io::done) {
        const auto of_first = std::min(written.bytes, first.size());
        first.remove_prefix(of_first);
        second.remove_prefix(written.bytes - of_first);
        continue;
      }
      if (!PARLEY_CO_TRY(
              co_await wait(written.status == Io::want_read ? Tcp::socket::wait_read : Tcp::socket::wait_write)))
        co_return broken(request_.url, "the request was not taken");
    }
    set_deadline(timeouts_.first_byte);
    while (true) {
      auto more = PARLEY_CO_TRY(co_await receive());
      if (!more) co_return broken(request_.url, "no answer");
      const auto step = parser_.feed(fresh_);
      fresh_.erase(0, step.consumed);
      if (step.event == ResponseParser::Event::refused) co_return broken(request_.url, "not an HTTP answer");
      if (step.event == ResponseParser::Event::head) co_return Result<void>();
    }
  }

  /// Appends to `fresh_`. False if the other side has closed.
  Async<bool> receive() {
    auto readiness = Tcp::socket::wait_read;
    bool ready = link_->transport.has_buffered_input();
    while (true) {
      if (!ready && !PARLEY_CO_TRY(co_await wait(readiness))) co_return false;
      // A server that never stops sending is never waited for.
      if (deadline_.passed()) co_return late(request_.url, "reading");
      auto& buffer = kept_.buffer();
      std::vector<char> own;
      // A pool's threads would share the one buffer.
      if (!keeps_) own.resize(read_buffer_bytes);
      const auto result = link_->transport.read(keeps_ ? std::span<char>(buffer) : std::span<char>(own));
      if (result.status == Io::closed) co_return false;
      if (result.status == Io::done) {
        got_bytes_ = true;
        fresh_.append(keeps_ ? buffer.data() : own.data(), result.bytes);
        co_return true;
      }
      ready = false;
      readiness = result.status == Io::want_write ? Tcp::socket::wait_write : Tcp::socket::wait_read;
    }
  }

  /// Moves the body's bytes out of `fresh_`.
  std::optional<Error> take_pieces() {
    std::string_view rest = fresh_;
    std::optional<Error> error;
    while (true) {
      const auto step = parser_.feed(rest);
      piece_.append(step.body);
      rest.remove_prefix(step.consumed);
      if (step.event == ResponseParser::Event::refused) {
        error = Error(Code::unavailable, "the host could not be asked", request_.url.origin() + ": broken framing");
        break;
      }
      if (step.event != ResponseParser::Event::body) break;
    }
    if (parser_.is_complete() && !rest.empty()) surplus_ = true;
    fresh_.clear();
    return error;
  }

  Client& client_;
  ssl_ctx_st* tls_ = nullptr;
  const asio::any_io_executor executor_;
  Kept& kept_;
  const bool keeps_;
  ClientRequest request_;
  const ClientTimeouts timeouts_;
  const std::string key_;
  std::unique_ptr<Link> link_;
  Deadline deadline_;  // goes before the link it watches
  const Clock::time_point ends_by_;
  ResponseParser parser_;
  std::string fresh_;  ///< received, not yet looked at
  std::string piece_;
  bool got_bytes_ = false;
  bool surplus_ = false;
};

void ClientAnswer::leave(std::unique_ptr<ClientAnswer> answer) {
  if (answer->is_complete()) return;
  const auto executor = answer->executor();
  asio::co_spawn(executor, read_to_end(std::move(answer)), asio::detached);
}

asio::awaitable<void> ClientAnswer::read_to_end(std::unique_ptr<ClientAnswer> answer) {
  answer->end_soon();
  std::size_t bytes = 0;
  while (!answer->is_complete() && bytes < leave_bytes_max) {
    const auto piece = co_await answer->read();
    if (!piece) break;
    bytes += piece->size();
  }
}

void Client::FreeContext::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

namespace {
std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}
}  // namespace

Client::Client(net::Workers& workers, ClientOptions options, net::Resolver& resolver)
    : workers_(workers), options_(std::move(options)), resolver_(resolver), number_(next_number()) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::make(net::Workers& workers, ClientOptions options, net::Resolver& resolver) {
  std::unique_ptr<Client> client(new Client(workers, std::move(options), resolver));
  if (!client->options_.ca_file.empty()) PARLEY_TRY(client->tls_context());
  return client;
}

Result<ssl_ctx_st*> Client::tls_context() {
  const std::lock_guard lock(tls_mutex_);
  if (tls_) return tls_.get();
  ERR_clear_error();
  std::unique_ptr<ssl_ctx_st, FreeContext> made(SSL_CTX_new(TLS_client_method()));
  auto* tls = made.get();
  static constexpr unsigned char http_1_1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  if (!tls || SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(tls, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
      SSL_CTX_set_alpn_protos(tls, http_1_1, sizeof http_1_1) != 0)
    return fail(Code::internal, "cannot prepare TLS", openssl_error());
  SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_options(tls, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const int loaded = options_.ca_file.empty() ? SSL_CTX_set_default_verify_paths(tls)
                                              : SSL_CTX_load_verify_file(tls, options_.ca_file.c_str());
  if (loaded != 1) return fail(Code::unavailable, "the certificates to trust cannot be read", openssl_error());
  tls_ = std::move(made);
  return tls;
}

Async<std::unique_ptr<ClientAnswer>> Client::send(ClientRequest request, ClientTimeouts timeouts, Sent* sent) {
  if (sent) *sent = Sent::no;
  auto executor = co_await asio::this_coro::executor;
  auto answer = std::make_unique<Answer>(*this, std::move(executor), std::move(request), timeouts);
  PARLEY_CO_TRY(co_await answer->start(sent));
  co_return std::unique_ptr<ClientAnswer>(std::move(answer));
}

}  // namespace parley::http
