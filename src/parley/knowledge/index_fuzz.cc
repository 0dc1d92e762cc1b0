// Any bytes as document and question: never a crash, never an error, and the passage comes back byte for byte.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include <unistd.h>

#include <fmt/format.h>

#include "parley/knowledge/index.h"

using namespace parley::knowledge;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto index = [] {
    const auto folder = std::filesystem::temp_directory_path() / fmt::format("parley-index-fuzz-{}", ::getpid());
    static const struct Remover {
      std::filesystem::path folder;
      ~Remover() { std::filesystem::remove_all(folder); }
    } remover{folder};
    return *Index::open(folder);
  }();
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto middle = bytes.size() / 2;
  const std::string path(bytes.substr(0, std::min<std::size_t>(middle, 400)));
  Document document{.path = path, .url = path, .title = std::string(bytes.substr(middle / 2, 50)), .passages = {}};
  document.passages.push_back({.id = "x",
                               .headings = {document.title},
                               .anchor = "",
                               .blocks = {{BlockKind::prose, "turbine " + std::string(bytes.substr(middle))}}});
  if (!index.replace(document) || !index.commit(1)) std::abort();
  const auto asked = index.search({.text = bytes, .limit = 3, .path_prefix = path});
  if (!asked) std::abort();
  const auto found = index.search({.text = "turbine", .limit = 3, .total = SearchQuery::Total::exact});
  if (!found || found->hits.size() != 1 || found->total != 1) std::abort();
  if (found->hits[0].blocks[0].text != document.passages[0].blocks[0].text) std::abort();
  if (!index.remove(path) || !index.commit(2)) std::abort();
  return 0;
}
