#include "parley/net/fetch.h"

#include <curl/curl.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

#include <fmt/format.h>

namespace parley::net {
namespace {

using asio::ip::address;

// More is somebody who wants us to try many.
constexpr std::size_t addresses_max = 32;

class SystemResolver final : public Resolver {
 public:
  Result<std::vector<address>> resolve(const std::string& host) override {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int status = getaddrinfo(host.c_str(), nullptr, &hints, &found);
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
    if (status != 0) return fail(Code::unavailable, "the host's name leads nowhere", gai_strerror(status));
    std::vector<address> addresses;
    for (const auto* entry = found; entry != nullptr; entry = entry->ai_next) {
      if (entry->ai_family == AF_INET) {
        const auto* in = reinterpret_cast<const sockaddr_in*>(entry->ai_addr);
        addresses.emplace_back(asio::ip::address_v4(ntohl(in->sin_addr.s_addr)));
      } else if (entry->ai_family == AF_INET6) {
        const auto* in = reinterpret_cast<const sockaddr_in6*>(entry->ai_addr);
        asio::ip::address_v6::bytes_type bytes;
        std::copy(std::begin(in->sin6_addr.s6_addr), std::end(in->sin6_addr.s6_addr), bytes.begin());
        addresses.emplace_back(asio::ip::address_v6(bytes));
      }
    }
    return addresses;
  }
};

using Easy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using List = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

bool append(List& list, const std::string& line) {
  auto* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) return false;
  static_cast<void>(list.release());
  list.reset(longer);
  return true;
}

// What one transfer's callbacks share. They must not throw: libcurl is C.
struct Transfer {
  const std::vector<address>* allowed = nullptr;
  std::uint16_t port = 0;
  std::size_t body_bytes_max = 0;
  std::size_t header_bytes_max = 0;
  std::string head;
  std::string body;
  bool too_large = false;
  bool wrong_address = false;
};

std::size_t take_body(char* data, std::size_t, std::size_t size, void* user) noexcept {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.body.size() + size > transfer.body_bytes_max) {
    transfer.too_large = true;
    return 0;
  }
  transfer.body.append(data, size);
  return size;
}

std::size_t take_head(char* data, std::size_t, std::size_t size, void* user) noexcept {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(data, size);
  // What came before was an interim answer.
  if (line.starts_with("HTTP/")) transfer.head.clear();
  if (transfer.head.size() + size > transfer.header_bytes_max) {
    transfer.too_large = true;
    return 0;
  }
  transfer.head.append(line);
  return size;
}

// The last word: whatever libcurl believes the host's address to be, a socket is made for checked addresses alone.
curl_socket_t open_socket(void* user, curlsocktype purpose, curl_sockaddr* to) noexcept {
  auto& transfer = *static_cast<Transfer*>(user);
  address target;
  std::uint16_t port = 0;
  if (to->family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &to->addr, sizeof in);
    target = asio::ip::address_v4(ntohl(in.sin_addr.s_addr));
    port = ntohs(in.sin_port);
  } else if (to->family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, &to->addr, sizeof in);
    asio::ip::address_v6::bytes_type bytes;
    std::copy(std::begin(in.sin6_addr.s6_addr), std::end(in.sin6_addr.s6_addr), bytes.begin());
    target = asio::ip::address_v6(bytes);
    port = ntohs(in.sin6_port);
  }
  const bool checked = purpose == CURLSOCKTYPE_IPCXN && port == transfer.port &&
                       std::ranges::find(*transfer.allowed, target) != transfer.allowed->end();
  if (!checked) {
    transfer.wrong_address = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

bool is_field_name(std::string_view name) {
  return !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") ==
                              std::string_view::npos;
}
bool is_field_value(std::string_view value) {
  return std::ranges::all_of(value, [](char c) { return (c >= ' ' && c < 0x7f) || c == '\t'; });
}

std::vector<std::pair<std::string, std::string>> parse_head(std::string_view head) {
  std::vector<std::pair<std::string, std::string>> headers;
  while (!head.empty()) {
    auto line = head.substr(0, head.find('\n'));
    head.remove_prefix(std::min(head.size(), line.size() + 1));
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;  // the status line, the empty one
    std::string name;
    for (const char c : line.substr(0, colon)) name.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
    auto value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t' || value.back() == '\r'))
      value.remove_suffix(1);
    headers.emplace_back(std::move(name), value);
  }
  return headers;
}

Error error_of(CURLcode status, const Transfer& transfer, std::string detail) {
  if (transfer.too_large) return Error(Code::too_large, "the answer is larger than allowed", std::move(detail));
  if (transfer.wrong_address)
    return Error(Code::permission_denied, "the address may not be connected to", std::move(detail));
  switch (status) {
    case CURLE_OPERATION_TIMEDOUT: return Error(Code::timeout, "the host did not answer in time", std::move(detail));
    case CURLE_FILESIZE_EXCEEDED: return Error(Code::too_large, "the answer is larger than allowed", std::move(detail));
    case CURLE_OUT_OF_MEMORY: return Error(Code::internal, "memory ran out", std::move(detail));
    default: return Error(Code::unavailable, "the host could not be asked", std::move(detail));
  }
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

std::optional<std::string_view> FetchAnswer::header(std::string_view name) const {
  std::optional<std::string_view> found;
  for (const auto& [field, value] : headers) {
    if (field != name) continue;
    if (found) return std::nullopt;
    found = value;
  }
  return found;
}

Resolver& system_resolver() {
  static SystemResolver resolver;
  return resolver;
}

Fetcher::Fetcher(Workers& workers, FetcherOptions options, Resolver& resolver)
    : workers_(workers), options_(std::move(options)), resolver_(resolver) {
  // Once in the program, before the first handle; not safe beside other threads, a static is.
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(ready);
}

Async<FetchAnswer> Fetcher::fetch(FetchRequest request) {
  auto work = [this, request = std::move(request)]() mutable { return fetch_blocking(std::move(request)); };
  co_return co_await workers_.run(std::move(work));
}

Result<FetchAnswer> Fetcher::fetch_blocking(FetchRequest request) const {
  const auto deadline = std::chrono::steady_clock::now() + options_.limits.time_max;
  for (int redirects = 0;; ++redirects) {
    auto answer = PARLEY_TRY(fetch_once(request, deadline));
    if (request.body || !is_redirect(answer.status)) return answer;
    const auto location = answer.header("location");
    if (!location) return answer;
    if (redirects == options_.limits.redirects_max)
      return fail(Code::unavailable, "the host redirects too often", request.url.origin());
    auto next = PARLEY_TRY(resolve_http_url(request.url, *location));
    if (request.url.scheme == UrlScheme::https && next.scheme == UrlScheme::http)
      return fail(Code::permission_denied, "the host redirects from https to http", next.origin());
    if (next.origin() != request.url.origin()) request.headers.clear();
    request.url = std::move(next);
  }
}

Result<std::vector<address>> require_addresses(const EgressPolicy& policy, Resolver& resolver, const HttpUrl& url) {
  std::vector<address> addresses;
  if (url.address) addresses = {*url.address};
  else addresses = PARLEY_TRY(resolver.resolve(url.host));
  if (addresses.empty()) return fail(Code::unavailable, "the host's name leads nowhere", url.host);
  if (addresses.size() > addresses_max) addresses.resize(addresses_max);
  for (auto& each : addresses) {
    each = unmapped(each);
    const auto permission = policy.judge(url.host, each, url.port);
    // One bad address spoils the answer: a name with a public and a private one is no mistake.
    if (permission == Permission::refused)
      return fail(
          Code::permission_denied, "the address may not be connected to",
          fmt::format("{} is {} ({}), port {}", url.host, each.to_string(), name(classify(each)).view(), url.port));
    if (permission == Permission::open && url.scheme == UrlScheme::http)
      return fail(Code::permission_denied, "only https is used, but where the operator lists the place", url.origin());
  }
  return addresses;
}

Result<FetchAnswer> Fetcher::fetch_once(const FetchRequest& request, Deadline deadline) const {
  const auto& limits = options_.limits;
  const auto addresses = PARLEY_TRY(require_addresses(options_.policy, resolver_, request.url));
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  if (left.count() <= 0) return fail(Code::timeout, "the host did not answer in time", request.url.host);

  const Easy easy(curl_easy_init(), &curl_easy_cleanup);
  if (!easy) return fail(Code::internal, "memory ran out");
  CURL* curl = easy.get();
  Transfer transfer{.allowed = &addresses,
                    .port = request.url.port,
                    .body_bytes_max = limits.body_bytes_max,
                    .header_bytes_max = limits.header_bytes_max};
  CURLcode setting = CURLE_OK;
  const auto set = [&](CURLoption option, auto value) {
    const auto status = curl_easy_setopt(curl, option, value);
    if (setting == CURLE_OK) setting = status;
  };
  const std::string url = request.url.to_string();
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, request.url.scheme == UrlScheme::https ? "https" : "http");
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, "");  // not even the environment's
  set(CURLOPT_NOPROXY, "*");
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_NOSIGNAL, 1L);  // many threads
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_HTTP09_ALLOWED, 0L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options_.ca_file.empty()) {
    set(CURLOPT_CAINFO, options_.ca_file.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(left, limits.connect_time_max).count()));
  set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(limits.body_bytes_max));
  set(CURLOPT_FRESH_CONNECT, 1L);
  set(CURLOPT_FORBID_REUSE, 1L);
  set(CURLOPT_USERAGENT, "parley/" PARLEY_VERSION);
  set(CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  set(CURLOPT_OPENSOCKETDATA, &transfer);
  set(CURLOPT_WRITEFUNCTION, &take_body);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_HEADERFUNCTION, &take_head);
  set(CURLOPT_HEADERDATA, &transfer);

  // The answer of the name service that was checked; libcurl asks nobody again.
  List pinned(nullptr, &curl_slist_free_all);
  std::string pin = fmt::format("{}:{}:", request.url.host, request.url.port);
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (i > 0) pin += ',';
    pin += addresses[i].is_v6() ? "[" + addresses[i].to_string() + "]" : addresses[i].to_string();
  }
  if (!request.url.address) {
    if (!append(pinned, pin)) return fail(Code::internal, "memory ran out");
    set(CURLOPT_RESOLVE, pinned.get());
  }

  List headers(nullptr, &curl_slist_free_all);
  for (const auto& [name, value] : request.headers) {
    if (!is_field_name(name) || !is_field_value(value.reveal()))
      return fail(Code::invalid_argument, "a header that cannot be sent", name);
    std::string line = name;
    line += ": ";
    line += value.reveal();
    const bool appended = append(headers, line);
    const Secret wiped(std::move(line));
    if (!appended) return fail(Code::internal, "memory ran out");
  }
  // libcurl would wait for a "100 Continue" that small requests never need.
  if (!append(headers, "Expect:")) return fail(Code::internal, "memory ran out");
  set(CURLOPT_HTTPHEADER, headers.get());
  if (request.body) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->reveal().size()));
    set(CURLOPT_POSTFIELDS, request.body->reveal().data());
  }
  // A setting that was not taken is a check that would not be made.
  if (setting != CURLE_OK)
    return fail(Code::internal, "the request could not be prepared", curl_easy_strerror(setting));

  const auto status = curl_easy_perform(curl);
  if (status != CURLE_OK)
    return fail(error_of(status, transfer, fmt::format("{}: {}", request.url.origin(), curl_easy_strerror(status))));
  long code = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
  return FetchAnswer{.status = static_cast<int>(code),
                     .headers = parse_head(transfer.head),
                     .body = Untrusted<std::string>(std::move(transfer.body), Origin::page),
                     .url = request.url};
}

}  // namespace parley::net
