#include "parley/notify/smtp_mailer.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <curl/curl.h>
#include <fmt/format.h>

namespace parley::notify {
namespace {

/// Letters that may wait: beyond this the mail server is not keeping up, and the caller should hear of it.
constexpr int waiting_max = 1'000;

struct FreeCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

/// The letter, as far as curl has read it.
struct Reading {
  std::string_view rest;
};
std::size_t read_some(char* to, std::size_t size, std::size_t count, void* from) {
  auto& reading = *static_cast<Reading*>(from);
  const std::size_t bytes = std::min(size * count, reading.rest.size());
  std::memcpy(to, reading.rest.data(), bytes);
  reading.rest.remove_prefix(bytes);
  return bytes;
}

/// Until when curl may go on.
struct Watch {
  const std::atomic<bool>& stopping;
  std::chrono::steady_clock::time_point deadline;
};
int stop_if_due(void* from, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& watch = *static_cast<const Watch*>(from);
  return watch.stopping || std::chrono::steady_clock::now() >= watch.deadline ? 1 : 0;
}

bool is_this_machine(std::string_view host) { return host == "localhost" || host == "127.0.0.1" || host == "::1"; }

bool is_host(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

Result<void> outcome_of(CURLcode code, long smtp_status, const char* detail, bool stopping) {
  std::string said = fmt::format("{} ({}), last SMTP status {}", curl_easy_strerror(code), detail, smtp_status);
  switch (code) {
    case CURLE_OK: return {};
    case CURLE_OPERATION_TIMEDOUT: return fail(Code::timeout, "the mail server does not answer", std::move(said));
    case CURLE_ABORTED_BY_CALLBACK:
      return stopping ? fail(Code::cancelled, "the program is stopping", std::move(said))
                      : fail(Code::timeout, "the mail server does not answer", std::move(said));
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_USE_SSL_FAILED: return fail(Code::unavailable, "no safe connection to the mail server", std::move(said));
    case CURLE_LOGIN_DENIED: return fail(Code::unavailable, "the mail server refuses our log-in", std::move(said));
    default: break;
  }
  // 5yz is a no for good (RFC 5321, 4.2.1); everything else may pass.
  if (smtp_status >= 500 && smtp_status < 600)
    return fail(Code::invalid_argument, "the mail server refuses the letter or its recipient", std::move(said));
  return fail(Code::unavailable, "the mail server did not take the letter", std::move(said));
}

}  // namespace

Result<SmtpServer> parse_smtp_url(std::string_view text, PlainText plain) {
  const auto refuse = [] { return fail(Code::invalid_argument, "must be smtp://HOST:PORT or smtps://HOST:PORT"); };
  SmtpServer server;
  if (text.starts_with("smtps://")) {
    server.tls = SmtpServer::Tls::at_once;
    server.port = 465;
    text.remove_prefix(8);
  } else if (text.starts_with("smtp://")) {
    text.remove_prefix(7);
  } else {
    return refuse();
  }
  bool literal = false;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return refuse();
    server.host = std::string(text.substr(1, end - 1));
    literal = !server.host.empty() && server.host.find_first_not_of("0123456789abcdefABCDEF:.") == std::string::npos;
    text.remove_prefix(end + 1);
  } else {
    const auto colon = text.find(':');
    server.host = std::string(text.substr(0, colon));
    text.remove_prefix(colon == std::string_view::npos ? text.size() : colon);
  }
  if (!literal && !is_host(server.host)) return refuse();
  if (!text.empty()) {
    text.remove_prefix(1);
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), server.port);
    if (status != std::errc() || end != text.data() + text.size() || server.port == 0) return refuse();
  }
  if (plain == PlainText::on_loopback) {
    if (server.tls == SmtpServer::Tls::at_once || !is_this_machine(server.host))
      return fail(Code::invalid_argument, "only a relay on this machine may be spoken to in plain");
    server.tls = SmtpServer::Tls::none_on_this_machine;
  }
  return server;
}

SmtpMailer::SmtpMailer(SmtpOptions options, const Clock& clock, crypto::Random& random)
    : options_(std::move(options)), clock_(clock), random_(random) {
  // Once for the process and before any thread of ours uses it; a static's initialisation is that.
  [[maybe_unused]] static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

SmtpMailer::~SmtpMailer() { stopping_ = true; }

Async<> SmtpMailer::send(Mail mail) {
  const auto message =
      PARLEY_CO_TRY(compose(mail, options_.from, clock_.now(), crypto::random_uuid(random_).to_string()));
  if (++waiting_ > waiting_max) {
    --waiting_;
    co_return fail(Code::unavailable, "too many letters are waiting");
  }
  auto sent = co_await workers_.run([this, &mail, &message] { return deliver(mail.to, message); });
  --waiting_;
  co_return sent;
}

Result<void> SmtpMailer::deliver(const MailAddress& to, const std::string& message) const {
  if (stopping_) return fail(Code::cancelled, "the program is stopping");
  const SmtpServer& server = options_.server;
  // The path is what we call ourselves in EHLO: the sender's domain, not this machine's name.
  const std::string url = fmt::format("{}://{}:{}/{}", server.tls == SmtpServer::Tls::at_once ? "smtps" : "smtp",
                                      server.host.contains(':') ? "[" + server.host + "]" : server.host, server.port,
                                      options_.from.domain());
  const std::string from = "<" + options_.from.text() + ">";
  const std::unique_ptr<curl_slist, FreeList> recipients(curl_slist_append(nullptr, ("<" + to.text() + ">").c_str()));
  const std::string password(options_.password.reveal());
  Reading reading{message};
  std::array<char, CURL_ERROR_SIZE> detail{};
  // After its own timeout curl still says QUIT and waits for the answer; being asked meanwhile ends that.
  Watch watch{stopping_, std::chrono::steady_clock::now() + options_.total_timeout};
  // The last of them: ending, it may still look at the others.
  const std::unique_ptr<CURL, FreeCurl> curl(curl_easy_init());
  if (!curl) return fail(Code::unavailable, "no letter can be sent now", "curl_easy_init");
  bool set = recipients != nullptr;
  const auto option = [&](CURLoption name, auto value) {
    set = set && curl_easy_setopt(curl.get(), name, value) == CURLE_OK;
  };
  option(CURLOPT_URL, url.c_str());
  option(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  // The environment of a server must not say where its letters go.
  option(CURLOPT_PROXY, "");
  option(CURLOPT_NOSIGNAL, 1L);
  // A connection that is kept is ended by a handle of curl's own, which knows none of our bounds and waits two minutes.
  option(CURLOPT_FORBID_REUSE, 1L);
  option(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
  option(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.total_timeout.count()));
  // For each answer of the server; whole seconds, so only the outer bound of the one above.
  option(CURLOPT_SERVER_RESPONSE_TIMEOUT,
         static_cast<long>(std::chrono::ceil<std::chrono::seconds>(options_.total_timeout).count()));
  option(CURLOPT_ERRORBUFFER, detail.data());
  if (server.tls != SmtpServer::Tls::none_on_this_machine) {
    option(CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
    option(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    option(CURLOPT_SSL_VERIFYPEER, 1L);
    option(CURLOPT_SSL_VERIFYHOST, 2L);
    if (!options_.ca_file.empty()) option(CURLOPT_CAINFO, options_.ca_file.c_str());
    if (!options_.user.empty()) {
      option(CURLOPT_USERNAME, options_.user.c_str());
      option(CURLOPT_PASSWORD, password.c_str());
    }
  }
  option(CURLOPT_MAIL_FROM, from.c_str());
  option(CURLOPT_MAIL_RCPT, recipients.get());
  option(CURLOPT_READFUNCTION, &read_some);
  option(CURLOPT_READDATA, static_cast<void*>(&reading));
  option(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(message.size()));
  option(CURLOPT_UPLOAD, 1L);
  option(CURLOPT_NOPROGRESS, 0L);
  option(CURLOPT_XFERINFOFUNCTION, &stop_if_due);
  option(CURLOPT_XFERINFODATA, static_cast<void*>(&watch));
  if (!set) return fail(Code::internal, "no letter can be sent", "an option of curl was refused");

  const CURLcode code = curl_easy_perform(curl.get());
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  return outcome_of(code, status, detail.data(), stopping_);
}

}  // namespace parley::notify
