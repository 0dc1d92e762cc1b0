// Any bytes as question and passages: never a crash, at most three quotes, each a run of a block of the cited passage.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "parley/knowledge/answer.h"
#include "parley/knowledge/terms.h"

using namespace parley::knowledge;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto next = [&] {
    const auto end = std::min(rest.find('\xff'), rest.size());
    const auto piece = rest.substr(0, end);
    rest.remove_prefix(std::min(rest.size(), end + 1));
    return piece;
  };
  const auto question = next();
  SearchResult found;
  found.language = "english";
  found.passages = 50;
  auto analyzer = Analyzer::make("english");
  for (const auto& token : analyzer->analyze(question)) {
    if (found.terms.size() == SearchQuery::terms_max) break;
    found.terms.push_back({.word = std::string(question.substr(token.begin, token.end - token.begin)),
                           .stem = token.word->stem,
                           .hash = token.word->hash,
                           .passages = token.begin % 3,
                           .weight = 3,
                           .part = token.part});
  }
  while (!rest.empty() && found.hits.size() < 10) {
    Hit hit{.passage_id = std::to_string(found.hits.size()),
            .path = "p",
            .url = "u",
            .title = std::string(next()),
            .headings = {std::string(next())},
            .anchor = "a",
            .blocks = {},
            .score = 2};
    for (int i = 0; i < 3; ++i) hit.blocks.push_back({static_cast<BlockKind>(rest.size() % 4), std::string(next())});
    found.hits.push_back(std::move(hit));
  }
  for (const double least : {0.0, answer_confidence_min}) {
    const auto made = answer(question, found, least);
    if (!made.answered) continue;
    if (made.citations.empty() || made.citations.size() > answer_sentences_max) std::abort();
    for (const auto& citation : made.citations) {
      bool verbatim = false;
      for (const auto& hit : found.hits) {
        if (hit.passage_id != citation.passage_id) continue;
        for (const auto& block : hit.blocks) verbatim |= block.text.find(citation.quote) != std::string::npos;
      }
      if (!verbatim || citation.quote.empty()) std::abort();
    }
  }
  return 0;
}
