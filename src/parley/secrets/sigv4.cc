#include "parley/secrets/sigv4.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "parley/crypto/hash.h"

namespace parley::secrets {
namespace {

// Blanks around a value go, and several in a row become one.
std::string folded(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    out.push_back(c);
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

Secret keyed(const Secret& key, std::string_view text) {
  const auto digest = crypto::hmac_sha256(key, text);
  return Secret(std::string(digest.view()));
}

}  // namespace

std::string amz_date(Timestamp at) {
  using namespace std::chrono;
  const auto whole = floor<seconds>(sys_time<microseconds>(microseconds(at.micros)));
  const auto day = floor<days>(whole);
  const year_month_day date(day);
  const hh_mm_ss time(whole - day);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count());
}

Secret sign_aws_request(const AwsRequest& request, const AwsCredentials& credentials, std::string_view region,
                        std::string_view service, Timestamp at) {
  auto headers = request.headers;
  std::ranges::sort(headers, {}, &std::pair<std::string, std::string>::first);
  std::string canonical_headers, signed_headers;
  for (const auto& [name, value] : headers) {
    canonical_headers += fmt::format("{}:{}\n", name, folded(value));
    if (!signed_headers.empty()) signed_headers += ';';
    signed_headers += name;
  }
  const auto canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path, request.query,
                                     canonical_headers, signed_headers, crypto::sha256(request.body).hex());
  const auto date = amz_date(at);
  const auto day = std::string_view(date).substr(0, 8);
  const auto scope = fmt::format("{}/{}/{}/aws4_request", day, region, service);
  const auto to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", date, scope, crypto::sha256(canonical).hex());

  const Secret root("AWS4" + std::string(credentials.secret_access_key.reveal()));
  const auto key = keyed(keyed(keyed(keyed(root, day), region), service), "aws4_request");
  return Secret(fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
                            credentials.access_key_id, scope, signed_headers, crypto::hmac_sha256(key, to_sign).hex()));
}

}  // namespace parley::secrets
