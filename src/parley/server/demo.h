#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "parley/base/embedded_file.h"
#include "parley/server/installation.h"

namespace parley::server {

/// Where the demo is: /demo/parley.
inline constexpr std::string_view demo_slug = "parley";

/// Parley's own documentation.
std::span<const EmbeddedFile> embedded_documents();

/// Makes the tenant "Demo" and its public project of Parley's documentation, or brings them up to date. What has
/// not changed since the last start costs nothing. `say` is told what takes time.
Result<void> make_demo(Installation& at, const std::function<void(std::string_view)>& say);

}  // namespace parley::server
