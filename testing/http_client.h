#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace parley::testing {

struct HttpHeader {
  std::string name, value;
};

/// An answer as it came over the wire.
struct HttpAnswer {
  int status = 0;  ///< 0: no answer, the connection ended
  std::vector<HttpHeader> headers;
  std::string head;  ///< status line and headers, as received
  std::string body;  ///< without chunked framing

  /// The value of the only header of that name, without regard to case. None if absent or sent twice.
  std::optional<std::string> header(std::string_view name) const;
};

struct HttpCall {
  std::string method = "GET";
  std::string path = "/";
  std::vector<HttpHeader> headers = {};
  std::optional<std::string> body = std::nullopt;  ///< adds Content-Length
};

/// The bytes of a call, with a Host header first unless the call has one.
std::string to_bytes(const HttpCall& call);

/// A blocking client on one connection over loopback. Opens it again when the server has closed it between calls.
class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port) : port_(port) {}
  HttpClient(HttpClient&& other) noexcept;
  HttpClient& operator=(HttpClient&&) = delete;
  ~HttpClient();

  HttpAnswer send(const HttpCall& call);
  /// Sends bytes as they are and reads one answer. `head_request`: the answer has no body whatever its length says.
  HttpAnswer send_raw(std::string_view bytes, bool head_request = false);

  /// Parts of `send_raw`, for a request that is looked at while it runs.
  bool write(std::string_view bytes);
  HttpAnswer read_answer(bool head_request = false);
  /// Reads until what came so far contains `text`; false if the connection ended first.
  bool read_until(std::string_view text);

  void close();

 private:
  bool open();
  bool more();

  std::uint16_t port_;
  int fd_ = -1;
  std::string received_;
};

}  // namespace parley::testing
