#include "parley/identity/qr_svg.h"

#include <qrencode.h>

#include <iterator>
#include <memory>
#include <string>

#include <fmt/format.h>

namespace parley::identity {

Result<Secret> qr_svg(const Secret& text) {
  const auto bytes = text.reveal();
  // Level M: a smudged screen is still read, and an otpauth link stays at a size that a camera likes.
  const std::unique_ptr<QRcode, decltype(&QRcode_free)> code(
      QRcode_encodeData(static_cast<int>(bytes.size()), reinterpret_cast<const unsigned char*>(bytes.data()), 0,
                        QR_ECLEVEL_M),
      &QRcode_free);
  if (!code) return fail(Code::too_large, "the text does not fit into a QR code");
  constexpr int quiet = 4;  // as the standard asks
  const int width = code->width;
  const int whole = width + 2 * quiet;
  std::string svg =
      fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {0}" shape-rendering="crispEdges">)"
                  R"(<path fill="#fff" d="M0 0h{0}v{0}H0z"/><path d=")",
                  whole);
  // As long as any, so that it does not grow and leave pieces of the secret in freed memory.
  svg.reserve(svg.size() + static_cast<std::size_t>(width * width) * 10 + 16);
  const auto is_dark = [&](int x, int y) { return (code->data[y * width + x] & 1U) != 0; };
  for (int y = 0; y < width; ++y) {
    for (int x = 0, run = 0; x < width; x += run + 1) {
      for (run = 0; x + run < width && is_dark(x + run, y);) ++run;
      if (run > 0) fmt::format_to(std::back_inserter(svg), "M{} {}h{}v1h-{}z", x + quiet, y + quiet, run, run);
    }
  }
  svg += R"("/></svg>)";
  return Secret(std::move(svg));
}

}  // namespace parley::identity
