#include "parley/knowledge/parse.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "parley/knowledge/decode.h"
#include "parley/knowledge/outline.h"
#include "parley/knowledge/parse_properties.h"
#include "parley/knowledge/slug.h"

namespace parley::knowledge {
namespace {

namespace fs = std::filesystem;

ParsedDocument parsed(Result<ParsedDocument> result) {
  EXPECT_TRUE(result) << describe_for_operator(result.error());
  return result ? *std::move(result) : ParsedDocument();
}
Document markdown(std::string_view text, std::string_view path = "guide/page.md") {
  return parsed(parse_markdown(text, path)).document;
}
Document mdx(std::string_view text) { return parsed(parse_mdx(text, "guide/page.mdx")).document; }

// Everything of a document in one readable text: "Title > Heading #anchor" lines, then "prose: …", "list: …".
std::string shown(const Document& document) {
  static constexpr std::string_view kinds[] = {"prose", "list", "table", "code"};
  std::string out;
  for (const Passage& passage : document.passages) {
    for (std::size_t i = 0; i < passage.headings.size(); ++i) out += (i == 0 ? "" : " > ") + passage.headings[i];
    out += " #" + passage.anchor + "\n";
    for (const Block& block : passage.blocks)
      out += std::string(kinds[static_cast<std::size_t>(block.kind)]) + ": " + block.text + "\n";
  }
  return out;
}

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Markdown, becomes_one_passage_per_heading_with_its_path_and_anchor) {
  EXPECT_EQ(
      shown(markdown("Before.\n\n# Guide\n\nIntro\nin two lines.\n\n## Set up\n\nText.\n\n### Linux & `apt`\n\nMore.\n"
                     "\n## Use\n\nEnd.\n")),
      "Guide #\nprose: Before.\n"
      "Guide #guide\nprose: Intro in two lines.\n"
      "Guide > Set up #set-up\nprose: Text.\n"
      "Guide > Set up > Linux & apt #linux--apt\nprose: More.\n"
      "Guide > Use #use\nprose: End.\n");
}

TEST(Markdown, keeps_lists_tables_and_code_whole_and_readable) {
  EXPECT_EQ(shown(markdown(
                "# T\n\n- one\n  continued\n- two\n\n  paragraph\n  - deep `code`\n    ```sh\n    run  it\n    ```\n"
                "\n3. three\n4. four\n\n- [x] done\n- [ ] open\n\n"
                "| A | B |\n|---|:-:|\n| `a` | **b** |\n| only |\n\n```js\n  if (a) {\n\n  }\n```\n")),
            "T #t\n"
            "list: - one continued\n- two paragraph\n  - deep code\n    run  it\n"
            "list: 3. three\n4. four\n"
            "list: - [x] done\n- [ ] open\n"
            "table: A | B\na | b\nonly\n"
            "code:   if (a) {\n\n  }\n");
}

TEST(Markdown, drops_marks_and_keeps_words) {
  EXPECT_EQ(
      shown(markdown("# T\n\nA [link](http://x/?a=1), ![a picture](p.png), ~~gone~~, *em*, `co<d>e`, &amp; <b>bold</b> "
                     "H<sub>2</sub>O<br>next, run <file>, <https://x.example>, a ~~ b <!-- note -->end.\n")),
      "T #t\nprose: A link, a picture, gone, em, co<d>e, & bold H2O next, run <file>, https://x.example, a ~~ b "
      "end.\n");
}

TEST(Markdown, reads_admonitions_as_prose) {
  EXPECT_EQ(
      shown(markdown(
          "# T\n\n:::note\nMind this.\n:::\nAfter.\n\n:::tip[Good to know]\nHint.\n:::\n\n> [!WARNING]\n> Hot.\n\n"
          "```\n:::note\n```\n")),
      "T #t\nprose: Note: Mind this.\nprose: After.\nprose: Good to know\nprose: Hint.\nprose: Warning: Hot.\n"
      "code: :::note\n");
}

TEST(Markdown, keeps_what_html_inside_it_says) {
  EXPECT_EQ(
      shown(markdown(
          "<h1 align=\"center\">Tool</h1>\n\n<details>\n<summary>More &lt; less</summary>\n\nInside.\n\n</details>\n\n"
          "<table>\n<tr><th>A</th><th>B</th></tr>\n<tr><td>1</td><td>2</td></tr>\n</table>\n\n"
          "<script>\nalert(1)\n</script>\n")),
      "Tool #tool\nprose: More < less\nprose: Inside.\ntable: A | B\n1 | 2\n");
}

TEST(Markdown, takes_an_anchor_from_the_author_where_there_is_one) {
  const auto document = markdown("# T {#top}\n\na\n\n## <a name=\"old\"></a>Renamed\n\nb\n\n## Plain\n\nc\n");
  ASSERT_EQ(document.passages.size(), 3u);
  EXPECT_EQ(document.title, "T");
  EXPECT_EQ(document.passages[0].anchor, "top");
  EXPECT_EQ(document.passages[1].anchor, "old");
  EXPECT_EQ(document.passages[1].headings.back(), "Renamed");
  EXPECT_EQ(document.passages[2].anchor, "plain");
}

TEST(Markdown, does_not_lose_a_heading_with_nothing_under_it) {
  EXPECT_EQ(shown(markdown("# T\n\n## Empty\n\n## Parent\n\n### Child\n\ntext\n")),
            "T > Empty #empty\nprose: Empty\nT > Parent > Child #child\nprose: text\n");
}

TEST(Slug, follows_github) {
  EXPECT_EQ(github_slug("Why `C++`, & how?"), "why-c--how");
  EXPECT_EQ(github_slug("flags.debits_must_not_exceed_credits"), "flagsdebits_must_not_exceed_credits");
  EXPECT_EQ(github_slug("Ünïcode ÄÖ Straße"), "ünïcode-äö-straße");
  EXPECT_EQ(github_slug("日本語 と 中文"), "日本語-と-中文");
  EXPECT_EQ(github_slug("Привет, МИР!"), "привет-мир");
  EXPECT_EQ(github_slug("🚀 Launch"), "-launch");
  EXPECT_EQ(github_slug("a - b"), "a---b");
  Anchors anchors;
  EXPECT_EQ(anchors.from_heading("Step"), "step");
  EXPECT_EQ(anchors.from_heading("Step 1"), "step-1");
  EXPECT_EQ(anchors.from_heading("Step"), "step-2");
  EXPECT_EQ(anchors.from_heading("STEP"), "step-3");
}

TEST(Title, is_the_front_matters_then_the_first_heading_then_the_file_name) {
  EXPECT_EQ(markdown("---\ntitle: \"From: above\"\n---\n# Heading\n\nx\n").title, "From: above");
  EXPECT_EQ(markdown("+++\ntitle = 'Toml'\n+++\nx\n").title, "Toml");
  EXPECT_EQ(markdown("text\n\n# Heading\n\nx\n").title, "Heading");
  EXPECT_EQ(markdown("## Only\n\nx\n\n### Below\n\ny\n").title, "Only");
  EXPECT_EQ(markdown("## One\n\nx\n\n## Two\n\ny\n").title, "page");
  EXPECT_EQ(markdown("text", "a/two-phase.md").title, "two phase");
  EXPECT_EQ(markdown("text", "coding/recipes/README.md").title, "recipes");
  EXPECT_EQ(shown(markdown("---\ntitle: Other\n---\n# Heading\n\nx\n")), "Other > Heading #heading\nprose: x\n");
}

TEST(FrontMatter, is_read_where_it_is_plain) {
  const auto page = parsed(
      parse_markdown("---\nslug: /start\ndescription: >\n  Folded\n  text\nkeywords:\n  - one\n  - 'two, three'\n"
                     "biel:boost_score: 2.5\nnested:\n  title: no\n---\n\nBody.\n",
                     "p.md"));
  EXPECT_EQ(page.facts.address, "/start");
  EXPECT_EQ(page.facts.description, "Folded text");
  EXPECT_EQ(page.facts.keywords, (std::vector<std::string>{"one", "two, three"}));
  EXPECT_EQ(page.facts.boost, 2.5);
  EXPECT_EQ(page.facts.title, "");
  EXPECT_EQ(parsed(parse_markdown("---\nkeywords: [a, \"b\"]\n---\nx", "p.md")).facts.keywords,
            (std::vector<std::string>{"a", "b"}));
  // Two rules are no front matter, and neither is a page that begins with one.
  EXPECT_EQ(shown(markdown("---\n\nkept\n\n---\n\nalso\n")), "page #\nprose: kept\nprose: also\n");
  EXPECT_EQ(shown(markdown("---\n\nkept: yes\n")), "page #\nprose: kept: yes\n");
}

TEST(Ids, stay_when_another_section_changes) {
  const auto before = markdown("# T\n\na\n\n## One\n\nb\n\n## Two\n\nc\n");
  const auto after = markdown("# T\n\na\n\n## One\n\nb is longer\n\n## New\n\nx\n\n## Two\n\nc\n");
  EXPECT_EQ(before.passages[0].id, after.passages[0].id);
  EXPECT_EQ(before.passages[1].id, after.passages[1].id);
  EXPECT_EQ(before.passages[2].id, after.passages[3].id);
  EXPECT_NE(markdown("# T\n\na", "other.md").passages[0].id, before.passages[0].id);
  const auto same = markdown("# T\n\n## Same\n\na\n\n## Same\n\nb\n");
  EXPECT_NE(same.passages[0].id, same.passages[1].id);
  EXPECT_EQ(same.passages[1].anchor, "same-1");
}

TEST(LongSections, are_parted_between_blocks) {
  std::string text = "# T\n\n";
  std::string paragraph;
  for (int i = 0; i < 60; ++i) paragraph += "word" + std::to_string(i) + " ";
  for (int i = 0; i < 10; ++i) text += paragraph + "\n\n";
  text += "For example:\n\n- an item\n\n";
  const auto document = markdown(text);
  ASSERT_GE(document.passages.size(), 3u);
  std::size_t blocks = 0;
  for (const Passage& passage : document.passages) {
    std::size_t words = 0;
    for (const Block& block : passage.blocks) words += count_words(block.text);
    EXPECT_LE(words, 300u);
    EXPECT_GE(words, 50u);
    EXPECT_EQ(passage.anchor, "t");
    blocks += passage.blocks.size();
  }
  EXPECT_EQ(blocks, 12u);
  const auto& last = document.passages.back().blocks;
  ASSERT_GE(last.size(), 2u);
  EXPECT_EQ(last[last.size() - 2].text, "For example:");
}

TEST(LongSections, part_a_huge_list_between_items_and_a_huge_table_between_rows_under_its_header) {
  std::string list = "# T\n\n";
  for (int i = 0; i < 300; ++i) list += "- item number " + std::to_string(i) + "\n  - with a part\n";
  for (const Passage& passage : markdown(list).passages)
    for (const Block& block : passage.blocks) EXPECT_TRUE(block.text.starts_with("- item number")) << block.text;
  std::string table = "# T\n\n| Name | Value |\n|--|--|\n";
  for (int i = 0; i < 300; ++i) table += "| name " + std::to_string(i) + " | value |\n";
  const auto document = markdown(table);
  EXPECT_GT(document.passages.size(), 3u);
  std::size_t rows = 0;
  for (const Passage& passage : document.passages)
    for (const Block& block : passage.blocks) {
      EXPECT_TRUE(block.text.starts_with("Name | Value\nname ")) << block.text.substr(0, 80);
      rows += static_cast<std::size_t>(std::ranges::count(block.text, '\n'));
    }
  EXPECT_EQ(rows, 300u);
}

TEST(Mdx, loses_its_code_and_keeps_its_prose) {
  EXPECT_EQ(
      shown(mdx("import Tabs from '@theme/Tabs';\nimport {\n  A,\n} from 'a'\n\nexport const x = {\n\n  a: 1,\n}\n\n"
                "# Install {#install}\n\n"
                "<Tabs groupId=\"os\">\n  <TabItem value=\"l\" label=\"Linux\">\n\n    Run {'this'} {props.x}now:\n\n"
                "    ```sh\n    apt {x} <y>\n      deep\n    ```\n\n  </TabItem>\n</Tabs>\n\n"
                "<Card title=\"Quick start\" onClick={() => { a > b }}>Card text.</Card>\n\n"
                "A <b>bold</b> word and `{code}` and {/* gone */}done.\n\n"
                "import your data first, then export it.\n")),
      "Install #install\n"
      "prose: Linux\nprose: Run this now:\ncode: apt {x} <y>\n  deep\n"
      "prose: Quick start\nprose: Card text.\n"
      "prose: A bold word and {code} and done.\n"
      "prose: import your data first, then export it.\n");
}

TEST(Html, reads_the_main_part_of_a_page) {
  const auto page = parsed(parse_html(
      "<!doctype html><html><head><title>Install | Site</title><meta name=description content='How to &amp; why'>"
      "<style>p{}</style></head><body><header>Banner</header><nav>Menu</nav><main><article><header><h1>Install</h1></"
      "header>"
      "<p>Two  <b>bold</b>\nwords.<p>Second &lt;x&gt;<ul><li>one<ul><li>deep</ul><li>two</ul>"
      "<section id=opts><h2>Options<a class=headerlink "
      "href=#>¶</a></h2><table><thead><tr><th>A<th>B</thead><tr><td>1<td>2</table>"
      "<pre><code>a\n  b\n</code></pre><dl><dt>Term<dd>Meaning</dl></section><aside>Ad</aside><script>x()</script>"
      "<h2 id=end>End</h2>tail</article></main><footer>Foot</footer></body></html>",
      "p.html"));
  EXPECT_EQ(page.document.title, "Install | Site");
  EXPECT_EQ(page.facts.description, "How to & why");
  EXPECT_EQ(shown(page.document),
            "Install | Site #install\nprose: Two bold words.\nprose: Second <x>\nlist: - one\n  - deep\n- two\n"
            "Install | Site > Options #opts\ntable: A | B\n1 | 2\ncode: a\n  b\nlist: - Term: Meaning\n"
            "Install | Site > End #end\nprose: tail\n");
}

TEST(PlainText, has_paragraphs_lists_and_underlined_headings) {
  EXPECT_EQ(shown(parsed(parse_text("Title\n=====\n\nA text\nof two lines.\n\n- one\n- two\n\nPart\n----\n\n    code\n",
                                    "a.rst"))
                      .document),
            "Title #title\nprose: A text of two lines.\nlist: - one\n- two\nTitle > Part #part\ncode:     code\n");
}

TEST(Encodings, other_than_utf8_are_converted_and_binaries_refused) {
  EXPECT_EQ(shown(markdown("\xEF\xBB\xBF# T\r\n\r\na\r\nb")), "T #t\nprose: a b\n");
  EXPECT_EQ(shown(markdown("# Gr\xFC\xDF \x96 \x80")), "Grüß – € #grüß--\nprose: Grüß – €\n");
  EXPECT_EQ(decode_text(std::string_view("\xFF\xFE"
                                         "a\0\x3D\xD8\x80\xDE",
                                         8))
                .value(),
            "a🚀");
  EXPECT_EQ(decode_text(std::string_view("\xFE\xFF\0a\0\xE9", 6)).value(), "aé");
  EXPECT_EQ(decode_text("a\x1B[31m").value(), "a [31m");
  const auto refused = parse_markdown(std::string_view("a\0b", 3), "x.md");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::unsupported);
  EXPECT_FALSE(is_utf8("\xC0\x80"));
  EXPECT_FALSE(is_utf8("\xED\xA0\x80"));
  EXPECT_FALSE(is_utf8("\xF4\x90\x80\x80"));
}

TEST(Limits, refuse_what_is_too_large) {
  const auto refused = parse_markdown(std::string(document_bytes_max + 1, 'a'), "x.md");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::too_large);
}

// Inputs that cost a naive reader its stack, its memory or the square of their length.
TEST(Hostile, nesting_and_repetition_end_in_time) {
  const auto times = [](std::string_view piece, std::size_t n) {
    std::string out;
    out.reserve(piece.size() * n);
    for (std::size_t i = 0; i < n; ++i) out += piece;
    return out;
  };
  constexpr std::size_t n = 50'000;
  std::string staircase;
  for (std::size_t i = 0; i < 2000; ++i) staircase += std::string(2 * i, ' ') + "- a\n";
  std::string ticks;
  for (std::size_t i = 1; i < 500; ++i) ticks += std::string(i, '`') + " ";
  const std::string wide = times("|a", 5000) + "|\n" + times("|-", 5000) + "|\n";
  const std::string inputs[] = {times(">", n),
                                times("> ", n) + "a",
                                times("- ", n) + "a",
                                times("1. ", n) + "a",
                                times("> a\n", n),
                                staircase,
                                staircase + times("\n", n),
                                times("[", n),
                                times("![", n),
                                times("![[]()", n),
                                times("[a](", n),
                                times("*a _b ", n),
                                times("**x ", n),
                                times("<b>", n),
                                times("<div>", n),
                                times("<div>\n\n", n),
                                times("<a b='", n),
                                times("<!--", n),
                                times("{", n),
                                times("{}", n),
                                times("<A b={", n),
                                times("<A>", n),
                                times("</A>", n),
                                times("\\{", n),
                                ticks,
                                wide + times("|\n", n),
                                times("a\n", n),
                                times("# a\n", n),
                                times("&#x41;", n),
                                times("[a]: b\n", n),
                                times(":::note\n", n),
                                times("<table><td>", n),
                                times("<b><table></b>", n / 10),
                                times("<b a=1><p>", n / 10),
                                times("<ul><li>", n),
                                times("<p><b a>", n / 10),
                                times("~~", n),
                                times("<svg><desc>", n),
                                times("import {\n", n),
                                times("export const a = {\n\n", n / 10),
                                times("--- - ", n),
                                times("<h1>", n),
                                times("<select><option>", n)};
  for (const auto& input : inputs) {
    const auto start = std::chrono::steady_clock::now();
    for (const Parser parse : {parse_markdown, parse_mdx, parse_html, parse_text})
      EXPECT_EQ(broken_property(parse, input), "") << input.substr(0, 40);
    const auto took = std::chrono::steady_clock::now() - start;
    // Each parser twice; what goes over its own limit of five seconds is refused, so this is only about loops of ours.
    EXPECT_LT(took, std::chrono::seconds(60)) << input.substr(0, 40);
    if (std::getenv("PARLEY_SHOW_TIMES"))
      std::printf("%8lld us  %s\n", static_cast<long long>(took / std::chrono::microseconds(1)),
                  input.substr(0, 30).c_str());
  }
}

const fs::path data = "../shared/data";

TEST(Hostile, strings_that_break_renderers_keep_the_properties) {
  if (!fs::exists(data / "text")) GTEST_SKIP() << "no " << data / "text";
  std::size_t tried = 0;
  const auto strings_of = [&](auto&& self, const boost::json::value& value) -> void {
    if (value.is_string()) {
      ++tried;
      for (const Parser parse : {parse_markdown, parse_mdx, parse_html, parse_text})
        EXPECT_EQ(broken_property(parse, value.as_string()), "") << value.as_string();
    } else if (value.is_array()) {
      for (const auto& item : value.as_array()) self(self, item);
    } else if (value.is_object()) {
      for (const auto& [name, item] : value.as_object()) self(self, item);
    }
  };
  for (const auto& file : {data / "text/xss_dompurify/expect.json", data / "text/naughty_strings/blns.json"}) {
    const std::string text = bytes_of(file);
    boost::system::error_code error;
    const auto json = boost::json::parse(text, error);
    ASSERT_FALSE(error) << file;
    strings_of(strings_of, json);
    for (const Parser parse : {parse_markdown, parse_mdx, parse_html, parse_text})
      EXPECT_EQ(broken_property(parse, text), "") << file;
  }
  EXPECT_GT(tried, 500u);
}

TEST(RealDocumentation, keeps_every_word_title_and_link_target) {
  const fs::path root = data / "docs/tigerbeetle";
  if (!fs::exists(root)) GTEST_SKIP() << "no " << root;
  std::map<std::string, Document> documents;
  std::map<std::string, std::string> sources;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".md") continue;
    const std::string path = fs::relative(entry.path(), root).generic_string();
    sources[path] = bytes_of(entry.path());
    EXPECT_EQ(broken_property(parse_markdown, sources[path]), "") << path;
    documents[path] = markdown(sources[path], path);
  }
  EXPECT_GT(documents.size(), 60u);

  std::size_t links = 0;
  std::vector<std::string> broken;
  for (const auto& [path, text] : sources) {
    // The title is the first heading as written.
    if (text.starts_with("# ")) {
      std::string first = text.substr(2, text.find('\n') - 2);
      std::erase(first, '`');
      EXPECT_EQ(documents[path].title, first);
    }
    // Every word of the source is in some passage or heading.
    std::set<std::string> words;
    std::string all;
    for (const Passage& passage : documents[path].passages) {
      for (const auto& heading : passage.headings) all += heading + "\n";
      for (const Block& block : passage.blocks) all += block.text + "\n";
    }
    std::string word;
    std::size_t missing = 0;
    std::string_view source = text;
    bool in_target = false;
    for (std::size_t i = 0; i < source.size(); ++i) {
      const char c = source[i];
      if (c == '(' && i > 0 && source[i - 1] == ']') in_target = true;
      if (in_target || c == '<') {
        if (c == ')' || c == '<') in_target = false;
        if (c == '<' && source.find('>', i) != std::string_view::npos && i + 1 < source.size() &&
            std::isalpha(static_cast<unsigned char>(source[i + 1])))
          i = source.find('>', i);
        word.clear();
        continue;
      }
      if (std::isalpha(static_cast<unsigned char>(c))) word += c;
      else {
        if (word.size() >= 5 && all.find(word) == std::string::npos) ++missing;
        word.clear();
      }
    }
    // Languages of code fences and link definitions are all that goes.
    EXPECT_LE(missing, 40u) << path;

    // Links between the pages lead to anchors that were made.
    for (auto at = text.find("]("); at != std::string::npos; at = text.find("](", at + 2)) {
      const std::string target = text.substr(at + 2, text.find(')', at) - at - 2);
      const auto hash = target.find('#');
      if (hash == std::string::npos || target.find("://") != std::string::npos || target.starts_with('/')) continue;
      const std::string page =
          hash == 0 ? path
                    : (fs::path(path).parent_path() / target.substr(0, hash)).lexically_normal().generic_string();
      if (!documents.contains(page)) continue;
      ++links;
      // A heading with only other headings below it has no passage of its own.
      std::set<std::string> anchors;
      for (const Passage& passage : documents[page].passages) {
        anchors.insert(passage.anchor);
        for (const auto& heading : passage.headings) anchors.insert(github_slug(heading));
      }
      if (!anchors.contains(target.substr(hash + 1))) broken.push_back(path + " -> " + target);
    }
  }
  EXPECT_GT(links, 100u);
  // What the pages themselves have wrong, if anything, is printed.
  for (const auto& link : broken) std::printf("no anchor: %s\n", link.c_str());
  EXPECT_LE(broken.size(), links / 50);
}

}  // namespace
}  // namespace parley::knowledge
