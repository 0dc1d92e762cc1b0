#include "parley/knowledge/answer.h"

#include <algorithm>
#include <unordered_set>

#include "parley/knowledge/evidence.h"

namespace parley::knowledge {
namespace {

constexpr std::size_t suggestions_max = 3;  // nearest pages named instead of an answer
constexpr std::string_view nothing_found = "I found nothing about this in the documents.";
constexpr std::string_view nearest_pages = "I found no answer to this in the documents. The nearest pages are:";

std::string url_of(const Hit& hit) { return hit.anchor.empty() ? hit.url : hit.url + "#" + hit.anchor; }

std::string title_of(const Hit& hit) {
  if (hit.headings.empty() || hit.headings.back() == hit.title) return hit.title;
  return hit.title.empty() ? hit.headings.back() : hit.title + ": " + hit.headings.back();
}

Citation cite(const Hit& hit, std::string_view quote) {
  return {.title = title_of(hit),
          .url = url_of(hit),
          .path = hit.path,
          .passage_id = hit.passage_id,
          .quote = std::string(quote)};
}

/// Text for a Markdown link's visible part: what would end it is escaped.
std::string link_text(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 200)) {
    if (c == '\n' || c == '\r') {
      out += ' ';
      continue;
    }
    if (c == '[' || c == ']' || c == '\\' || c == '`' || c == '*' || c == '_' || c == '<') out += '\\';
    out += c;
  }
  return out;
}

/// An address for a link's `<…>`: what would end it or start a line is %-encoded.
std::string link_target(std::string_view url) {
  std::string out;
  for (const char c : url) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || c == '<' || c == '>' || c == '\\' || byte == 127) out += fmt::format("%{:02X}", byte);
    else out += c;
  }
  return out;
}

/// A fence longer than any run of back-quotes inside, so that the code cannot end it.
std::string fenced(std::string_view code) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char c : code) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(std::max<std::size_t>(3, longest + 1), '`');
  return fence + "\n" + std::string(code) + (code.ends_with('\n') ? "" : "\n") + fence;
}

/// A table as Markdown: the rule below its first row is what makes renderers draw one.
std::string table_text(std::string_view rows) {
  std::string out;
  bool first = true;
  while (!rows.empty()) {
    const auto end = std::min(rows.find('\n'), rows.size());
    const auto row = rows.substr(0, end);
    rows.remove_prefix(std::min(rows.size(), end + 1));
    out += "| ";
    out += row;
    out += " |\n";
    if (!first) continue;
    first = false;
    out += "|";
    std::size_t cells = 1;
    for (auto at = row.find(" | "); at != std::string_view::npos; at = row.find(" | ", at + 2)) ++cells;
    for (; cells > 0; --cells) out += " --- |";
    out += "\n";
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

Answer abstain(const SearchResult& found, double confidence) {
  Answer out;
  out.confidence = confidence;
  std::unordered_set<std::string_view> pages;
  for (const auto& hit : found.hits) {
    if (pages.size() == suggestions_max) break;
    if (!pages.insert(hit.path).second) continue;
    out.citations.push_back(cite(hit, {}));
  }
  if (out.citations.empty()) {
    out.text = nothing_found;
    return out;
  }
  out.text = nearest_pages;
  out.text += '\n';
  for (const auto& page : out.citations) {
    out.text +=
        fmt::format("\n- [{}](<{}>)", link_text(page.title.empty() ? page.url : page.title), link_target(page.url));
  }
  return out;
}

}  // namespace

Answer answer(std::string_view question, const SearchResult& found, double confidence_min) {
  const auto evidence = gather_evidence(question, found);
  const double confidence = confidence_of(features_of(evidence, found));
  if (confidence < confidence_min || evidence.units.empty()) return abstain(found, confidence);

  // Greedy: the best unit, then those that still come near it, each worth less for what has been said already.
  std::vector<const Unit*> chosen;
  std::vector<double> scores;
  scores.reserve(evidence.units.size());
  for (const auto& unit : evidence.units) scores.push_back(unit.score);
  std::unordered_set<std::string_view> said;
  double first_score = 0;
  double elsewhere_share = 0.7;
  while (chosen.size() < answer_sentences_max) {
    std::size_t best = evidence.units.size();
    for (std::size_t u = 0; u < evidence.units.size(); ++u) {
      if (said.contains(evidence.units[u].text)) continue;
      if (best == evidence.units.size() || scores[u] > scores[best]) best = u;
    }
    if (best == evidence.units.size()) break;
    if (chosen.empty()) first_score = scores[best];
    else if (scores[best] < (evidence.units[best].hit == chosen[0]->hit ? 0.6 : elsewhere_share) * first_score) break;
    const auto choose = [&](std::size_t u) {
      if (chosen.size() < answer_sentences_max && said.insert(evidence.units[u].text).second)
        chosen.push_back(&evidence.units[u]);
    };
    const auto& unit = evidence.units[best];
    choose(best);
    // "Run:" and the command below it are one thing to say.
    const auto leads = [&](std::size_t u) {
      return evidence.units[u].kind == BlockKind::prose && evidence.units[u].text.ends_with(':');
    };
    const auto with = [&](std::size_t u) { return u < evidence.units.size() && evidence.units[u].hit == unit.hit; };
    if (leads(best) && with(best + 1) && evidence.units[best + 1].kind != BlockKind::prose) choose(best + 1);
    if (unit.kind != BlockKind::prose && best > 0 && with(best - 1) && leads(best - 1)) choose(best - 1);
    // A how-to is told where its command stands; sentences of other pages beside it only distract.
    if (chosen[0]->kind != BlockKind::prose && chosen[0]->score >= 0.8 * first_score &&
        (chosen[0]->kind == BlockKind::code || chosen[0]->text.starts_with("1.")))
      elsewhere_share = 2;
  }

  Answer out;
  out.answered = true;
  out.confidence = confidence;
  for (const auto* unit : chosen) out.citations.push_back(cite(found.hits[unit->hit], unit->text));

  // Reading order: passages by their best unit, units as they stand in the passage.
  std::vector<std::size_t> passages;
  for (const auto* unit : chosen) {
    if (std::ranges::find(passages, unit->hit) == passages.end()) passages.push_back(unit->hit);
  }
  for (const auto hit : passages) {
    std::vector<const Unit*> units;
    for (const auto* unit : chosen) {
      if (unit->hit == hit) units.push_back(unit);
    }
    std::ranges::sort(units, {}, [](const Unit* unit) { return unit->order; });
    const Unit* previous = nullptr;
    for (const auto* unit : units) {
      const bool prose = unit->kind == BlockKind::prose;
      if (!out.text.empty()) {
        const bool runs_on = previous != nullptr && prose && previous->kind == BlockKind::prose;
        const bool follows = runs_on && unit->order == previous->order + 1 && unit->block == previous->block;
        out.text += follows ? " " : runs_on ? " … " : "\n\n";
      }
      switch (unit->kind) {
        case BlockKind::code: out.text += fenced(unit->text); break;
        case BlockKind::table: out.text += table_text(unit->text); break;
        case BlockKind::prose:
        case BlockKind::list: out.text += unit->text; break;
      }
      previous = unit;
    }
  }
  return out;
}

}  // namespace parley::knowledge
