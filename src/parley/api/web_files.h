#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "parley/base/embedded_file.h"
#include "parley/base/literal.h"

namespace parley::api {

struct WebFile {
  Literal content_type;
  std::string bytes;
};

/// The program's pages and what they load. Assets are served under a name that holds a digest of all of them, so a
/// browser may keep them for good and still gets new ones after an upgrade, never a script of one version with a script
/// of another. Pages and scripts that name an asset, as "/assets/NAME" or '/assets/NAME', are rewritten once, at start.
class WebFiles {
 public:
  explicit WebFiles(std::span<const EmbeddedFile> files);

  /// An HTML page by its file name, e.g. "demo.html". Which pages there are is known when compiling, so this does not
  /// fail: an unknown name is an empty page.
  const std::string& page(std::string_view name) const;
  /// An asset by the name it is served under, e.g. "demo.3f9a0c12.js". Null if there is none.
  const WebFile* find_asset(std::string_view served_name) const;

 private:
  std::map<std::string, std::string, std::less<>> pages_;
  std::map<std::string, WebFile, std::less<>> assets_;
};

/// Everything below web/pages/ in the source tree.
std::span<const EmbeddedFile> embedded_pages();

}  // namespace parley::api
