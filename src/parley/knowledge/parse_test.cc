#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>

#include "parley/knowledge/decode.h"
#include "parley/knowledge/parse.h"
#include "parley/knowledge/slug.h"

namespace parley::knowledge {
namespace {

TEST(Markdown, first) {
  if (const char* file = std::getenv("SHOW")) {
    std::ifstream in(file);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    auto parsed = parse_markdown(bytes, file);
    if (!parsed) std::printf("%s\n", describe_for_operator(parsed.error()).c_str());
    else for (auto& p : parsed->document.passages) {
      std::printf("---- %s #%s\n", p.id.c_str(), p.anchor.c_str());
      for (auto& h : p.headings) std::printf(" > %s", h.c_str());
      std::printf("\n");
      for (auto& b : p.blocks) std::printf("[%d] %s\n", int(b.kind), b.text.c_str());
    }
  }
}

}  // namespace
}  // namespace parley::knowledge
