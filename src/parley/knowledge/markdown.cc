#include "parley/knowledge/markdown.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm-extension_api.h>
#include <cmark-gfm.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "parley/knowledge/decode.h"
#include "parley/knowledge/html.h"
#include "parley/knowledge/parse.h"
#include "parley/knowledge/parser_memory.h"

namespace parley::knowledge {
namespace {

// Each line is matched against every container that is open above it, so depth times lines is the parser's cost. Real
// pages nest quotes and lists 5 deep.
constexpr std::size_t markers_on_a_line_max = 32;
// Columns that a line is indented by: what opens deeper lists line by line. 100 levels.
constexpr std::size_t indent_columns_max = 200;
// Our own walk of quotes and list items recurses this deep, then reads what is below as running text.
constexpr int walk_depth_max = 50;
constexpr int list_indent_max = 8;
// Pieces of markup with a structure of their own (a table, say) in one Markdown file that are worth a tree each.
constexpr int markup_trees_max = 200;
// And their size, which bounds what a hostile one can cost before it is given up.
constexpr std::size_t markup_tree_bytes_max = 256 << 10;

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\n") == std::string_view::npos; }

// ---- before the parser: what it does not know, and what it must not be given ----

struct Admonition {
  std::string_view kind, shown;
};
constexpr std::array<Admonition, 14> admonitions = {{{"note", "Note"},
                                                     {"tip", "Tip"},
                                                     {"info", "Info"},
                                                     {"important", "Important"},
                                                     {"warning", "Warning"},
                                                     {"caution", "Caution"},
                                                     {"danger", "Danger"},
                                                     {"success", "Success"},
                                                     {"question", "Question"},
                                                     {"example", "Example"},
                                                     {"details", "Details"},
                                                     {"secondary", "Note"},
                                                     {"abstract", "Abstract"},
                                                     {"error", "Error"}}};

std::string_view shown_name(std::string_view kind) {
  const auto same = [&](const Admonition& known) {
    return std::ranges::equal(known.kind, kind,
                              [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); });
  };
  const auto found = std::ranges::find_if(admonitions, same);
  return found != admonitions.end() ? found->shown : std::string_view();
}

// `:::note Title` and `:::`: a paragraph's start and end, which CommonMark would read into the text around them.
bool append_admonition(std::string_view line, std::string& out) {
  line.remove_prefix(line.find_first_not_of(" \t"));
  std::size_t colons = line.find_first_not_of(':');
  if (colons == std::string_view::npos) colons = line.size();
  line.remove_prefix(colons);
  if (is_blank(line)) {
    out += '\n';
    return true;
  }
  line.remove_prefix(line.find_first_not_of(" \t"));
  std::size_t end = 0;
  while (end < line.size() &&
         ((line[end] >= 'a' && line[end] <= 'z') || (line[end] >= 'A' && line[end] <= 'Z') || line[end] == '-'))
    ++end;
  if (end == 0) return false;
  const auto kind = line.substr(0, end);
  auto title = line.substr(end);
  if (const auto brace = title.find('{'); brace != std::string_view::npos) title = title.substr(0, brace);
  if (const auto open = title.find('['); open != std::string_view::npos) {
    const auto close = title.rfind(']');
    title = close != std::string_view::npos && close > open ? title.substr(open + 1, close - open - 1)
                                                            : title.substr(open + 1);
  }
  out += '\n';
  if (!is_blank(title)) {
    title.remove_prefix(title.find_first_not_of(" \t"));
    out += title;
    out += "\n\n";
  } else {
    // Not on a line of its own: "Note: ..." is a sentence, "Note:" is noise in an answer.
    const auto shown = shown_name(kind);
    if (!shown.empty()) {
      out += shown;
      out += ":\n";
    }
  }
  return true;
}

// The number of bytes at the front of `line` that would open containers beyond the limit, and are left out.
std::size_t excess_markers(std::string_view line) {
  std::size_t markers = 0;
  std::size_t i = 0;
  std::size_t keep_until = 0;
  while (i < line.size()) {
    const char c = line[i];
    if (c == ' ' || c == '\t') {
      ++i;
      continue;
    }
    const bool spaced = i + 1 >= line.size() || line[i + 1] == ' ' || line[i + 1] == '\t';
    if (c == '>') ++i;
    else if ((c == '-' || c == '+' || c == '*') && spaced) ++i;
    else if (c >= '0' && c <= '9') {
      std::size_t end = i;
      while (end < line.size() && line[end] >= '0' && line[end] <= '9' && end - i < 9) ++end;
      if (end >= line.size() || (line[end] != '.' && line[end] != ')')) break;
      if (end + 1 < line.size() && line[end + 1] != ' ' && line[end + 1] != '\t') break;
      i = end + 1;
    } else break;
    if (++markers == markers_on_a_line_max) keep_until = i;
  }
  return markers > markers_on_a_line_max ? i - keep_until : 0;
}

// Rewrites lines where needed; most documents need none and are not copied.
std::string_view prepare(std::string_view text, std::string& copy) {
  char fence = 0;
  std::size_t fence_length = 0;
  std::size_t copied = 0;  // what of `text` is in `copy`
  bool changed = false;
  const auto replace = [&](std::size_t from, std::size_t to) {
    if (!changed) copy.reserve(text.size() + text.size() / 8);
    changed = true;
    copy.append(text, copied, from - copied);
    copied = to;
  };
  for (std::size_t at = 0; at < text.size();) {
    const char* found = static_cast<const char*>(std::memchr(text.data() + at, '\n', text.size() - at));
    const std::size_t end = found != nullptr ? static_cast<std::size_t>(found - text.data()) : text.size();
    const auto line = text.substr(at, end - at);
    std::size_t start = 0;
    std::size_t columns = 0;
    for (; start < line.size() && (line[start] == ' ' || line[start] == '\t'); ++start)
      columns += line[start] == '\t' ? 4 : 1;
    const char first = start < line.size() ? line[start] : '\0';
    if (columns > indent_columns_max) {
      replace(at, at + start);
      copy.append(first == '\0' ? 0 : indent_columns_max, ' ');
    } else if (first == '`' || first == '~') {
      std::size_t length = 0;
      while (start + length < line.size() && line[start + length] == first) ++length;
      if (fence == 0 && length >= 3 && (first == '~' || line.find('`', start + length) == std::string_view::npos)) {
        fence = first;
        fence_length = length;
      } else if (fence == first && length >= fence_length && is_blank(line.substr(start + length))) {
        fence = 0;
      }
    } else if (first == ':' && fence == 0 && line.substr(start).starts_with(":::")) {
      replace(at, at);
      if (append_admonition(line, copy)) copied = std::min(end + 1, text.size());
    } else if (first == '>' || first == '-' || first == '+' || first == '*' || (first >= '0' && first <= '9')) {
      if (const std::size_t excess = line.size() > markers_on_a_line_max ? excess_markers(line) : 0; excess > 0) {
        // A rule of dashes is cut as well, and stays one.
        std::size_t keep = 0;
        for (std::size_t markers = 0; keep < line.size() && markers < markers_on_a_line_max; ++keep)
          markers += line[keep] != ' ' && line[keep] != '\t' && (line[keep] < '0' || line[keep] > '9');
        const std::size_t gone = std::min(excess, line.size() - keep);
        replace(at + keep, at + keep + gone);
        copy += ' ';
      }
    }
    at = end + 1;
  }
  if (!changed) return text;
  copy.append(text, copied, text.size() - copied);
  return copy;
}

// ---- the parser ----

cmark_mem arena = {
    [](std::size_t count, std::size_t size) -> void* {
      // What overflows is over the limit.
      const std::size_t bytes =
          size != 0 && count > (std::size_t{1} << 40) / size ? std::size_t{1} << 40 : count * size;
      return ParserMemory::current()->allocate(bytes);
    },
    [](void* old, std::size_t bytes) -> void* { return ParserMemory::current()->reallocate(old, bytes); },
    [](void*) {}};

struct CmarkRun {
  std::string_view text;
  cmark_syntax_extension* tables;
  cmark_node* root;
};

// Of GitHub's extensions only tables change what a text says. Autolinks keep their text and the tag filter is about
// rendering; strikethrough and task lists are marks that are read below. Inline extensions also switch characters on
// and off in tables that all of cmark-gfm's threads share while they parse, and the link scanner of the packaged
// version has a known read before its buffer.
void run_cmark(void* context) {
  auto* run = static_cast<CmarkRun*>(context);
  cmark_parser* parser = cmark_parser_new_with_mem(CMARK_OPT_DEFAULT, &arena);
  cmark_parser_attach_syntax_extension(parser, run->tables);
  cmark_parser_feed(parser, run->text.data(), run->text.size());
  run->root = cmark_parser_finish(parser);
}

cmark_syntax_extension* table_extension() {
  static cmark_syntax_extension* const found = [] {
    cmark_gfm_core_extensions_ensure_registered();
    return cmark_find_syntax_extension("table");
  }();
  return found;
}

std::string_view literal(cmark_node* node) {
  const char* text = cmark_node_get_literal(node);
  return text != nullptr ? std::string_view(text) : std::string_view();
}

enum class NodeKind { table, row, cell, other };

NodeKind extension_kind(cmark_node* node) {
  const std::string_view name = cmark_node_get_type_string(node);
  if (name == "table") return NodeKind::table;
  if (name == "table_row" || name == "table_header") return NodeKind::row;
  if (name == "table_cell") return NodeKind::cell;
  return NodeKind::other;
}

// `~~gone~~` without its marks. A tilde pair between spaces is not one.
void append_text(std::string_view text, std::string& out) {
  if (text.find("~~") == std::string_view::npos) {
    out += text;
    return;
  }
  for (std::size_t i = 0; i < text.size();) {
    std::size_t run = i;
    while (run < text.size() && text[run] == '~') ++run;
    if (run == i) {
      out += text[i++];
      continue;
    }
    const bool before = i > 0 && text[i - 1] != ' ';
    const bool behind = run < text.size() && text[run] != ' ';
    if (run - i != 2 || (!before && !behind && text.size() > 2)) out.append(run - i, '~');
    i = run;
  }
}

// Goes through the nodes below `root` in order, without recursion: emphasis may be nested as deep as a line is long.
template <class Enter>
void visit_below(cmark_node* root, Enter enter) {
  cmark_node* node = cmark_node_first_child(root);
  while (node != nullptr) {
    cmark_node* next = enter(node) ? cmark_node_first_child(node) : nullptr;
    while (next == nullptr) {
      next = cmark_node_next(node);
      if (next != nullptr) break;
      node = cmark_node_parent(node);
      if (node == root || node == nullptr) return;
    }
    node = next;
  }
}

// Running text of a subtree. `id`, if given, receives the last name that an `<a>` in it carries.
void append_inlines(cmark_node* root, std::string& out, std::string* id = nullptr) {
  visit_below(root, [&](cmark_node* node) {
    switch (cmark_node_get_type(node)) {
      case CMARK_NODE_TEXT: append_text(literal(node), out); return false;
      case CMARK_NODE_CODE: out += literal(node); return false;
      case CMARK_NODE_SOFTBREAK:
      case CMARK_NODE_LINEBREAK: out += ' '; return false;
      case CMARK_NODE_HTML_INLINE: {
        const auto tag = literal(node);
        const std::string name = tag_name(tag);
        if (name == "br") out += ' ';
        else if (name == "img") out += strip_tags(tag);
        else if (!name.empty() && name.front() != '/' && !is_html_element(name) &&
                 name.find('-') == std::string::npos && tag.size() > 1 && tag[1] >= 'a' && tag[1] <= 'z' &&
                 tag.find_first_of(" =/") == std::string_view::npos)
          out += tag;  // "run <command>": nobody's element, so somebody's word
        if (id != nullptr) {
          for (const std::string_view attribute : {"id", "name"})
            if (const auto value = tag_attribute(tag, attribute); !value.empty() && name.front() != '/') *id = value;
        }
        return false;
      }
      case CMARK_NODE_CODE_BLOCK:
        out += ' ';
        out += literal(node);
        return false;
      case CMARK_NODE_HTML_BLOCK:
        out += ' ';
        out += strip_tags(literal(node));
        return false;
      case CMARK_NODE_PARAGRAPH:
      case CMARK_NODE_HEADING:
      case CMARK_NODE_ITEM:
        if (!out.empty() && !out.ends_with(' ')) out += ' ';
        return true;
      default:
        if (extension_kind(node) == NodeKind::cell && !out.empty()) out += ' ';
        return true;
    }
  });
}

void put_on_one_line(std::string& text) { std::ranges::replace(text, '\n', ' '); }

std::string table_text(cmark_node* table) {
  std::string out;
  std::string cell_text;
  for (cmark_node* row = cmark_node_first_child(table); row != nullptr; row = cmark_node_next(row)) {
    const std::size_t start = out.size();
    if (start != 0) out += '\n';
    std::size_t end = out.size();  // behind the last cell that says something
    for (cmark_node* cell = cmark_node_first_child(row); cell != nullptr; cell = cmark_node_next(cell)) {
      if (cell != cmark_node_first_child(row)) out += " | ";
      cell_text.clear();
      append_inlines(cell, cell_text);
      put_on_one_line(cell_text);
      out += cell_text;
      if (!is_blank(cell_text)) end = out.size();
    }
    out.resize(end == start + 1 && start != 0 ? start : end);
  }
  return out;
}

void append_lines(std::string_view text, const std::string& indent, std::string& out) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    if (!is_blank(line)) {
      out += '\n';
      out += indent;
      out += line;
    }
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
}

void append_list(cmark_node* list, int depth, std::string& out);

// What an item holds: its first text behind the marker, what follows in lines below it.
void append_item(cmark_node* item, int depth, std::string& out) {
  const std::string below(2 * static_cast<std::size_t>(std::min(depth + 1, list_indent_max)), ' ');
  bool on_marker_line = true;
  bool any = false;
  for (cmark_node* node = cmark_node_first_child(item); node != nullptr; node = cmark_node_next(node)) {
    switch (cmark_node_get_type(node)) {
      case CMARK_NODE_LIST:
        if (depth < walk_depth_max) {
          append_list(node, depth + 1, out);
          on_marker_line = false;
          break;
        }
        [[fallthrough]];
      default: {
        if (extension_kind(node) == NodeKind::table) {
          append_lines(table_text(node), below, out);
          on_marker_line = false;
          break;
        }
        std::string text;
        append_inlines(node, text);
        put_on_one_line(text);
        if (is_blank(text)) break;
        if (!on_marker_line) append_lines(text, below, out);
        else {
          if (any) out += ' ';
          out += text;
        }
        any = true;
        break;
      }
      case CMARK_NODE_CODE_BLOCK:
        append_lines(literal(node), below, out);
        on_marker_line = false;
        break;
      case CMARK_NODE_HTML_BLOCK: {
        std::string text = strip_tags(literal(node));
        put_on_one_line(text);
        if (is_blank(text)) break;
        text.erase(0, text.find_first_not_of(' '));
        if (!on_marker_line) append_lines(text, below, out);
        else out += (any ? " " : "") + text;
        any = true;
        break;
      }
      case CMARK_NODE_THEMATIC_BREAK: break;
    }
  }
}

void append_list(cmark_node* list, int depth, std::string& out) {
  const std::string indent(2 * static_cast<std::size_t>(std::min(depth, list_indent_max)), ' ');
  const bool numbered = cmark_node_get_list_type(list) == CMARK_ORDERED_LIST;
  long number = cmark_node_get_list_start(list);
  for (cmark_node* item = cmark_node_first_child(list); item != nullptr; item = cmark_node_next(item)) {
    const std::size_t start = out.size();
    if (!out.empty()) out += '\n';
    out += indent;
    if (numbered) out += std::to_string(number) + ". ";
    else out += "- ";
    ++number;
    const std::size_t marked = out.size();
    append_item(item, depth, out);
    if (is_blank(std::string_view(out).substr(marked))) out.resize(start);
  }
}

class MarkdownReader {
 public:
  explicit MarkdownReader(Outline& outline) : outline_(outline) {}

  Result<void> read(cmark_node* root) { return blocks(root, 0); }

 private:
  Result<void> blocks(cmark_node* parent, int depth) {
    for (cmark_node* node = cmark_node_first_child(parent); node != nullptr; node = cmark_node_next(node))
      PARLEY_TRY(block(node, depth));
    return {};
  }

  Result<void> block(cmark_node* node, int depth) {
    switch (cmark_node_get_type(node)) {
      case CMARK_NODE_HEADING:
        // A heading inside a quote is part of what is quoted.
        if (depth == 0) heading(node);
        else paragraph(node);
        return {};
      case CMARK_NODE_PARAGRAPH: paragraph(node); return {};
      case CMARK_NODE_LIST: {
        std::string text;
        append_list(node, 0, text);
        outline_.block(BlockKind::list, std::move(text));
        return {};
      }
      case CMARK_NODE_CODE_BLOCK: outline_.block(BlockKind::code, std::string(literal(node))); return {};
      case CMARK_NODE_BLOCK_QUOTE:
        if (depth < walk_depth_max) return blocks(node, depth + 1);
        paragraph(node);
        return {};
      case CMARK_NODE_HTML_BLOCK: return markup(literal(node));
      case CMARK_NODE_THEMATIC_BREAK: return {};
      default:
        if (extension_kind(node) == NodeKind::table) outline_.block(BlockKind::table, table_text(node));
        else paragraph(node);
        return {};
    }
  }

  void heading(cmark_node* node) {
    std::string text;
    std::string id;
    append_inlines(node, text, &id);
    put_on_one_line(text);
    while (text.ends_with(' ')) text.pop_back();
    // `## Heading {#its-anchor}`
    if (text.ends_with('}')) {
      const auto open = text.rfind("{#");
      const auto given = open == std::string::npos ? std::string() : text.substr(open + 2, text.size() - open - 3);
      if (!given.empty() && given.find_first_of(" {}") == std::string::npos) {
        id = given;
        text.resize(open);
      }
    }
    outline_.heading(cmark_node_get_heading_level(node), std::move(text), id);
  }

  void paragraph(cmark_node* node) {
    std::string text;
    append_inlines(node, text);
    put_on_one_line(text);
    // `> [!NOTE]`
    if (text.starts_with("[!")) {
      const auto close = text.find(']');
      const auto shown =
          close == std::string::npos ? std::string_view() : shown_name(std::string_view(text).substr(2, close - 2));
      if (!shown.empty()) {
        const auto rest = text.find_first_not_of(' ', close + 1);
        text = std::string(shown) + ":" + (rest == std::string::npos ? "" : " " + text.substr(rest));
      }
    }
    outline_.block(BlockKind::prose, std::move(text));
  }

  Result<void> markup(std::string_view html) {
    constexpr std::array<std::string_view, 12> structures = {"<h1",    "<h2",  "<h3", "<h4", "<h5", "<h6",
                                                             "<table", "<pre", "<ul", "<ol", "<dl", "<blockquote"};
    const bool structured =
        std::ranges::any_of(structures, [&](std::string_view tag) { return html.find(tag) != std::string_view::npos; });
    if (structured && html.size() <= markup_tree_bytes_max && markup_trees_++ < markup_trees_max) {
      // What is too deep for a tree is still text.
      if (read_html(html, HtmlExtent::fragment, outline_)) return {};
    }
    const std::string text = strip_tags(html);
    std::string_view rest = text;
    std::string paragraph;
    while (!rest.empty()) {
      const auto end = rest.find('\n');
      auto line = rest.substr(0, end);
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
      if (is_blank(line)) {
        outline_.block(BlockKind::prose, std::exchange(paragraph, {}));
        continue;
      }
      line.remove_prefix(line.find_first_not_of(" \t"));
      if (!paragraph.empty()) paragraph += ' ';
      paragraph += line;
    }
    outline_.block(BlockKind::prose, std::move(paragraph));
    return {};
  }

  Outline& outline_;
  int markup_trees_ = 0;
};

}  // namespace

Result<void> read_markdown(std::string_view text, Outline& outline) {
  std::string copy;
  ParserMemory memory;
  CmarkRun run{prepare(text, copy), table_extension(), nullptr};
  PARLEY_TRY(memory.run(run_cmark, &run));
  return MarkdownReader(outline).read(run.root);
}

Result<ParsedDocument> parse_markdown(std::string_view bytes, std::string_view path) {
  if (bytes.size() > document_bytes_max) return fail(Code::too_large, "larger than a document may be");
  const std::string text = PARLEY_TRY(decode_text(bytes));
  std::string_view body = text;
  ParsedDocument parsed;
  parsed.facts = take_front_matter(body);
  Outline outline;
  PARLEY_TRY(read_markdown(body, outline));
  parsed.document = PARLEY_TRY(std::move(outline).finish(path, parsed.facts.title));
  return parsed;
}

}  // namespace parley::knowledge
