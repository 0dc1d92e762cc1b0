#pragma once

#include "parley/base/result.h"
#include "parley/base/secret.h"

namespace parley::identity {

/// A text as a QR code, in SVG without script, style or reference: one white and one black path, with the quiet zone
/// that readers need. A secret, since it shows what the text says. `too_large` for what does not fit.
Result<Secret> qr_svg(const Secret& text);

}  // namespace parley::identity
