#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parley/knowledge/decode.h"
#include "parley/knowledge/html.h"
#include "parley/knowledge/markdown.h"
#include "parley/knowledge/parse.h"

namespace parley::knowledge {
namespace {

// A longer `{...}` is more likely two stray braces with prose between them than an expression.
constexpr std::size_t expression_bytes_max = 16 << 10;
constexpr std::size_t tag_bytes_max = 8 << 10;  // likewise for `<...>`
// Text that looks like tags and is not costs tag_bytes_max each time, so it is tried this often.
constexpr int failed_tags_max = 1000;
constexpr std::size_t inline_code_bytes_max = 2000;
constexpr std::size_t open_tags_max = 1000;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

std::string_view skip_spaces(std::string_view text) {
  const auto start = text.find_first_not_of(" \t");
  return start == std::string_view::npos ? std::string_view() : text.substr(start);
}

// An import or export of JavaScript, as opposed to a sentence that begins with the word.
bool is_module_line(std::string_view line) {
  if (line.starts_with("import")) {
    auto rest = skip_spaces(line.substr(6));
    if (rest.size() == line.size() - 6) return rest.starts_with('"') || rest.starts_with('\'') || rest.starts_with('{');
    if (rest.starts_with('"') || rest.starts_with('\'') || rest.starts_with('{') || rest.starts_with('*')) return true;
    std::size_t name = 0;
    while (name < rest.size() && is_word(rest[name])) ++name;
    rest = skip_spaces(rest.substr(name));
    // "import data from the old system" is prose; a module's name is quoted.
    return name > 0 &&
           (rest.starts_with(',') || (rest.starts_with("from") && rest.find_first_of("'\"") != std::string_view::npos));
  }
  if (line.starts_with("export ")) {
    const auto rest = skip_spaces(line.substr(7));
    for (const std::string_view word :
         {"const ", "let ", "var ", "function ", "default ", "async ", "class ", "{", "*"})
      if (rest.starts_with(word)) return true;
  }
  return false;
}

class MdxReader {
 public:
  explicit MdxReader(std::string_view text) : text_(text) {}

  std::string to_markdown() {
    match_braces();
    out_.reserve(text_.size());
    bool line_start = true;
    while (at_ < text_.size()) {
      if (line_start) {
        line_start = false;
        if (start_line()) {
          line_start = true;
          continue;
        }
        if (at_ >= text_.size()) break;
      }
      const char c = text_[at_];
      if (c == '\n') {
        out_ += c;
        ++at_;
        line_start = true;
      } else if (c == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n') {
        out_.append(text_, at_, 2);
        at_ += 2;
      } else if (c == '`') {
        const std::size_t end = code_end(at_);
        out_.append(text_, at_, end - at_);
        at_ = end;
      } else if (c == '{' && expression()) {
      } else if (c == '<' && tag()) {
      } else {
        out_ += c;
        ++at_;
      }
    }
    return std::move(out_);
  }

 private:
  struct Brace {
    std::size_t open, close;
  };

  std::string_view line_at(std::size_t at) const { return text_.substr(at, text_.find('\n', at) - at); }

  // Behind the fenced block whose first line begins at `at`; `at` itself if none begins there.
  std::size_t fence_end(std::size_t at) const {
    const auto first = skip_spaces(line_at(at));
    if (!first.starts_with("```") && !first.starts_with("~~~")) return at;
    const std::size_t length = std::min(first.find_first_not_of(first[0]), first.size());
    if (first[0] == '`' && first.find('`', length) != std::string_view::npos) return at;
    for (std::size_t line = at + line_at(at).size() + 1; line < text_.size();) {
      const auto text = line_at(line);
      const auto marks = skip_spaces(text);
      const std::size_t run = std::min(marks.find_first_not_of(first[0]), marks.size());
      line += text.size() + 1;
      if (run >= length && skip_spaces(marks.substr(run)).empty()) return std::min(line, text_.size());
    }
    return text_.size();
  }

  // Behind the code span that begins at `at`, or behind its backticks if it has no end in its paragraph.
  std::size_t code_end(std::size_t at) const {
    std::size_t behind = at;
    while (behind < text_.size() && text_[behind] == '`') ++behind;
    const std::size_t length = behind - at;
    const std::size_t stop = std::min(text_.size(), behind + inline_code_bytes_max);
    for (std::size_t i = behind; i < stop;) {
      if (text_[i] == '\n' && i + 1 < text_.size() && text_[i + 1] == '\n') break;
      std::size_t run = i;
      while (run < stop && text_[run] == '`') ++run;
      if (run - i == length) return run;
      i = std::max(run, i + 1);
    }
    return behind;
  }

  // All pairs of braces outside of code in one pass, so that none is searched for twice.
  void match_braces() {
    std::vector<std::size_t> open;
    bool line_start = true;
    for (std::size_t i = 0; i < text_.size();) {
      if (line_start) {
        line_start = false;
        if (const std::size_t end = fence_end(i); end != i) {
          i = end;
          line_start = true;
          continue;
        }
      }
      const char c = text_[i];
      if (c == '`') {
        i = code_end(i);
        continue;
      }
      if (c == '\\') {
        i += 2;
        line_start = i <= text_.size() && text_[i - 1] == '\n';
        continue;
      }
      if (c == '\n') line_start = true;
      if (c == '{') {
        open.push_back(braces_.size());
        braces_.push_back({i, 0});
      } else if (c == '}' && !open.empty()) {
        braces_[open.back()].close = i;
        open.pop_back();
      }
      ++i;
    }
  }

  // Position of the '}' that belongs to the '{' at `at`; 0 if there is none.
  std::size_t closing(std::size_t at) const {
    const auto brace = std::ranges::lower_bound(braces_, at, {}, &Brace::open);
    return brace != braces_.end() && brace->open == at ? brace->close : 0;
  }

  // Handles what stands at the start of a line. True if the line is done with.
  bool start_line() {
    const auto line = line_at(at_);
    if (line.find_first_not_of(" \t") == std::string_view::npos) {
      out_ += '\n';
      at_ = std::min(at_ + line.size() + 1, text_.size());
      return true;
    }
    const std::size_t indent = line.find_first_not_of(" \t");
    if (!bases_.empty() && bases_.back() == unset) bases_.back() = indent;
    const std::size_t dedent = bases_.empty() ? 0 : std::min(indent, bases_.back());
    if (const std::size_t end = fence_end(at_); end != at_) {
      while (at_ < end) {
        const auto code = line_at(at_);
        const std::size_t spaces = std::min(code.find_first_not_of(" \t"), code.size());
        out_ += code.substr(std::min(spaces, dedent));
        out_ += '\n';
        at_ += code.size() + 1;
      }
      at_ = std::min(at_, text_.size());
      return true;
    }
    if (indent == 0 && is_module_line(line)) {
      skip_module();
      return true;
    }
    // JSX has no indented code: children are indented for their author's sake.
    at_ += dedent;
    out_.append(text_, at_, indent - dedent);
    at_ += indent - dedent;
    first_on_line_ = at_;
    return false;
  }

  // To the blank line behind a statement; a blank line between its braces does not end it.
  void skip_module() {
    while (at_ < text_.size()) {
      const auto line = line_at(at_);
      if (line.find_first_not_of(" \t") == std::string_view::npos) return;
      std::size_t next = at_ + line.size() + 1;
      for (std::size_t i = at_; i < std::min(next, text_.size()); ++i) {
        if (text_[i] != '{') continue;
        const std::size_t close = closing(i);
        if (close == 0) continue;
        i = close;
        if (close >= next) next = close + line_at(close).size() + 1;
      }
      at_ = std::min(next, text_.size());
    }
  }

  // `{...}` at the cursor: gone, but for a text in quotes and for `{#anchor}`.
  bool expression() {
    const std::size_t close = closing(at_);
    if (close == 0 || close - at_ > expression_bytes_max) return false;
    auto inside = text_.substr(at_ + 1, close - at_ - 1);
    if (inside.starts_with('#')) return false;
    at_ = close + 1;
    while (!inside.empty() && (inside.front() == ' ' || inside.front() == '\n')) inside.remove_prefix(1);
    while (!inside.empty() && (inside.back() == ' ' || inside.back() == '\n')) inside.remove_suffix(1);
    if (inside.size() >= 2 && (inside[0] == '"' || inside[0] == '\'' || inside[0] == '`') &&
        inside.find(inside[0], 1) == inside.size() - 1)
      out_ += inside.substr(1, inside.size() - 2);
    return true;
  }

  // Where the tag at the cursor ends, behind its '>'; npos if this is none.
  std::size_t tag_end() const {
    const std::size_t stop = std::min(text_.size(), at_ + tag_bytes_max);
    char quote = 0;
    for (std::size_t i = at_ + 1; i < stop; ++i) {
      const char c = text_[i];
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '{') {
        const std::size_t close = closing(i);
        if (close == 0) return std::string_view::npos;
        i = close;
      } else if (c == '>') {
        return i + 1;
      } else if (c == '<') {
        return std::string_view::npos;
      }
    }
    return std::string_view::npos;
  }

  bool tag() {
    const auto rest = text_.substr(at_);
    if (rest.starts_with("<!--")) {
      const auto end = failed_tags_ < failed_tags_max ? text_.find("-->", at_) : std::string_view::npos;
      if (end == std::string_view::npos) {
        failed_tags_ = failed_tags_max;
        return false;
      }
      at_ = end + 3;
      return true;
    }
    const bool is_fragment = rest.starts_with("<>") || rest.starts_with("</>");
    const std::string name = is_fragment ? "" : tag_name(rest.substr(0, 64));
    // `<https://...>` and `<name@host>` are links.
    if (!is_fragment && (name.empty() || name.find_first_of(":@") != std::string::npos)) return false;
    if (failed_tags_ >= failed_tags_max) return false;
    const std::size_t end = tag_end();
    if (end == std::string_view::npos) {
      ++failed_tags_;
      return false;
    }
    const auto tag = text_.substr(at_, end - at_);
    const bool starts_line = at_ == first_on_line_;
    const bool is_end = tag.starts_with("</");
    const bool closes_itself = tag.ends_with("/>");
    const bool is_component = tag.size() > 1 && tag[1] >= 'A' && tag[1] <= 'Z';
    at_ = end;

    if (is_end) {
      if (!bases_.empty()) bases_.pop_back();
    } else if (!closes_itself && name != "br" && name != "img" && name != "hr" && name != "input" &&
               bases_.size() < open_tags_max) {
      bases_.push_back(starts_line ? unset : bases_.empty() ? 0 : bases_.back());
    }

    if (name == "br") out_ += ' ';
    else if (name == "img") out_ += tag_attribute(tag, "alt");
    else if ((name == "a" || name == "/a") && tag.find('{') == std::string_view::npos) out_ += tag;
    else if (name == "td" || name == "th" || name == "/td" || name == "/th") out_ += ' ';
    else {
      // What stood inside is a block of its own, but `<b>` in the middle of a sentence is not one's end.
      constexpr std::array<std::string_view, 8> inline_names = {"b", "i", "em", "strong", "code", "kbd", "span", "sup"};
      const auto plain = name.starts_with('/') ? std::string_view(name).substr(1) : std::string_view(name);
      const bool is_inline = std::ranges::find(inline_names, plain) != inline_names.end();
      const bool ends_line = at_ >= text_.size() || text_[at_] == '\n';
      if (!is_inline && (starts_line || ends_line)) out_ += "\n";
      if (is_component && !is_end)
        for (const std::string_view attribute : {"label", "title", "summary"})
          if (const auto value = tag_attribute(tag, attribute); !value.empty() && !value.starts_with('{')) {
            out_ += '\n';
            out_ += value;
            out_ += "\n\n";
            break;
          }
      if (!is_inline && (starts_line || ends_line)) out_ += "\n";
      if (starts_line) {
        // What follows on the line stands as if it began it.
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
        first_on_line_ = at_;
      }
    }
    return true;
  }

  static constexpr std::size_t unset = SIZE_MAX;

  std::string_view text_;
  std::vector<Brace> braces_;
  std::string out_;
  std::size_t at_ = 0;
  std::size_t first_on_line_ = 0;
  std::vector<std::size_t> bases_;  // columns to take off lines inside each open tag
  int failed_tags_ = 0;
};

}  // namespace

Result<ParsedDocument> parse_mdx(std::string_view bytes, std::string_view path) {
  if (bytes.size() > document_bytes_max) return fail(Code::too_large, "larger than a document may be");
  const std::string text = PARLEY_TRY(decode_text(bytes));
  std::string_view body = text;
  ParsedDocument parsed;
  parsed.facts = take_front_matter(body);
  Outline outline;
  PARLEY_TRY(read_markdown(MdxReader(body).to_markdown(), outline));
  parsed.document = PARLEY_TRY(std::move(outline).finish(path, parsed.facts.title));
  return parsed;
}

}  // namespace parley::knowledge
