#include "parley/text/html_escape.h"

#include "parley/text/utf8.h"

namespace parley::text {

std::string html_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    const auto next = first_code_point(text);
    text.remove_prefix(next.bytes);
    switch (next.value) {
      case '&': out.append("&amp;"); break;
      case '<': out.append("&lt;"); break;
      case '>': out.append("&gt;"); break;
      case '"': out.append("&quot;"); break;
      case '\'': out.append("&#39;"); break;
      case 0: append_utf8(out, 0xFFFD); break;
      default: append_utf8(out, next.value); break;
    }
  }
  return out;
}

}  // namespace parley::text
