#include "parley/knowledge/html.h"

#include <gumbo.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <unordered_map>
#include <utility>

#include "parley/knowledge/decode.h"
#include "parley/knowledge/parse.h"
#include "parley/knowledge/parser_memory.h"

namespace parley::knowledge {
namespace {

// Pages are 10 to 60 elements deep; browsers cut at 512. Gumbo looks through its open elements at every tag, so depth
// times length is its cost.
constexpr int open_elements_max = 512;
// Our own walk recurses this deep, then reads what is below as running text.
constexpr int walk_depth_max = 200;
constexpr int list_indent_max = 8;

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\f' || c == '\r'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

constexpr std::array<std::string_view, 142> html_elements = {
    "a",        "abbr",     "acronym",   "address",  "applet",   "area",     "article",    "aside",  "audio",
    "b",        "base",     "basefont",  "bdi",      "bdo",      "bgsound",  "big",        "blink",  "blockquote",
    "body",     "br",       "button",    "canvas",   "caption",  "center",   "cite",       "code",   "col",
    "colgroup", "data",     "datalist",  "dd",       "del",      "details",  "dfn",        "dialog", "dir",
    "div",      "dl",       "dt",        "em",       "embed",    "fieldset", "figcaption", "figure", "font",
    "footer",   "form",     "frame",     "frameset", "h1",       "h2",       "h3",         "h4",     "h5",
    "h6",       "head",     "header",    "hgroup",   "hr",       "html",     "i",          "iframe", "img",
    "input",    "ins",      "kbd",       "label",    "legend",   "li",       "link",       "main",   "map",
    "mark",     "marquee",  "math",      "menu",     "menuitem", "meta",     "meter",      "nav",    "nobr",
    "noembed",  "noframes", "noscript",  "object",   "ol",       "optgroup", "option",     "output", "p",
    "param",    "picture",  "plaintext", "pre",      "progress", "q",        "rb",         "rp",     "rt",
    "rtc",      "ruby",     "s",         "samp",     "script",   "search",   "section",    "select", "slot",
    "small",    "source",   "spacer",    "span",     "strike",   "strong",   "style",      "sub",    "summary",
    "sup",      "svg",      "table",     "tbody",    "td",       "template", "textarea",   "tfoot",  "th",
    "thead",    "time",     "title",     "tr",       "track",    "tt",       "u",          "ul",     "var",
    "video",    "wbr",      "xmp",       "path",     "circle",   "g",        "rect"};

constexpr std::array<std::string_view, 34> line_elements = {
    "p",    "div",    "br",         "li",      "ul",      "ol",      "dl",     "dt", "dd",
    "tr",   "table",  "section",    "h1",      "h2",      "h3",      "h4",     "h5", "h6",
    "hr",   "pre",    "blockquote", "header",  "details", "summary", "td",     "th", "article",
    "main", "figure", "figcaption", "caption", "form",    "center",  "address"};

constexpr std::array<std::string_view, 19> void_elements = {
    "area",  "base",   "br",    "col", "embed", "hr",     "img",     "input",    "link",   "meta",
    "param", "source", "track", "wbr", "frame", "keygen", "bgsound", "basefont", "command"};

// Elements whose start closes the one before, so that an author may leave their ends out.
constexpr std::array<std::string_view, 17> ends_implied = {"p",        "li",     "td",       "tr",    "th",    "dt",
                                                           "dd",       "option", "optgroup", "thead", "tbody", "tfoot",
                                                           "colgroup", "rp",     "rt",       "rb",    "rtc"};

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::ranges::find(names, name) != names.end();
}

// Where the tag that begins at html[at] ends, behind its '>'; npos if it does not. Quoted values may hold '>'.
std::size_t tag_end(std::string_view html, std::size_t at) {
  char quote = 0;
  for (std::size_t i = at + 1; i < html.size(); ++i) {
    const char c = html[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if ((c == '"' || c == '\'') && html[i - 1] == '=') {
      quote = c;
    } else if (c == '>') {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

void append_entity(std::string_view html, std::size_t& at, std::string& out) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 16> names = {{{"amp", "&"},
                                                                                    {"lt", "<"},
                                                                                    {"gt", ">"},
                                                                                    {"quot", "\""},
                                                                                    {"apos", "'"},
                                                                                    {"nbsp", " "},
                                                                                    {"copy", "©"},
                                                                                    {"reg", "®"},
                                                                                    {"mdash", "—"},
                                                                                    {"ndash", "–"},
                                                                                    {"hellip", "…"},
                                                                                    {"rarr", "→"},
                                                                                    {"larr", "←"},
                                                                                    {"times", "×"},
                                                                                    {"lsquo", "‘"},
                                                                                    {"rsquo", "’"}}};
  const auto window = html.substr(at, 12);
  if (const auto end = window.find(';'); end != std::string_view::npos) {
    const auto name = window.substr(1, end - 1);
    if (name.starts_with('#')) {
      const bool hexadecimal = name.size() > 1 && (name[1] == 'x' || name[1] == 'X');
      const auto digits = name.substr(hexadecimal ? 2 : 1);
      std::uint32_t point = 0;
      const auto [stop, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), point, hexadecimal ? 16 : 10);
      if (error == std::errc() && stop == digits.data() + digits.size()) {
        // A control character written as an entity is as unwelcome as one written plainly.
        if (point < 0x20 || point == 0x7F) out += ' ';
        else append_utf8(out, point);
        at += end + 1;
        return;
      }
    }
    for (const auto& [known, text] : names)
      if (name == known) {
        out += text;
        at += end + 1;
        return;
      }
  }
  out += '&';
  ++at;
}

// How deep gumbo's stack could get, found without it. Unclosed formatting elements count on, as they do in gumbo, which
// opens them again in every paragraph.
Result<void> check_depth(std::string_view html) {
  std::unordered_map<std::string, int> open;
  int depth = 0;
  for (std::size_t at = html.find('<'); at != std::string_view::npos; at = html.find('<', at + 1)) {
    std::string name = tag_name(html.substr(at, 64));
    if (name.empty()) continue;
    if (name.front() == '/') {
      name.erase(0, 1);
      if (const auto found = open.find(name); found != open.end() && found->second > 0) {
        --found->second;
        --depth;
      }
    } else if (!is_one_of(name, void_elements) && !is_one_of(name, ends_implied)) {
      // Names that no page uses are all one: the table must not grow with the input.
      if (open.size() > 1000) name = "?";
      ++open[name];
      if (++depth > open_elements_max) return fail(Code::too_large, "its markup is nested too deeply");
    }
  }
  return {};
}

// White space as HTML has it: any run is one space, none at the ends.
class Line {
 public:
  void add(std::string_view text) {
    for (const char c : text) {
      if (is_space(c)) {
        space_ = true;
      } else {
        if (space_ && !text_.empty()) text_ += ' ';
        space_ = false;
        text_ += c;
      }
    }
  }
  void add_space() { space_ = true; }
  bool empty() const { return text_.empty(); }
  std::string take() {
    space_ = false;
    return std::exchange(text_, {});
  }

 private:
  std::string text_;
  bool space_ = false;
};

std::string_view attribute(const GumboNode& node, const char* name) {
  const GumboAttribute* found = gumbo_get_attribute(&node.v.element.attributes, name);
  return found != nullptr ? std::string_view(found->value) : std::string_view();
}

bool is_element(const GumboNode& node) { return node.type == GUMBO_NODE_ELEMENT || node.type == GUMBO_NODE_TEMPLATE; }

const GumboVector* children(const GumboNode& node) {
  if (is_element(node)) return &node.v.element.children;
  if (node.type == GUMBO_NODE_DOCUMENT) return &node.v.document.children;
  return nullptr;
}

const GumboNode& child(const GumboVector& nodes, unsigned i) { return *static_cast<const GumboNode*>(nodes.data[i]); }

// Goes through a subtree without recursion. `enter` says whether to go below an element.
template <class Enter>
void visit(const GumboNode& root, Enter enter) {
  std::vector<std::pair<const GumboNode*, unsigned>> path;
  if (!enter(root)) return;
  path.emplace_back(&root, 0u);
  while (!path.empty()) {
    auto& [node, next] = path.back();
    const GumboVector* below = children(*node);
    if (below == nullptr || next >= below->length) {
      path.pop_back();
      continue;
    }
    const GumboNode& here = child(*below, next++);
    if (enter(here)) path.emplace_back(&here, 0u);
  }
}

bool is_dropped(const GumboNode& node) {
  switch (node.v.element.tag) {
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_TEMPLATE:
    case GUMBO_TAG_NOSCRIPT:
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_FOOTER:
    case GUMBO_TAG_ASIDE:
    case GUMBO_TAG_HEAD:
    case GUMBO_TAG_SVG:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_SELECT:
    case GUMBO_TAG_BUTTON:
    case GUMBO_TAG_TEXTAREA:
    case GUMBO_TAG_CANVAS: return true;
    default: break;
  }
  return attribute(node, "role") == "navigation" || attribute(node, "aria-hidden") == "true" ||
         attribute(node, "class") == "headerlink" ||
         gumbo_get_attribute(&node.v.element.attributes, "hidden") != nullptr;
}

bool is_block(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_ADDRESS:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_BLOCKQUOTE:
    case GUMBO_TAG_BODY:
    case GUMBO_TAG_CENTER:
    case GUMBO_TAG_DD:
    case GUMBO_TAG_DETAILS:
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_DL:
    case GUMBO_TAG_DT:
    case GUMBO_TAG_FIELDSET:
    case GUMBO_TAG_FIGCAPTION:
    case GUMBO_TAG_FIGURE:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_HEADER:
    case GUMBO_TAG_HGROUP:
    case GUMBO_TAG_HR:
    case GUMBO_TAG_HTML:
    case GUMBO_TAG_LI:
    case GUMBO_TAG_MAIN:
    case GUMBO_TAG_P:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_SUMMARY:
    case GUMBO_TAG_TBODY:
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH:
    case GUMBO_TAG_TR: return true;
    default: return false;
  }
}

int heading_level(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_H1: return 1;
    case GUMBO_TAG_H2: return 2;
    case GUMBO_TAG_H3: return 3;
    case GUMBO_TAG_H4: return 4;
    case GUMBO_TAG_H5: return 5;
    case GUMBO_TAG_H6: return 6;
    default: return 0;
  }
}

bool is_text(const GumboNode& node) {
  return node.type == GUMBO_NODE_TEXT || node.type == GUMBO_NODE_WHITESPACE || node.type == GUMBO_NODE_CDATA;
}

// Running text of a subtree on one line.
void read_line(const GumboNode& root, Line& line) {
  visit(root, [&](const GumboNode& node) {
    if (is_text(node)) {
      line.add(node.v.text.text);
      return false;
    }
    if (!is_element(node)) return false;
    if (&node != &root && is_dropped(node)) return false;
    const GumboTag tag = node.v.element.tag;
    if (tag == GUMBO_TAG_IMG) line.add(attribute(node, "alt"));
    if (tag == GUMBO_TAG_BR || is_block(tag) || tag == GUMBO_TAG_PRE || heading_level(tag) != 0) line.add_space();
    return true;
  });
}

std::string line_of(const GumboNode& node) {
  Line line;
  read_line(node, line);
  return line.take();
}

// Text as it stands, for code.
std::string code_of(const GumboNode& root) {
  std::string text;
  visit(root, [&](const GumboNode& node) {
    if (is_text(node)) text += node.v.text.text;
    else if (is_element(node) && node.v.element.tag == GUMBO_TAG_BR) text += '\n';
    return is_element(node) && (&node == &root || !is_dropped(node));
  });
  return text;
}

std::string table_of(const GumboNode& table) {
  std::string text;
  visit(table, [&](const GumboNode& node) {
    if (!is_element(node)) return false;
    const GumboTag tag = node.v.element.tag;
    if (&node == &table || tag == GUMBO_TAG_TBODY || tag == GUMBO_TAG_THEAD || tag == GUMBO_TAG_TFOOT) return true;
    std::string row;
    if (tag == GUMBO_TAG_CAPTION) {
      row = line_of(node);
    } else if (tag == GUMBO_TAG_TR) {
      const GumboVector& cells = node.v.element.children;
      bool first = true;
      for (unsigned i = 0; i < cells.length; ++i) {
        const GumboNode& cell = child(cells, i);
        if (!is_element(cell) || is_dropped(cell)) continue;
        if (!first) row += " | ";
        first = false;
        row += line_of(cell);
      }
      // Cells that pad a short row say nothing.
      while (row.ends_with(" | ")) row.resize(row.size() - 3);
    }
    if (!row.empty()) {
      if (!text.empty()) text += '\n';
      text += row;
    }
    return false;
  });
  return text;
}

class Reader {
 public:
  explicit Reader(Outline& outline) : outline_(outline) {}

  void read(const GumboNode& root) {
    walk(root, 0);
    flush();
  }
  void keep_page_headers() { drop_headers_ = false; }

 private:
  void flush() {
    if (!line_.empty()) outline_.block(BlockKind::prose, line_.take());
  }

  void walk(const GumboNode& node, int depth) {
    if (is_text(node)) return line_.add(node.v.text.text);
    const GumboVector* below = children(node);
    if (below == nullptr) return;
    if (depth > walk_depth_max) return read_line(node, line_);
    if (is_element(node)) {
      const GumboTag tag = node.v.element.tag;
      if (depth > 0 && (is_dropped(node) || (tag == GUMBO_TAG_HEADER && drop_headers_))) return;
      const auto id = attribute(node, "id");
      // Sphinx and others name the section and not its heading.
      if (tag == GUMBO_TAG_SECTION || (tag == GUMBO_TAG_DIV && attribute(node, "class") == "section")) section_id_ = id;
      if (const int level = heading_level(tag); level != 0) return heading(node, level);
      switch (tag) {
        case GUMBO_TAG_PRE: return block(BlockKind::code, code_of(node));
        case GUMBO_TAG_TABLE: return block(BlockKind::table, table_of(node));
        case GUMBO_TAG_UL:
        case GUMBO_TAG_OL:
        case GUMBO_TAG_MENU:
        case GUMBO_TAG_DL: {
          std::string text;
          list(node, 0, text);
          return block(BlockKind::list, std::move(text));
        }
        case GUMBO_TAG_IMG: return line_.add(attribute(node, "alt"));
        case GUMBO_TAG_BR: return line_.add_space();
        default: break;
      }
      if (is_block(tag)) {
        flush();
        for (unsigned i = 0; i < below->length; ++i) walk(child(*below, i), depth + 1);
        return flush();
      }
    }
    for (unsigned i = 0; i < below->length; ++i) walk(child(*below, i), depth + 1);
  }

  void block(BlockKind kind, std::string text) {
    flush();
    outline_.block(kind, std::move(text));
  }

  void heading(const GumboNode& node, int level) {
    flush();
    std::string text = line_of(node);
    // The sign that many generators put behind a heading to link to it.
    for (const std::string_view sign : {" ¶", "¶", " #", "🔗", " \xE2\x80\x8B"})
      if (text.ends_with(sign)) text.resize(text.size() - sign.size());
    std::string_view id = attribute(node, "id");
    if (id.empty())
      visit(node, [&](const GumboNode& below) {
        if (id.empty() && is_element(below)) id = attribute(below, "id");
        if (id.empty() && is_element(below) && below.v.element.tag == GUMBO_TAG_A) id = attribute(below, "name");
        return id.empty();
      });
    if (id.empty()) id = section_id_;
    section_id_ = {};
    outline_.heading(level, std::move(text), id);
  }

  // Items one a line, what is below them indented.
  void list(const GumboNode& node, int depth, std::string& out) {
    const GumboVector& items = node.v.element.children;
    const bool numbered = node.v.element.tag == GUMBO_TAG_OL;
    int number = 1;
    if (const auto start = attribute(node, "start"); numbered && !start.empty())
      std::from_chars(start.data(), start.data() + start.size(), number);
    const std::string indent(2 * static_cast<std::size_t>(std::min(depth, list_indent_max)), ' ');
    bool after_term = false;
    for (unsigned i = 0; i < items.length; ++i) {
      const GumboNode& item = child(items, i);
      if (!is_element(item) || is_dropped(item)) continue;
      Line line;
      std::string below;
      item_parts(item, depth, line, below);
      std::string text = line.take();
      if (text.empty() && below.empty()) continue;
      // A definition stands behind its term on one line.
      const bool is_definition = item.v.element.tag == GUMBO_TAG_DD;
      if (is_definition && after_term && !out.empty()) {
        out += ": " + text;
      } else {
        if (!out.empty()) out += '\n';
        out += indent;
        if (numbered) out += std::to_string(number) + ". ";
        else out += "- ";
        out += text;
        number = number < 1'000'000'000 ? number + 1 : number;
      }
      after_term = item.v.element.tag == GUMBO_TAG_DT;
      if (!below.empty()) out += '\n' + below;
    }
  }

  void item_parts(const GumboNode& item, int depth, Line& line, std::string& below) {
    visit(item, [&](const GumboNode& node) {
      if (is_text(node)) return line.add(node.v.text.text), false;
      if (!is_element(node)) return false;
      if (&node != &item && is_dropped(node)) return false;
      const auto add_below = [&](const std::string& text) {
        if (text.empty()) return;
        if (!below.empty()) below += '\n';
        below += text;
      };
      switch (node.v.element.tag) {
        case GUMBO_TAG_UL:
        case GUMBO_TAG_OL:
        case GUMBO_TAG_MENU:
        case GUMBO_TAG_DL: {
          if (depth > walk_depth_max / 4) return true;
          std::string inner;
          list(node, depth + 1, inner);
          add_below(inner);
          return false;
        }
        case GUMBO_TAG_PRE: return add_below(indented(code_of(node), depth + 1)), false;
        case GUMBO_TAG_TABLE: return add_below(indented(table_of(node), depth + 1)), false;
        case GUMBO_TAG_IMG: return line.add(attribute(node, "alt")), false;
        default: break;
      }
      if (node.v.element.tag == GUMBO_TAG_BR || is_block(node.v.element.tag)) line.add_space();
      return true;
    });
  }

  static std::string indented(std::string_view text, int depth) {
    const std::string indent(2 * static_cast<std::size_t>(std::min(depth, list_indent_max)), ' ');
    std::string out;
    while (!text.empty()) {
      const auto end = text.find('\n');
      const auto line = text.substr(0, end);
      if (!line.empty()) {
        if (!out.empty()) out += '\n';
        out += indent;
        out += line;
      }
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
    return out;
  }

  Outline& outline_;
  Line line_;
  std::string_view section_id_;
  bool drop_headers_ = true;
};

struct GumboRun {
  GumboOptions options;
  std::string_view html;
  GumboOutput* output;
};

void run_gumbo(void* context) {
  auto* run = static_cast<GumboRun*>(context);
  run->output = gumbo_parse_with_options(&run->options, run->html.data(), run->html.size());
}

}  // namespace

std::string tag_name(std::string_view html) {
  std::string name;
  std::size_t i = 1;
  if (i < html.size() && html[i] == '/') {
    name += '/';
    ++i;
  }
  if (i >= html.size() || !is_letter(html[i])) return {};
  for (; i < html.size() && !is_space(html[i]) && html[i] != '>' && html[i] != '/' && name.size() < 40; ++i)
    name += lower(html[i]);
  return name;
}

std::string_view tag_attribute(std::string_view tag, std::string_view name) {
  for (std::size_t at = tag.find(name); at != std::string_view::npos; at = tag.find(name, at + 1)) {
    if (at == 0 || !is_space(tag[at - 1])) continue;
    auto rest = tag.substr(at + name.size());
    while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
    if (!rest.starts_with('=')) continue;
    rest.remove_prefix(1);
    while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
    if (rest.starts_with('"') || rest.starts_with('\'')) {
      const auto end = rest.find(rest.front(), 1);
      return end == std::string_view::npos ? std::string_view() : rest.substr(1, end - 1);
    }
    std::size_t end = 0;
    while (end < rest.size() && !is_space(rest[end]) && rest[end] != '>' && rest[end] != '/') ++end;
    return rest.substr(0, end);
  }
  return {};
}

bool is_html_element(std::string_view lower_name) { return is_one_of(lower_name, html_elements); }

std::string strip_tags(std::string_view html) {
  std::string out;
  out.reserve(html.size());
  // Once an end was looked for and not found, it is not there further on either: each is searched to the end once.
  bool tag_ends = true;
  for (std::size_t at = 0; at < html.size();) {
    const char c = html[at];
    if (c == '&') {
      append_entity(html, at, out);
      continue;
    }
    if (c != '<') {
      out += c;
      ++at;
      continue;
    }
    const auto rest = html.substr(at);
    if (rest.starts_with("<!--")) {
      const auto end = html.find("-->", at + 4);
      at = end == std::string_view::npos ? html.size() : end + 3;
      continue;
    }
    const std::string name = tag_name(rest);
    const bool is_declaration = rest.starts_with("<!") || rest.starts_with("<?");
    std::size_t end = std::string_view::npos;
    if ((!name.empty() || is_declaration) && tag_ends) {
      end = tag_end(html, at);
      tag_ends = end != std::string_view::npos;
    }
    if (end == std::string_view::npos) {
      out += c;
      ++at;
      continue;
    }
    const auto plain = name.starts_with('/') ? std::string_view(name).substr(1) : std::string_view(name);
    if (name == "script" || name == "style") {
      const auto close = html.find(name == "script" ? "</script" : "</style", end);
      if (close != std::string_view::npos) end = close;
      else end = html.size();
    } else if (is_one_of(plain, line_elements)) {
      out += '\n';
    } else if (name == "img") {
      const auto alt = tag_attribute(html.substr(at, end - at), "alt");
      for (std::size_t i = 0; i < alt.size();)
        if (alt[i] == '&') append_entity(alt, i, out);
        else out += alt[i++];
    }
    at = end;
  }
  return out;
}

Result<HtmlHead> read_html(std::string_view html, HtmlExtent extent, Outline& outline) {
  PARLEY_TRY(check_depth(html));
  ParserMemory memory;
  GumboRun run{kGumboDefaultOptions, html, nullptr};
  run.options.allocator = [](void* owner, std::size_t bytes) {
    return static_cast<ParserMemory*>(owner)->allocate(bytes);
  };
  run.options.deallocator = [](void*, void*) {};
  run.options.userdata = &memory;
  run.options.max_errors = 0;  // a page is read as it is; nobody would see the list
  PARLEY_TRY(memory.run(run_gumbo, &run));

  HtmlHead head;
  const GumboNode* main = nullptr;
  const GumboNode* article = nullptr;
  const GumboNode* body = nullptr;
  std::size_t articles = 0;
  visit(*run.output->root, [&](const GumboNode& node) {
    if (!is_element(node)) return false;
    switch (node.v.element.tag) {
      case GUMBO_TAG_TITLE:
        if (head.title.empty()) head.title = line_of(node), repair_text(head.title);
        return false;
      case GUMBO_TAG_META:
        if (attribute(node, "name") == "description") {
          Line line;
          line.add(attribute(node, "content"));
          head.description = line.take();
          repair_text(head.description);
        }
        return false;
      case GUMBO_TAG_BODY: body = &node; break;
      case GUMBO_TAG_MAIN:
        if (main == nullptr) main = &node;
        break;
      case GUMBO_TAG_ARTICLE:
        ++articles;
        article = &node;
        break;
      default: break;
    }
    if (main == nullptr && attribute(node, "role") == "main") main = &node;
    return true;
  });
  Reader reader(outline);
  const GumboNode* content = main != nullptr   ? main
                             : articles == 1   ? article
                             : body != nullptr ? body
                                               : run.output->root;
  // A page's header is its banner; an article's holds its title.
  if (extent == HtmlExtent::fragment || content == main || content == article) reader.keep_page_headers();
  reader.read(*content);
  return head;
}

Result<ParsedDocument> parse_html(std::string_view bytes, std::string_view path) {
  if (bytes.size() > document_bytes_max) return fail(Code::too_large, "larger than a document may be");
  const std::string text = PARLEY_TRY(decode_text(bytes));
  Outline outline;
  HtmlHead head = PARLEY_TRY(read_html(text, HtmlExtent::page, outline));
  ParsedDocument parsed;
  parsed.document = PARLEY_TRY(std::move(outline).finish(path, head.title));
  parsed.facts.title = std::move(head.title);
  parsed.facts.description = std::string(cut_utf8(head.description, 2000));
  return parsed;
}

}  // namespace parley::knowledge
