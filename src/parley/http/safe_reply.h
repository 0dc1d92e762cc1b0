#pragma once

#include <string>
#include <utility>
#include <vector>

#include "parley/http/message.h"

namespace parley::api {
class Outlet;
}

namespace parley::http {

/// A reply that has passed the last step of the pipeline. Only `api::Outlet` makes one, so nothing reaches a socket
/// without the error mapping, the security headers and (later) redaction it applies.
class SafeReply {
 public:
  SafeReply(SafeReply&&) = default;
  SafeReply& operator=(SafeReply&&) = default;

  int status() const { return status_; }
  const std::vector<Header>& headers() const { return headers_; }
  const std::string& body() const { return body_; }

 private:
  friend class parley::api::Outlet;
  SafeReply(int status, std::vector<Header> headers, std::string body)
      : status_(status), headers_(std::move(headers)), body_(std::move(body)) {}

  int status_;
  std::vector<Header> headers_;
  std::string body_;
};

/// A piece of a streamed reply that has passed the same step.
class SafeChunk {
 public:
  const std::string& bytes() const { return bytes_; }

 private:
  friend class parley::api::Outlet;
  explicit SafeChunk(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string bytes_;
};

}  // namespace parley::http
