#include "tools/tidy.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace parley::tidy {
namespace {

// ---------------------------------------------------------------------------------------------------------------------
// Tables: what a reviewer may want to change.

/// May modules of one floor include each other?
enum class Siblings {
  never,     ///< one that needs another declares the small interface it needs, and server/ plugs it in
  declared,  ///< as DEPS say, without circles
};

struct Floor {
  std::string_view name;
  std::vector<std::string_view> modules;
  Siblings siblings;
};

/// Lowest first: arrows only downward.
const std::vector<Floor>& floors() {
  static const std::vector<Floor> table{
      {"foundation", {"base", "text", "crypto"}, Siblings::declared},
      {"mechanism", {"log", "net", "http", "db", "kv", "secrets"}, Siblings::declared},
      {"evidence", {"evidence"}, Siblings::never},
      {"capability",
       {"identity", "admission", "guard", "tools", "knowledge", "llm", "trail", "notify"},
       Siblings::never},
      {"use case", {"chat", "readiness"}, Siblings::never},
      {"surface", {"api", "dashboard"}, Siblings::declared},
      {"composition", {"server", "cli"}, Siblings::declared},
  };
  return table;
}

struct VendorHeader {
  std::string_view prefix;               ///< of what stands between the brackets
  std::vector<std::string_view> owners;  ///< folders below src/parley
};

const std::vector<VendorHeader>& vendor_headers() {
  static const std::vector<VendorHeader> table{
      {"boost/beast", {"http"}},
      {"boost/asio/ssl", {"http"}},
      {"sqlite3.h", {"db/sqlite"}},
      {"libpq-fe.h", {"db/postgres"}},
      {"postgresql/", {"db/postgres"}},
      {"xapian", {"knowledge"}},
      {"cmark-gfm", {"knowledge"}},
      {"gumbo.h", {"knowledge"}},
      {"hnswlib/", {"knowledge"}},
      {"archive.h", {"knowledge"}},
      {"archive_entry.h", {"knowledge"}},
      {"pugixml", {"knowledge"}},
      {"sodium", {"crypto"}},
      {"openssl/", {"crypto", "http"}},
      {"spdlog/", {"log"}},
      {"toml++/", {"server"}},
      {"CLI/", {"cli"}},
      {"zxcvbn", {"identity"}},
      {"fido.h", {"identity"}},
      {"fido/", {"identity"}},
      {"qrencode.h", {"identity"}},
      {"hs/", {"guard"}},
      {"hs.h", {"guard"}},
      {"hiredis/", {"kv"}},
      {"curl/", {"net", "notify"}},
      {"idn2", {"net"}},
  };
  return table;
}

enum class Where { everywhere, product, tests, headers };

struct BannedWord {
  std::string_view word;
  std::string_view use;
  Where where;
};

constexpr std::array banned_words{
    BannedWord{"std::format", "fmt::format (libstdc++ 12 has no std::format)", Where::everywhere},
    BannedWord{"std::vformat", "fmt::vformat", Where::everywhere},
    BannedWord{"std::print", "fmt::print", Where::everywhere},
    BannedWord{"std::println", "fmt::print", Where::everywhere},
    BannedWord{"std::regex", "a hand-written parser or guard's pattern scanner (std::regex recurses on its input)",
               Where::everywhere},
    BannedWord{"using namespace", "full names or single using declarations (a header's names reach every includer)",
               Where::headers},
    BannedWord{"sleep_for", "a Clock port or a timer the test drives", Where::tests},
    BannedWord{"sleep_until", "a Clock port or a timer the test drives", Where::tests},
    BannedWord{"usleep", "a Clock port or a timer the test drives", Where::tests},
    BannedWord{"sprintf", "fmt::format", Where::everywhere},
    BannedWord{"vsprintf", "fmt::format", Where::everywhere},
    BannedWord{"strcpy", "std::string", Where::everywhere},
    BannedWord{"strcat", "std::string", Where::everywhere},
    BannedWord{"gets", "std::getline", Where::everywhere},
    BannedWord{"strtok", "a std::string_view and find", Where::everywhere},
};

/// Casts whose result may be read by the rules of the language (bytes) or is how the sockets API is called.
constexpr std::array<std::string_view, 10> casts_allowed{
    "char*",        "unsigned char*", "uint8_t*",     "byte*",        "sockaddr*",
    "sockaddr_in*", "sockaddr_in6*",  "sockaddr_un*", "sockaddr_in&", "sockaddr_in6&",
};

constexpr std::size_t columns_max = 120;                   ///< two files side by side on one screen
constexpr std::size_t readme_lines_max = 60;               ///< one screen
constexpr std::size_t file_bytes_max = 512 * 1024;         ///< a clone stays small; data belongs elsewhere
constexpr std::size_t secret_characters_min = 16;          ///< shorter ones are examples such as sk_…
constexpr std::size_t secret_distinct_characters_min = 8;  ///< "sk_aaaaaaaaaaaaaaaaaaaa" is a picture of a key, not one

constexpr std::string_view postures_begin = "<!-- postures: written by CMake, compared by tidy -->\n";
constexpr std::string_view postures_end = "<!-- end of postures -->\n";

/// The way out, on the line itself or the one above, with a reason: `// tidy: allow new, the library frees it`.
constexpr std::string_view allow_mark = "tidy: allow ";

// ---------------------------------------------------------------------------------------------------------------------
// Text.

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

int line_of(std::string_view text, std::size_t at) {
  return 1 + static_cast<int>(std::ranges::count(text.substr(0, at), '\n'));
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}
std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }
std::string join(std::string_view folder, std::string_view name) {
  return folder.empty() ? std::string(name) : fmt::format("{}/{}", folder, name);
}
bool is_below(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

bool is_binary(const File& file) { return file.text.find('\0') != std::string::npos; }
bool is_header(std::string_view path) { return path.ends_with(".h"); }
bool is_source(std::string_view path) { return path.ends_with(".cc"); }
bool is_cmake(std::string_view path) { return name_of(path) == "CMakeLists.txt" || path.ends_with(".cmake"); }
bool is_ours_cpp(std::string_view path) {
  return (is_header(path) || is_source(path)) && !path.starts_with("testdata/");
}
/// Data, texts of other authors and what a tool wrote keep the form they came in.
bool is_not_our_prose(std::string_view path) {
  return path.starts_with("testdata/") || name_of(path).starts_with("LICENSE") || path.ends_with("package-lock.json") ||
         path.find("/dist/") != std::string_view::npos || path.ends_with(".svg");
}
bool is_test_path(std::string_view path) {
  return path.starts_with("tests/") || path.starts_with("testing/") || path.ends_with("_test.cc") ||
         path.ends_with("_fuzz.cc") || path.ends_with("_bench.cc") || path.ends_with("_testing.h");
}

/// Calls `found` with the place of each whole word `word` in `text`.
void for_each_word(std::string_view text, std::string_view word, const std::function<void(std::size_t)>& found) {
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const bool starts = at == 0 || !is_word(text[at - 1]);
    const bool ends = at + word.size() == text.size() || !is_word(text[at + word.size()]);
    if (starts && ends) found(at);
  }
}

/// The word that ends just before `at`, blanks skipped.
std::string_view word_before(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end > 0 && is_blank(text[end - 1])) --end;
  std::size_t begin = end;
  while (begin > 0 && is_word(text[begin - 1])) --begin;
  return text.substr(begin, end - begin);
}
char character_before(std::string_view text, std::size_t at) {
  while (at > 0 && is_blank(text[at - 1])) --at;
  return at == 0 ? '\0' : text[at - 1];
}

/// Did the author allow `word` at this line, with a reason?
bool is_allowed(std::string_view text, int line, std::string_view word) {
  const auto lines = lines_of(text);
  for (int number = std::max(1, line - 1); number <= line && number <= static_cast<int>(lines.size()); ++number) {
    const std::string_view content = lines[static_cast<std::size_t>(number - 1)];
    const std::size_t mark = content.find(allow_mark);
    if (mark == std::string_view::npos) continue;
    std::string_view rest = content.substr(mark + allow_mark.size());
    if (!rest.starts_with(word)) continue;
    rest.remove_prefix(word.size());
    if (rest.starts_with(", ") && rest.size() > 2) return true;
  }
  return false;
}

void report(Findings& findings, std::string path, int line, std::string message) {
  findings.push_back({std::move(path), line, std::move(message)});
}

void ban(const File& file, std::string_view code, std::size_t at, std::string_view word, std::string_view use,
         Findings& findings) {
  const int line = line_of(code, at);
  if (is_allowed(file.text, line, word)) return;
  report(findings, file.path, line, fmt::format("{} is banned, use {}", word, use));
}

// ---------------------------------------------------------------------------------------------------------------------
// CMake and includes.

struct Word {
  std::string text;
  int line = 1;
};

/// All parley_module calls of one folder, taken together.
struct Module {
  std::string name;
  std::string folder;
  std::string list;  ///< path of its CMakeLists.txt
  std::map<std::string, std::vector<Word>> parts;

  const std::vector<Word>& part(const std::string& key) const {
    static const std::vector<Word> none;
    const auto found = parts.find(key);
    return found == parts.end() ? none : found->second;
  }
  bool declares(const std::string& key, std::string_view name_wanted) const {
    return std::ranges::any_of(part(key), [&](const Word& word) { return word.text == name_wanted; });
  }
};

/// Words and brackets of a CMake file; comments and quotes gone.
std::vector<Word> cmake_words(std::string_view text) {
  std::vector<Word> words;
  int line = 1;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back({std::exchange(word, {}), line});
  };
  bool comment = false;
  for (const char c : text) {
    if (c == '\n') comment = false;
    if (comment) continue;
    if (c == '#') {
      comment = true;
    } else if (c == '(' || c == ')') {
      end_word();
      words.push_back({std::string(1, c), line});
    } else if (is_blank(c) || c == '"' || c == ';') {
      end_word();
    } else {
      word += c;
    }
    if (c == '\n') ++line;
  }
  end_word();
  return words;
}

std::vector<Module> modules_of(const Tree& tree) {
  static const std::set<std::string> keys{"NAME",  "POSTURE", "SOURCES", "TESTS",     "FUZZ",
                                          "BENCH", "TOOLS",   "DEPS",    "TEST_DEPS", "LIBS"};
  std::vector<Module> modules;
  for (const File& file : tree.files) {
    if (!file.path.starts_with("src/") || name_of(file.path) != "CMakeLists.txt") continue;
    const auto words = cmake_words(file.text);
    std::optional<Module> module;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      if (words[i].text != "parley_module" || words[i + 1].text != "(") continue;
      if (!module) module = Module{"", std::string(folder_of(file.path)), file.path, {}};
      std::string key;
      for (i += 2; i < words.size() && words[i].text != ")"; ++i) {
        if (keys.contains(words[i].text)) {
          key = words[i].text;
        } else if (words[i].text.find("${") == std::string::npos) {
          module->parts[key].push_back(words[i]);
        }
      }
    }
    if (!module) continue;
    if (!module->part("NAME").empty()) module->name = module->part("NAME").front().text;
    modules.push_back(std::move(*module));
  }
  return modules;
}

struct Include {
  std::string target;  ///< what stands between the quotes or brackets
  int line = 1;
};

std::vector<Include> includes_of(const File& file) {
  std::vector<Include> includes;
  int number = 0;
  for (std::string_view line : lines_of(file.text)) {
    ++number;
    while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
    if (!line.starts_with("#")) continue;
    line.remove_prefix(1);
    while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
    if (!line.starts_with("include")) continue;
    const std::size_t begin = line.find_first_of("<\"");
    if (begin == std::string_view::npos) continue;
    const std::size_t end = line.find_first_of(">\"", begin + 1);
    if (end == std::string_view::npos) continue;
    includes.push_back({std::string(line.substr(begin + 1, end - begin - 1)), number});
  }
  return includes;
}

/// The file an include means, if it is one of ours.
const File* included_file(const Tree& tree, const File& from, std::string_view target) {
  if (const File* file = tree.find(join("src", target))) return file;
  if (const File* file = tree.find(target)) return file;
  return tree.find(join(folder_of(from.path), target));
}

const Module* module_at(const std::vector<Module>& modules, std::string_view path) {
  const Module* best = nullptr;
  for (const Module& module : modules) {
    if (is_below(path, module.folder) && (best == nullptr || module.folder.size() > best->folder.size()))
      best = &module;
  }
  return best;
}

/// "db" for "parley/db/sqlite/connection.h".
std::string_view first_folder(std::string_view target) {
  if (!target.starts_with("parley/")) return {};
  target.remove_prefix(7);
  const std::size_t slash = target.find('/');
  return slash == std::string_view::npos ? std::string_view{} : target.substr(0, slash);
}

/// Libraries of testing/CMakeLists.txt by the header they stand behind: "testing/store.h" -> "test_store" for
/// `add_library(parley_test_store STATIC store.cc)`.
std::map<std::string, std::string> test_helpers(const Tree& tree) {
  std::map<std::string, std::string> helpers;
  const File* list = tree.find("testing/CMakeLists.txt");
  if (list == nullptr) return helpers;
  const auto words = cmake_words(list->text);
  for (std::size_t i = 0; i + 2 < words.size(); ++i) {
    if (words[i].text != "add_library" || !words[i + 2].text.starts_with("parley_")) continue;
    const std::string name = words[i + 2].text.substr(7);
    for (i += 3; i < words.size() && words[i].text != ")"; ++i) {
      const std::string& file = words[i].text;
      if (is_source(file)) helpers[fmt::format("testing/{}.h", file.substr(0, file.size() - 3))] = name;
      if (is_header(file)) helpers[fmt::format("testing/{}", file)] = name;
    }
  }
  return helpers;
}

/// The module name that DEPS must hold for this include; empty for what is no module's (a helper of tests that is a
/// header alone has no library to name).
std::string module_of_include(const std::vector<Module>& modules, const std::map<std::string, std::string>& helpers,
                              const std::string& target) {
  if (const auto helper = helpers.find(target); helper != helpers.end()) return helper->second;
  if (const Module* module = module_at(modules, join("src", target))) return module->name;
  return std::string(first_folder(target));
}

std::optional<std::size_t> floor_of(std::string_view module) {
  for (std::size_t i = 0; i < floors().size(); ++i) {
    if (std::ranges::find(floors()[i].modules, module) != floors()[i].modules.end()) return i;
  }
  return std::nullopt;
}

/// The folder right below src/parley that a module lies in: nested modules stand on their parent's floor.
std::string_view floor_name(const Module& module) {
  std::string_view path = module.folder;
  if (!path.starts_with("src/parley/")) return {};
  path.remove_prefix(11);
  return path.substr(0, path.find('/'));
}

/// Files that only tests, fuzzers and benchmarks of the module see.
bool is_test_file(const Module& module, std::string_view path) {
  if (is_test_path(path)) return true;
  for (const char* key : {"TESTS", "FUZZ", "BENCH"}) {
    for (const Word& word : module.part(key)) {
      if (join(module.folder, word.text) == path) return true;
    }
  }
  return false;
}

/// Headers that reach the product: included, at whatever depth, by a source that is no test.
std::set<std::string> product_headers(const Tree& tree, const std::vector<Module>& modules) {
  std::set<std::string> reached;
  std::vector<const File*> open;
  for (const File& file : tree.files) {
    if (!file.path.starts_with("src/") || !is_source(file.path)) continue;
    const Module* module = module_at(modules, file.path);
    if (module != nullptr ? is_test_file(*module, file.path) : is_test_path(file.path)) continue;
    open.push_back(&file);
  }
  while (!open.empty()) {
    const File& file = *open.back();
    open.pop_back();
    for (const Include& include : includes_of(file)) {
      const File* target = included_file(tree, file, include.target);
      if (target != nullptr && reached.insert(target->path).second) open.push_back(target);
    }
  }
  return reached;
}

std::string list_of(const std::set<std::string>& names) { return fmt::format("{}", fmt::join(names, " ")); }

// ---------------------------------------------------------------------------------------------------------------------
// Secrets.

/// Does a credential-shaped word begin at `at`? Letters and digits, enough of them, and not all alike.
bool looks_random(std::string_view text) {
  std::size_t length = 0;
  std::set<char> distinct;
  bool digit = false;
  bool letter = false;
  while (length < text.size() && (is_word(text[length]) || text[length] == '-')) {
    const char c = text[length++];
    distinct.insert(c);
    digit = digit || std::isdigit(static_cast<unsigned char>(c)) != 0;
    letter = letter || std::isalpha(static_cast<unsigned char>(c)) != 0;
  }
  return length >= secret_characters_min && digit && letter && distinct.size() >= secret_distinct_characters_min;
}

}  // namespace

const File* Tree::find(std::string_view path) const {
  const auto found =
      std::ranges::lower_bound(files, path, {}, [](const File& file) { return std::string_view(file.path); });
  return found != files.end() && found->path == path ? &*found : nullptr;
}

std::string code_only(std::string_view text) {
  std::string code(text);
  const auto blank = [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end && i < code.size(); ++i)
      if (code[i] != '\n') code[i] = ' ';
  };
  std::size_t i = 0;
  while (i < text.size()) {
    if (text.substr(i).starts_with("//")) {
      std::size_t end = text.find('\n', i);
      if (end == std::string_view::npos) end = text.size();
      blank(i, end);
      i = end;
    } else if (text.substr(i).starts_with("/*")) {
      std::size_t end = text.find("*/", i + 2);
      end = end == std::string_view::npos ? text.size() : end + 2;
      blank(i, end);
      i = end;
    } else if (text[i] == '"' && i > 0 && text[i - 1] == 'R') {
      const std::size_t open = text.find('(', i);
      if (open == std::string_view::npos) break;
      const std::string close = fmt::format("){}\"", text.substr(i + 1, open - i - 1));
      std::size_t end = text.find(close, open);
      end = end == std::string_view::npos ? text.size() : end + close.size();
      blank(i + 1, end - 1);
      i = end;
    } else if (text[i] == '"' || (text[i] == '\'' && (i == 0 || !is_word(text[i - 1]) || text[i - 1] == 'L'))) {
      // An apostrophe after a digit or letter parts the digits of a number.
      const char quote = text[i];
      std::size_t end = i + 1;
      while (end < text.size() && text[end] != quote && text[end] != '\n') end += text[end] == '\\' ? 2U : 1U;
      blank(i + 1, end);
      i = std::min(end + 1, text.size());
    } else {
      ++i;
    }
  }
  return code;
}

void check_dependencies(const Tree& tree, Findings& findings) {
  const auto modules = modules_of(tree);
  const auto product = product_headers(tree, modules);
  const auto helpers = test_helpers(tree);
  const auto is_helper = [&](std::string_view name) {
    return std::ranges::any_of(helpers, [&](const auto& helper) { return helper.second == name; });
  };
  std::map<std::string, std::set<std::string>> declared;

  for (const Module& module : modules) {
    std::set<std::string> used;        // by the product or any header
    std::set<std::string> used_tests;  // by tests, fuzzers, benchmarks and the headers only they see
    for (const File& file : tree.files) {
      if (module_at(modules, file.path) != &module || !is_ours_cpp(file.path)) continue;
      const bool test = is_test_file(module, file.path);
      const bool lenient = test || (is_header(file.path) && !product.contains(file.path));
      for (const Include& include : includes_of(file)) {
        const std::string name = module_of_include(modules, helpers, include.target);
        if (name.empty() || name == module.name) continue;
        if (!test) used.insert(name);
        if (lenient) used_tests.insert(name);
        if (module.declares("DEPS", name) || (lenient && module.declares("TEST_DEPS", name))) continue;
        report(findings, file.path, include.line,
               fmt::format("#include \"{}\" is not declared, add {} to {} in {}", include.target, name,
                           test ? "TEST_DEPS (or DEPS)" : "DEPS", module.list));
      }
    }
    for (const Word& dep : module.part("DEPS")) {
      declared[module.name].insert(dep.text);
      if (used.contains(dep.text)) continue;
      report(findings, module.list, dep.line,
             used_tests.contains(dep.text)
                 ? fmt::format("DEPS {} is used by tests only, move it to TEST_DEPS", dep.text)
                 : fmt::format("DEPS {} is never included, remove it", dep.text));
    }
    for (const Word& dep : module.part("TEST_DEPS")) {
      if (used_tests.contains(dep.text)) continue;
      report(findings, module.list, dep.line, fmt::format("TEST_DEPS {} is never included, remove it", dep.text));
    }

    const auto floor = floor_of(floor_name(module));
    if (!floor) {
      findings.push_back(
          {module.list, 1,
           fmt::format("module {} stands on no floor, add it to floors() in tools/tidy.cc", module.name)});
      continue;
    }
    for (const char* key : {"DEPS", "TEST_DEPS"}) {
      for (const Word& dep : module.part(key)) {
        if (is_helper(dep.text)) {
          if (key == std::string_view("TEST_DEPS")) continue;
          report(findings, module.list, dep.line,
                 fmt::format("DEPS {} is a helper of tests, move it to TEST_DEPS", dep.text));
          continue;
        }
        const auto other = std::ranges::find(modules, dep.text, &Module::name);
        const std::string_view dep_folder = other == modules.end() ? std::string_view(dep.text) : floor_name(*other);
        const auto below = floor_of(dep_folder);
        if (!below) {
          report(findings, module.list, dep.line,
                 fmt::format("{} {} is no module of floors() in tools/tidy.cc", key, dep.text));
        } else if (*below > *floor) {
          findings.push_back(
              {module.list, dep.line,
               fmt::format("{} ({}) must not use {} ({}), declare the interface {} needs in its own "
                           "folder and let server/ plug it in",
                           module.name, floors()[*floor].name, dep.text, floors()[*below].name, module.name)});
        } else if (*below == *floor && dep_folder != floor_name(module) &&
                   floors()[*floor].siblings == Siblings::never) {
          report(findings, module.list, dep.line,
                 fmt::format("{} and {} are both on the {} floor, declare the interface {} needs in its "
                             "own folder and let server/ plug it in",
                             module.name, dep.text, floors()[*floor].name, module.name));
        }
      }
    }
  }

  // Static libraries may depend on each other in a circle and still link, so nothing else would notice one.
  for (const Module& module : modules) {
    std::set<std::string> seen;
    std::vector<std::string> open(declared[module.name].begin(), declared[module.name].end());
    while (!open.empty()) {
      const std::string name = open.back();
      open.pop_back();
      if (!seen.insert(name).second) continue;
      open.insert(open.end(), declared[name].begin(), declared[name].end());
    }
    if (seen.contains(module.name)) {
      report(findings, module.list, 1,
             fmt::format("module {} depends on itself by way of {}, move what both need one floor down", module.name,
                         list_of(seen)));
    }
  }
}

void check_listed(const Tree& tree, Findings& findings) {
  const auto modules = modules_of(tree);
  std::set<std::string> listed;
  for (const File& file : tree.files) {
    if (!is_cmake(file.path)) continue;
    for (const Word& word : cmake_words(file.text)) {
      std::string_view name = word.text;
      std::string_view folder = folder_of(file.path);
      if (!is_ours_cpp(name)) continue;
      if (name.starts_with("${CMAKE_SOURCE_DIR}/")) {
        name.remove_prefix(20);
        folder = {};
      } else if (name.starts_with("${CMAKE_CURRENT_SOURCE_DIR}/")) {
        name.remove_prefix(28);
      }
      listed.insert(std::filesystem::path(join(folder, name)).lexically_normal().generic_string());
    }
  }
  for (const Module& module : modules) {
    for (const char* key : {"SOURCES", "TESTS", "FUZZ", "BENCH", "TOOLS"}) {
      for (const Word& word : module.part(key)) {
        if (tree.find(join(module.folder, word.text)) != nullptr) continue;
        report(findings, module.list, word.line,
               fmt::format("{} {} does not exist, add the file or remove the name", key, word.text));
      }
    }
  }
  std::set<std::string> included;
  for (const File& file : tree.files) {
    if (!is_ours_cpp(file.path)) continue;
    for (const Include& include : includes_of(file)) {
      if (const File* target = included_file(tree, file, include.target)) included.insert(target->path);
    }
  }
  for (const File& file : tree.files) {
    if (!file.path.starts_with("src/")) continue;
    if (is_source(file.path) && !listed.contains(file.path)) {
      report(findings, file.path, 1, "no CMakeLists.txt names this file, list it or remove it");
    }
    if (is_header(file.path) && !included.contains(file.path)) {
      const std::string stem = file.path.substr(0, file.path.size() - 2);
      if (listed.contains(stem + ".cc") || listed.contains(file.path)) continue;
      report(findings, file.path, 1, "nobody includes this header and it has no listed source, remove it");
    }
  }
}

void check_vendor_headers(const Tree& tree, Findings& findings) {
  for (const File& file : tree.files) {
    if (!file.path.starts_with("src/parley/") || !is_ours_cpp(file.path)) continue;
    for (const Include& include : includes_of(file)) {
      // Our own headers may be named after the library they stand in front of.
      if (include.target.starts_with("parley/")) continue;
      for (const VendorHeader& vendor : vendor_headers()) {
        if (!include.target.starts_with(vendor.prefix)) continue;
        const bool owned = std::ranges::any_of(vendor.owners, [&](std::string_view owner) {
          return is_below(file.path, fmt::format("src/parley/{}", owner));
        });
        if (owned || is_allowed(file.text, include.line, include.target)) continue;
        report(findings, file.path, include.line,
               fmt::format("<{}> is banned here, use what parley/{}/ offers", include.target,
                           fmt::join(vendor.owners, "/ or parley/")));
      }
    }
  }
}

namespace {

/// `std::unique_ptr<X> x(new X(…))` is how a `create` function calls a private constructor; nothing can leak there.
bool is_owned_at_once(std::string_view code, std::size_t at) {
  const char before = character_before(code, at);
  if (before != '(' && before != '{') return false;
  const std::size_t open = code.rfind(before, at);
  std::size_t begin = code.find_last_of(";{}", open == 0 ? 0 : open - 1);
  begin = begin == std::string_view::npos ? 0 : begin;
  const std::string_view statement = code.substr(begin, open - begin);
  return statement.find("_ptr<") != std::string_view::npos || statement.ends_with(".reset");
}

/// Throws of `consteval` functions are messages of the compiler and never run. A bare `throw;` makes nothing: it is how
/// an adapter asks what a library threw.
void check_throws(const File& file, std::string_view code, Findings& findings) {
  std::vector<bool> consteval_blocks;
  std::string header;         // what stood since the last statement or block
  std::string closed_header;  // the header of the block that just closed: `consteval X() : a_{1} {` goes on after one
  std::vector<std::string> headers;
  const auto contains_word = [](std::string_view text, std::string_view word) {
    bool found = false;
    for_each_word(text, word, [&](std::size_t) { found = true; });
    return found;
  };
  for (std::size_t i = 0; i < code.size(); ++i) {
    const char c = code[i];
    if (c == '{') {
      const bool inherited = !consteval_blocks.empty() && consteval_blocks.back();
      consteval_blocks.push_back(inherited || contains_word(header, "consteval"));
      headers.push_back(std::exchange(header, {}));
    } else if (c == '}') {
      header.clear();
      if (headers.empty()) continue;
      closed_header = headers.back();
      headers.pop_back();
      consteval_blocks.pop_back();
      std::size_t next = i + 1;
      while (next < code.size() && is_blank(code[next])) ++next;
      if (next < code.size() && (code[next] == '{' || code[next] == ',')) header = closed_header;
    } else if (c == ';') {
      header.clear();
    } else {
      header += c;
      if (code.substr(i).starts_with("throw") && (i == 0 || !is_word(code[i - 1])) &&
          (i + 5 == code.size() || !is_word(code[i + 5])) && !code.substr(i).starts_with("throw;") &&
          (consteval_blocks.empty() || !consteval_blocks.back())) {
        ban(file, code, i, "throw", "fail() and a Result (exceptions of libraries end in the adapter)", findings);
      }
    }
  }
}

void check_casts(const File& file, std::string_view code, Findings& findings) {
  for_each_word(code, "reinterpret_cast", [&](std::size_t at) {
    const std::size_t begin = code.find('<', at);
    const std::size_t end = code.find('>', at);
    if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return;
    std::string type;
    for (std::size_t i = begin + 1; i < end;) {
      const std::string_view rest = code.substr(i, end - i);
      if (rest.starts_with("const ")) {
        i += 6;
      } else if (rest.starts_with("std::")) {
        i += 5;
      } else {
        if (code[i] != ' ' || (i + 1 < end && is_word(code[i + 1]) && !type.empty())) type += code[i];
        ++i;
      }
    }
    if (type.ends_with(" const*")) type = type.substr(0, type.size() - 7) + "*";
    if (std::ranges::find(casts_allowed, type) != casts_allowed.end()) return;
    ban(file, code, at, "reinterpret_cast",
        "std::bit_cast or memcpy (bytes and socket addresses are free; else "
        "`// tidy: allow reinterpret_cast, why`)",
        findings);
  });
}

}  // namespace

void check_banned_words(const Tree& tree, Findings& findings) {
  for (const File& file : tree.files) {
    if (is_cmake(file.path)) {
      for (const Word& word : cmake_words(file.text)) {
        if ((word.text == "GLOB" || word.text == "GLOB_RECURSE") && !is_allowed(file.text, word.line, word.text)) {
          findings.push_back(
              {file.path, word.line,
               fmt::format("{} is banned, use a list by hand (a stray file must not join the build)", word.text)});
        }
      }
    }
    if (!is_ours_cpp(file.path)) continue;
    const std::string code = code_only(file.text);
    const bool test = is_test_path(file.path);
    for (const BannedWord& banned : banned_words) {
      if (banned.where == Where::headers && !is_header(file.path)) continue;
      if (banned.where == Where::tests && !test) continue;
      if (banned.where == Where::product && test) continue;
      for_each_word(code, banned.word, [&](std::size_t at) { ban(file, code, at, banned.word, banned.use, findings); });
    }
    for (const std::string_view word : {std::string_view("new"), std::string_view("delete")}) {
      for_each_word(code, word, [&](std::size_t at) {
        if (word_before(code, at) == "operator") return;
        if (word == "new" && is_owned_at_once(code, at)) return;
        if (word == "delete" && character_before(code, at) == '=') return;  // a deleted function
        const std::size_t line_start = code.rfind('\n', at) + 1;            // npos + 1 is 0
        if (code.substr(line_start).starts_with("#")) return;               // #include <new>
        ban(file, code, at, word, "std::make_unique, a container, or a unique_ptr around it at once", findings);
      });
    }
    // Identifiers, whole ones.
    for (std::size_t at = 0; at < code.size();) {
      if (!is_word(code[at])) {
        ++at;
        continue;
      }
      std::size_t end = at;
      while (end < code.size() && is_word(code[end])) ++end;
      const std::string_view identifier = std::string_view(code).substr(at, end - at);
      const std::string small = lower(identifier);
      if (small.find("audit") != std::string::npos) {
        ban(file, code, at, identifier, "trail (the record of who did what) or check (the readiness runner)", findings);
      }
      if (file.path.starts_with("src/") && !test && small.find("_for_test") != std::string::npos) {
        ban(file, code, at, identifier, "a port that tests implement", findings);
      }
      at = end;
    }
    check_casts(file, code, findings);
    if (file.path.starts_with("src/") && !test) check_throws(file, code, findings);
  }
}

void check_text(const Tree& tree, Findings& findings) {
  // In two parts, so that this file does not find itself.
  constexpr std::array<std::string_view, 3> left_for_later{
      "TO"
      "DO",
      "FIX"
      "ME",
      "XX"
      "X"};
  for (const File& file : tree.files) {
    if (is_binary(file) || is_not_our_prose(file.path)) continue;
    const bool code = is_ours_cpp(file.path) || is_cmake(file.path) || file.path.ends_with(".ts") ||
                      file.path.ends_with(".tsx") || file.path.ends_with(".sql") || file.text.starts_with("#!");
    int number = 0;
    for (const std::string_view line : lines_of(file.text)) {
      ++number;
      const auto here = [&](std::string message) { report(findings, file.path, number, std::move(message)); };
      if (line.ends_with('\r')) here("a carriage return is banned, use a line feed alone");
      if (line.find('\t') != std::string_view::npos) here("a tab is banned, use blanks");
      if (line.ends_with(' ')) here("a blank at the end of a line is banned, remove it");
      const auto columns = std::ranges::count_if(line, [](char c) { return (c & '\xC0') != '\x80'; });
      if (code && static_cast<std::size_t>(columns) > columns_max && line.find("://") == std::string_view::npos) {
        here(fmt::format("{} columns are too many, use at most {}", columns, columns_max));
      }
      if (line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ")) here("a mark of a conflict, finish the merge");
      for (const std::string_view word : left_for_later) {
        for_each_word(line, word, [&](std::size_t) {
          here(fmt::format("{} is banned, use the module's README to name what is missing", word));
        });
      }
    }
    if (!file.text.empty() && !file.text.ends_with('\n')) {
      report(findings, file.path, number, "the last line has no end, add a newline");
    }
    if (file.text.ends_with("\n\n")) {
      report(findings, file.path, number, "an empty line at the end of a file is banned, remove it");
    }
  }
}

void check_readmes(const Tree& tree, Findings& findings) {
  for (const Module& module : modules_of(tree)) {
    const std::string path = join(module.folder, "README.md");
    const File* readme = tree.find(path);
    if (readme == nullptr) {
      // A nested module may be told of in its parent's README.
      const File* parent = tree.find(join(folder_of(module.folder), "README.md"));
      if (parent != nullptr && folder_of(module.folder) != "src/parley") continue;
      report(findings, module.list, 1, fmt::format("module {} has no README.md, write one screen", module.name));
      continue;
    }
    const auto lines = lines_of(readme->text);
    if (lines.size() > readme_lines_max) {
      report(findings, path, static_cast<int>(readme_lines_max) + 1,
             fmt::format("{} lines are too many, use one screen ({})", lines.size(), readme_lines_max));
    }
    if (lines.empty() || !lines.front().starts_with(fmt::format("# {}", module.name))) {
      report(findings, path, 1, fmt::format("the title is not the module's, use `# {} — …`", module.name));
    }
    constexpr std::array<std::string_view, 6> marks{"posture",       "owns",        "does not",
                                                    "start reading", "always true", "fails by"};
    const std::string text = lower(readme->text);
    for (const std::string_view mark : marks) {
      if (text.find(fmt::format("**{}", mark)) != std::string::npos) continue;
      report(findings, path, 1, fmt::format("`**{}…**` is missing, say it (\"nothing\" is an answer)", mark));
    }
    // The README says the posture in words; it must be the one that CMake puts into SECURITY.md.
    const std::size_t at = text.find("**posture");
    if (at == std::string::npos || module.part("POSTURE").empty()) continue;
    std::string said = text.substr(at, 200);
    std::ranges::replace(said, '_', ' ');
    std::ranges::replace(said, '\n', ' ');
    std::string declared = module.part("POSTURE").front().text;
    std::ranges::replace(declared, '_', ' ');
    std::string its_caller = declared;  // "trusts its caller" reads better than "trusts caller"
    if (declared.starts_with("trusts ")) its_caller = "trusts its " + declared.substr(7);
    std::string the_operator = declared;
    if (declared.starts_with("trusts ")) the_operator = "trusts the " + declared.substr(7);
    if (said.find(declared) == std::string::npos && said.find(its_caller) == std::string::npos &&
        said.find(the_operator) == std::string::npos) {
      report(findings, path, line_of(text, at),
             fmt::format("the posture differs from {}, use \"{}\" in both", module.list, declared));
    }
  }
}

void check_postures(const Tree& tree, std::string_view generated, Findings& findings) {
  const File* security = tree.find("SECURITY.md");
  if (security == nullptr) {
    report(findings, "SECURITY.md", 1, "the file is missing, write the threat model");
    return;
  }
  const std::string wanted = with_postures(security->text, generated);
  if (wanted.empty()) {
    report(findings, "SECURITY.md", 1,
           fmt::format("the marks of the posture table are missing, use {}",
                       postures_begin.substr(0, postures_begin.size() - 1)));
  } else if (wanted != security->text) {
    const std::size_t at = security->text.find(postures_begin);
    report(findings, "SECURITY.md", line_of(security->text, at),
           "the posture table is not what CMake wrote, use `tidy --write-postures`");
  }
}

std::string with_postures(std::string_view security_md, std::string_view generated) {
  const std::size_t begin = security_md.find(postures_begin);
  if (begin == std::string_view::npos) return {};
  const std::size_t from = begin + postures_begin.size();
  const std::size_t end = security_md.find(postures_end, from);
  if (end == std::string_view::npos) return {};
  return fmt::format("{}{}{}", security_md.substr(0, from), generated, security_md.substr(end));
}

void check_corpora(const Tree& tree, Findings& findings) {
  constexpr std::string_view root = "testdata/fuzz";
  std::set<std::string> with_corpus;
  for (const File& file : tree.files) {
    if (!is_below(file.path, root)) continue;
    const std::string_view rest = std::string_view(file.path).substr(root.size() + 1);
    const std::size_t slash = rest.find('/');
    if (slash != std::string_view::npos) with_corpus.insert(std::string(rest.substr(0, slash)));
  }
  std::set<std::string> targets;
  for (const Module& module : modules_of(tree)) {
    for (const Word& word : module.part("FUZZ")) {
      if (!is_source(word.text)) continue;
      const std::string stem = word.text.substr(0, word.text.size() - 3);
      targets.insert(stem);
      targets.insert(std::string(name_of(stem)));
      if (with_corpus.contains(stem)) continue;
      report(findings, module.list, word.line,
             fmt::format("{} has no corpus, put a few inputs into {}/{}/", word.text, root, stem));
    }
  }
  for (const std::string& corpus : with_corpus) {
    if (targets.contains(corpus)) continue;
    findings.push_back(
        {fmt::format("{}/{}", root, corpus), 1, "no fuzz target reads this corpus, remove or rename it"});
  }
}

void check_files(const Tree& tree, Findings& findings) {
  // In two parts, so that this file does not find itself.
  constexpr std::array<std::string_view, 2> machines{
      "/wo"
      "rk/",
      "/tmp"
      "/wt"};
  for (const File& file : tree.files) {
    if (file.text.size() > file_bytes_max) {
      findings.push_back(
          {file.path, 1,
           fmt::format("{} bytes are too many for the repository, use at most {}", file.text.size(), file_bytes_max)});
    }
    if (is_binary(file)) continue;
    const bool script = file.text.starts_with("#!");
    if (script && !file.executable) {
      report(findings, file.path, 1, "a script without its executable bit, use git update-index --chmod=+x");
    }
    if (!script && file.executable) {
      report(findings, file.path, 1, "an executable bit on what is no script, use git update-index --chmod=-x");
    }
    for (const std::string_view machine : machines) {
      for (std::size_t at = file.text.find(machine); at != std::string::npos; at = file.text.find(machine, at + 1)) {
        // Part of a longer path or of an address is somebody else's folder of that name.
        if (at > 0 && (is_word(file.text[at - 1]) ||
                       std::string_view(".-}/~*").find(file.text[at - 1]) != std::string_view::npos)) {
          continue;
        }
        findings.push_back(
            {file.path, line_of(file.text, at),
             fmt::format("{} is a path of somebody's machine, use one relative to the repository", machine)});
      }
    }
  }
}

void check_secrets(const Tree& tree, Findings& findings) {
  // In parts, so that this file does not find itself.
  constexpr std::array<std::string_view, 12> prefixes{
      "sk"
      "_",
      "pk"
      "_",
      "sk"
      "-",
      "vk"
      "_",
      "ghp"
      "_",
      "gho"
      "_",
      "AK"
      "IA",
      "AS"
      "IA",
      "AI"
      "za",
      "xox"
      "b-",
      "xox"
      "p-",
      "glpat"
      "-"};
  constexpr std::string_view pem_begin = "-----BEGIN ";
  constexpr std::string_view pem_kind =
      "PRIVATE"
      " KEY-----";
  for (const File& file : tree.files) {
    const std::string_view text = file.text;
    const auto here = [&](std::size_t at, std::string_view kind) {
      report(findings, file.path, line_of(text, at),
             fmt::format("text shaped like {}, use one made at run time (and revoke this one)", kind));
    };
    for (const std::string_view prefix : prefixes) {
      for (std::size_t at = text.find(prefix); at != std::string_view::npos; at = text.find(prefix, at + 1)) {
        if (at > 0 && (is_word(text[at - 1]) || text[at - 1] == '-')) continue;
        // A corpus of our own key parser has to look like keys; no installation ever gave them out.
        if (file.path.starts_with("testdata/fuzz/") && (prefix == prefixes[0] || prefix == prefixes[1])) continue;
        if (looks_random(text.substr(at + prefix.size()))) here(at, fmt::format("a key ({}…)", prefix));
      }
    }
    for (std::size_t at = text.find(pem_begin); at != std::string_view::npos; at = text.find(pem_begin, at + 1)) {
      const std::string_view line = text.substr(at, std::min(text.find('\n', at), text.size()) - at);
      if (line.find(pem_kind) != std::string_view::npos) here(at, "a private key (PEM)");
    }
  }
}

Findings check(const Tree& tree, std::string_view generated_postures) {
  Findings findings;
  check_dependencies(tree, findings);
  check_listed(tree, findings);
  check_vendor_headers(tree, findings);
  check_banned_words(tree, findings);
  check_text(tree, findings);
  check_readmes(tree, findings);
  check_postures(tree, generated_postures, findings);
  check_corpora(tree, findings);
  check_files(tree, findings);
  check_secrets(tree, findings);
  std::ranges::sort(findings, [](const Finding& a, const Finding& b) {
    return std::tie(a.path, a.line, a.message) < std::tie(b.path, b.line, b.message);
  });
  return findings;
}

}  // namespace parley::tidy
