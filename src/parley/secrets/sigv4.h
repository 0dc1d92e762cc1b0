#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parley/base/secret.h"
#include "parley/base/time.h"

namespace parley::secrets {

struct AwsCredentials {
  std::string access_key_id;
  Secret secret_access_key;
  Secret session_token;  ///< empty for those of a person or a machine that last
};

/// What AWS signs of a request. The query has to be in order and encoded; header names in lower case.
struct AwsRequest {
  std::string_view method;
  std::string_view path;   ///< "/", encoded
  std::string_view query;  ///< without '?'
  std::vector<std::pair<std::string, std::string>> headers;
  std::string_view body;
};

/// "20150830T123600Z": the time as the header `x-amz-date` has it.
std::string amz_date(Timestamp at);

/// The Authorization header of AWS's Signature Version 4. `request.headers` must hold `host` and `x-amz-date` (the
/// same moment), and every header that is to be protected.
Secret sign_aws_request(const AwsRequest& request, const AwsCredentials& credentials, std::string_view region,
                        std::string_view service, Timestamp at);

}  // namespace parley::secrets
