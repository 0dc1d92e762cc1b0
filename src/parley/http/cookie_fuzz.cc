// Whatever a Cookie header holds: our cookie is found in it exactly once and in one spelling, or not at all. What was
// found is found again alone, never with a second one beside it; and what others set never hides ours.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "parley/http/cookie.h"

namespace {

using parley::http::RequestHead;

void require(bool holds) {
  if (!holds) std::abort();
}

parley::Result<std::optional<std::string>> read(std::string value) {
  RequestHead head;
  head.headers = {{"Cookie", std::move(value)}};
  const auto found = parley::http::find_cookie(head, "p");
  if (!found) return std::unexpected(found.error());
  return *found ? std::optional(std::string(**found)) : std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = size == 0 ? std::string() : std::string(reinterpret_cast<const char*>(data), size);
  const auto found = read(text);
  if (!found) {
    // Nothing beside it makes it readable.
    require(!read(text + "; p=ps_1"));
    require(!read("p=ps_1; " + text));
    return 0;
  }
  if (*found) {
    const std::string& value = **found;
    require(!value.empty() && text.find("p=" + value) != std::string::npos);
    require(value.find_first_of(" \t;,\"\\=") == std::string::npos);
    require(read("p=" + value).value() == *found);
    require(!read(text + "; p=" + value));
    require(!read("p=" + value + "; " + text));
  } else {
    require(read(text + "; p=ps_1").value() == std::optional<std::string>("ps_1"));
    require(read("p=ps_1; " + text).value() == std::optional<std::string>("ps_1"));
  }
  return 0;
}
