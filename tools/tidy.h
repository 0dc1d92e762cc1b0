#pragma once

#include <string>
#include <string_view>
#include <vector>

/// The rules of the house that a compiler cannot hold. Each rule reads a tree in memory and adds what it found, so that
/// its test is a tree of two small files. A message names what to use in place of what it refuses.
namespace parley::tidy {

struct File {
  std::string path;  ///< from the root of the repository, with '/'
  std::string text;
  bool executable = false;
};

/// Sorted by path.
struct Tree {
  std::vector<File> files;

  const File* find(std::string_view path) const;
};

struct Finding {
  std::string path;
  int line = 1;
  std::string message;
};
using Findings = std::vector<Finding>;

/// `text` with the insides of comments, strings and characters turned into blanks; lines and columns stay where they
/// were. Directives of the preprocessor stay readable, the quoted path of an `#include` does not.
std::string code_only(std::string_view text);

/// Includes against `DEPS` and `TEST_DEPS`, both ways; arrows between layers; circles.
void check_dependencies(const Tree& tree, Findings& findings);
/// Every source under src/ is named by a CMakeLists.txt, every header belongs to one or is included.
void check_listed(const Tree& tree, Findings& findings);
/// Headers of other people's libraries stay in the folder that owns them.
void check_vendor_headers(const Tree& tree, Findings& findings);
/// Words of C++ and CMake that have a better replacement here.
void check_banned_words(const Tree& tree, Findings& findings);
/// Columns, tabs, trailing blanks, line ends, notes left for later.
void check_text(const Tree& tree, Findings& findings);
/// Each module's README: one screen with the answers a reader looks for.
void check_readmes(const Tree& tree, Findings& findings);
/// SECURITY.md holds the table of postures that CMake wrote (`generated`), and nothing else between its two marks.
void check_postures(const Tree& tree, std::string_view generated, Findings& findings);
/// A fuzz target has a corpus, a corpus has a fuzz target.
void check_corpora(const Tree& tree, Findings& findings);
/// Size, executable bits, paths of somebody's own machine.
void check_files(const Tree& tree, Findings& findings);
/// Text shaped like a credential.
void check_secrets(const Tree& tree, Findings& findings);

/// All of the above, sorted by path and line.
Findings check(const Tree& tree, std::string_view generated_postures);

/// SECURITY.md with the table between its marks replaced; empty if it has no marks.
std::string with_postures(std::string_view security_md, std::string_view generated);

}  // namespace parley::tidy
