#include "tools/tidy.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace parley::tidy {
namespace {

Tree tree(std::initializer_list<File> files) {
  Tree result{files};
  std::ranges::sort(result.files, {}, &File::path);
  return result;
}

using Rule = void (*)(const Tree&, Findings&);

/// What one rule says about a tree, one finding a line: "path:line: message".
std::string findings(Rule rule, const Tree& tree) {
  Findings found;
  rule(tree, found);
  std::string text;
  for (const Finding& finding : found) text += fmt::format("{}:{}: {}\n", finding.path, finding.line, finding.message);
  return text;
}

/// One file that is fine, or the rule's words about it.
std::string about(Rule rule, std::string path, std::string text) {
  return findings(rule, tree({{std::move(path), std::move(text)}}));
}

testing::AssertionResult says(const std::string& text, std::string_view part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "expected \"" << part << "\" in:\n" << text;
}

const File base_list{"src/parley/base/CMakeLists.txt", "parley_module(NAME base POSTURE trusts_caller SOURCES e.cc)\n"};
const File base_header{"src/parley/base/e.h", "#pragma once\n"};

TEST(CodeOnly, BlanksCommentsAndLiteralsButKeepsColumns) {
  EXPECT_EQ(code_only("a; // new\n"), "a;       \n");
  EXPECT_EQ(code_only("a(/* new */ b)"), "a(          b)");
  EXPECT_EQ(code_only("f(\"a\\\"new\", 'n')"), "f(\"      \", ' ')");
  EXPECT_EQ(code_only("1'000'000 + new"), "1'000'000 + new");
  EXPECT_EQ(code_only("R\"x(new \" )x\" + y"), "R\"          \" + y");
  EXPECT_EQ(code_only("a\n/* b\nc */\nd"), "a\n    \n    \nd");
}

TEST(Dependencies, AnIncludeMustBeDeclared) {
  const File source{"src/parley/db/store.cc", "#include \"parley/db/store.h\"\n#include \"parley/base/e.h\"\n"};
  EXPECT_TRUE(says(findings(check_dependencies,
                            tree({base_list,
                                  base_header,
                                  source,
                                  {"src/parley/db/CMakeLists.txt", "parley_module(NAME db SOURCES store.cc)\n"}})),
                   "src/parley/db/store.cc:2: #include \"parley/base/e.h\" is not declared, add base to DEPS in "
                   "src/parley/db/CMakeLists.txt"));
  EXPECT_EQ(findings(check_dependencies,
                     tree({base_list,
                           base_header,
                           source,
                           {"src/parley/db/CMakeLists.txt", "parley_module(NAME db SOURCES store.cc DEPS base)\n"}})),
            "");
}

TEST(Dependencies, ADeclarationMustBeUsed) {
  EXPECT_TRUE(says(
      findings(check_dependencies, tree({{"src/parley/db/CMakeLists.txt", "parley_module(NAME db\n  DEPS base)\n"}})),
      "src/parley/db/CMakeLists.txt:2: DEPS base is never included, remove it"));
}

TEST(Dependencies, WhatOnlyTestsUseIsATestDependency) {
  const File test{"src/parley/db/store_test.cc", "#include \"parley/base/e.h\"\n"};
  EXPECT_TRUE(says(findings(check_dependencies,
                            tree({test,
                                  base_list,
                                  base_header,
                                  {"src/parley/db/CMakeLists.txt", "parley_module(NAME db TESTS store_test.cc)\n"}})),
                   "add base to TEST_DEPS"));
  EXPECT_EQ(
      findings(check_dependencies,
               tree({test,
                     base_list,
                     base_header,
                     {"src/parley/db/CMakeLists.txt", "parley_module(NAME db TESTS store_test.cc TEST_DEPS base)\n"}})),
      "");
}

TEST(Dependencies, ATestDependencyDoesNotServeTheProduct) {
  EXPECT_TRUE(says(findings(check_dependencies, tree({base_list,
                                                      base_header,
                                                      {"src/parley/db/store.cc", "#include \"parley/db/store.h\"\n"},
                                                      {"src/parley/db/store.h", "#include \"parley/base/e.h\"\n"},
                                                      {"src/parley/db/CMakeLists.txt",
                                                       "parley_module(NAME db SOURCES store.cc TEST_DEPS base)\n"}})),
                   "src/parley/db/store.h:1: #include \"parley/base/e.h\" is not declared"));
}

TEST(Dependencies, AHelperOfTestsIsNamedByItsLibrary) {
  const File helpers{"testing/CMakeLists.txt", "add_library(parley_test_store STATIC store.cc)\n"};
  const File test{"src/parley/db/x_test.cc", "#include \"testing/store.h\"\n#include \"testing/wait.h\"\n"};
  const auto with = [&](std::string_view deps) {
    return findings(
        check_dependencies,
        tree({helpers,
              test,
              {"src/parley/db/CMakeLists.txt", fmt::format("parley_module(NAME db TESTS x_test.cc {})\n", deps)}}));
  };
  EXPECT_EQ(with("TEST_DEPS test_store"), "");
  EXPECT_TRUE(says(with(""), "add test_store to TEST_DEPS"));
  EXPECT_TRUE(says(with("DEPS test_store"), "DEPS test_store is a helper of tests, move it to TEST_DEPS"));
}

TEST(Dependencies, ArrowsPointDownward) {
  const auto with = [](std::string_view upper, std::string_view lower) {
    return findings(check_dependencies,
                    tree({{fmt::format("src/parley/{}/x.h", upper), fmt::format("#include \"parley/{}/y.h\"\n", lower)},
                          {fmt::format("src/parley/{}/CMakeLists.txt", upper),
                           fmt::format("parley_module(NAME {} DEPS {})\n", upper, lower)}}));
  };
  EXPECT_EQ(with("identity", "db"), "");
  EXPECT_EQ(with("http", "net"), "");
  EXPECT_EQ(with("chat", "knowledge"), "");
  EXPECT_TRUE(says(with("db", "identity"), "db (mechanism) must not use identity (capability)"));
  EXPECT_TRUE(says(with("identity", "trail"), "identity and trail are both on the capability floor"));
  EXPECT_TRUE(says(with("wizardry", "base"), "module wizardry stands on no floor"));
}

TEST(Dependencies, ANestedModuleStandsOnItsParentsFloor) {
  EXPECT_EQ(
      findings(check_dependencies,
               tree({{"src/parley/db/sqlite/x.cc", "#include \"parley/db/store.h\"\n"},
                     {"src/parley/db/store.h", ""},
                     {"src/parley/db/CMakeLists.txt", "parley_module(NAME db)\n"},
                     {"src/parley/db/sqlite/CMakeLists.txt", "parley_module(NAME db_sqlite SOURCES x.cc DEPS db)\n"}})),
      "");
}

TEST(Dependencies, CirclesAreFound) {
  EXPECT_TRUE(
      says(findings(check_dependencies, tree({{"src/parley/net/CMakeLists.txt", "parley_module(NAME net DEPS log)\n"},
                                              {"src/parley/net/a.h", "#include \"parley/log/b.h\"\n"},
                                              {"src/parley/log/CMakeLists.txt", "parley_module(NAME log DEPS net)\n"},
                                              {"src/parley/log/b.h", "#include \"parley/net/a.h\"\n"}})),
           "module net depends on itself by way of log net"));
}

TEST(Listed, ASourceMustBeNamed) {
  const File source{"src/parley/base/e.cc", ""};
  EXPECT_EQ(findings(check_listed, tree({base_list, base_header, source})), "");
  EXPECT_TRUE(says(findings(check_listed, tree({base_list, source, {"src/parley/base/stray.cc", ""}})),
                   "src/parley/base/stray.cc:1: no CMakeLists.txt names this file"));
  EXPECT_TRUE(says(findings(check_listed, tree({base_list})), "SOURCES e.cc does not exist"));
}

TEST(Listed, NamesMayComeFromOtherCommandsAndFolders) {
  EXPECT_EQ(
      findings(check_listed, tree({{"src/parley/CMakeLists.txt", "add_executable(parley main.cc)\n"},
                                   {"src/parley/main.cc", ""},
                                   {"CMakeLists.txt",
                                    "add_executable(x ${CMAKE_SOURCE_DIR}/src/parley/y.cc src/parley/cli/../z.cc)\n"},
                                   {"src/parley/z.cc", ""},
                                   {"src/parley/y.cc", ""}})),
      "");
}

TEST(Listed, AHeaderNeedsASourceOrAReader) {
  EXPECT_TRUE(says(about(check_listed, "src/parley/base/lonely.h", ""), "nobody includes this header"));
  EXPECT_EQ(findings(check_listed, tree({base_list,
                                         {"src/parley/base/e.cc", "#include \"parley/base/literal.h\"\n"},
                                         {"src/parley/base/e.h", ""},
                                         {"src/parley/base/literal.h", ""}})),
            "");
}

TEST(VendorHeaders, StayInTheirFolder) {
  EXPECT_TRUE(says(about(check_vendor_headers, "src/parley/chat/a.cc", "#include <boost/beast/http.hpp>\n"),
                   "src/parley/chat/a.cc:1: <boost/beast/http.hpp> is banned here, use what parley/http/ offers"));
  EXPECT_EQ(about(check_vendor_headers, "src/parley/http/a.cc", "#include <boost/beast/http.hpp>\n"), "");
  EXPECT_TRUE(says(about(check_vendor_headers, "src/parley/db/a.cc", "#include <sqlite3.h>\n"), "parley/db/sqlite/"));
  EXPECT_EQ(about(check_vendor_headers, "src/parley/db/sqlite/a.cc", "#include <sqlite3.h>\n"), "");
  EXPECT_EQ(about(check_vendor_headers, "src/parley/crypto/a.cc", "#include \"parley/crypto/sodium.h\"\n"), "");
}

TEST(BannedWords, EachNamesItsReplacement) {
  const auto product = [](std::string text) { return about(check_banned_words, "src/parley/base/a.cc", text + "\n"); };
  EXPECT_TRUE(says(product("auto s = std::format(\"{}\", 1);"), "a.cc:1: std::format is banned, use fmt::format"));
  EXPECT_TRUE(says(product("std::regex r;"), "std::regex is banned"));
  EXPECT_TRUE(says(product("auto* p = new int;"), "new is banned, use std::make_unique"));
  EXPECT_TRUE(says(product("delete p;"), "delete is banned"));
  EXPECT_TRUE(says(product("sprintf(b, \"\");"), "sprintf is banned, use fmt::format"));
  EXPECT_TRUE(says(product("strcpy(a, b);"), "strcpy is banned"));
  EXPECT_TRUE(says(product("int audit_log = 1;"), "audit_log is banned, use trail"));
  EXPECT_TRUE(says(product("void reset_for_test();"), "reset_for_test is banned, use a port"));
  EXPECT_EQ(product("// new, delete, throw and audit in a comment"), "");
  EXPECT_EQ(product("X(const X&) = delete; snprintf(b, 1, \"new\"); int renew = 0;"), "");
  EXPECT_EQ(product("#include <new>"), "");
  EXPECT_EQ(product("std::unique_ptr<X> x(new X(1));"), "");
  EXPECT_EQ(product("x.reset(new X(1));"), "");
  EXPECT_TRUE(says(product("std::unique_ptr<X> x; f(new X(1));"), "new is banned"));
  EXPECT_EQ(product("void* operator new(std::size_t);"), "");
}

TEST(BannedWords, DependOnTheKindOfFile) {
  EXPECT_TRUE(says(about(check_banned_words, "src/parley/base/a.h", "using namespace std;\n"), "using namespace"));
  EXPECT_EQ(about(check_banned_words, "src/parley/base/a.cc", "using namespace std::literals;\n"), "");
  EXPECT_TRUE(says(about(check_banned_words, "src/parley/base/a_test.cc", "std::this_thread::sleep_for(1s);\n"),
                   "sleep_for is banned, use a Clock port"));
  EXPECT_EQ(about(check_banned_words, "src/parley/db/sqlite/a.cc", "std::this_thread::sleep_for(1s);\n"), "");
  EXPECT_TRUE(says(about(check_banned_words, "src/parley/base/CMakeLists.txt", "file(GLOB files *.cc)\n"),
                   "GLOB is banned, use a list by hand"));
  EXPECT_EQ(about(check_banned_words, "src/parley/base/CMakeLists.txt",
                  "# tidy: allow GLOB, these are data\nfile(GLOB files *.sql)\n"),
            "");
}

TEST(BannedWords, ThrowIsForTheCompilerAndForTests) {
  const auto product = [](std::string text) { return about(check_banned_words, "src/parley/base/a.h", text + "\n"); };
  EXPECT_TRUE(says(product("void f() { throw 1; }"), "throw is banned, use fail()"));
  EXPECT_TRUE(says(product("consteval int f() { return 1; }\nvoid g() { throw 1; }"), "a.h:2: throw"));
  EXPECT_EQ(product("consteval int f(int x) { if (x > 1) { throw \"too large\"; } return x; }"), "");
  EXPECT_EQ(product("consteval X(const char* t) : a_{t}, b_{1} { throw 1; }"), "");
  EXPECT_EQ(about(check_banned_words, "src/parley/base/a_test.cc", "void f() { throw 1; }\n"), "");
  EXPECT_EQ(product("Error translate() { try { throw; } catch (...) { return Error(); } }"), "");
}

TEST(BannedWords, CastsMayOnlyLookAtBytesAndSockets) {
  const auto product = [](std::string text) { return about(check_banned_words, "src/parley/base/a.cc", text + "\n"); };
  EXPECT_TRUE(
      says(product("auto* x = reinterpret_cast<Header*>(p);"), "reinterpret_cast is banned, use std::bit_cast"));
  EXPECT_EQ(product("auto* x = reinterpret_cast<const unsigned char*>(p);"), "");
  EXPECT_EQ(product("auto* x = reinterpret_cast<const std::uint8_t*>(p);"), "");
  EXPECT_EQ(product("auto* x = reinterpret_cast<sockaddr*>(&a);"), "");
}

TEST(BannedWords, AnExceptionNeedsAReason) {
  const auto product = [](std::string text) { return about(check_banned_words, "src/parley/base/a.cc", text + "\n"); };
  EXPECT_EQ(product("auto* p = new int;  // tidy: allow new, the library frees it"), "");
  EXPECT_EQ(product("// tidy: allow new, the library frees it\nauto* p = new int;"), "");
  EXPECT_TRUE(says(product("auto* p = new int;  // tidy: allow new"), "new is banned"));
  EXPECT_TRUE(says(product("auto* p = new int;  // tidy: allow delete, other word"), "new is banned"));
}

TEST(Text, IsPlain) {
  const auto of = [](std::string text) { return about(check_text, "src/parley/base/a.cc", std::move(text)); };
  EXPECT_EQ(of("int a;\n"), "");
  EXPECT_TRUE(says(of("\tint a;\n"), "a tab is banned"));
  EXPECT_TRUE(says(of("int a; \n"), "a blank at the end"));
  EXPECT_TRUE(says(of("int a;\r\n"), "a carriage return is banned"));
  EXPECT_TRUE(says(of("int a;"), "add a newline"));
  EXPECT_TRUE(says(of("int a;\n\n"), "an empty line at the end"));
  EXPECT_TRUE(says(of(std::string(7, '<') + " HEAD\n"), "a mark of a conflict"));
  EXPECT_TRUE(says(of(std::string(121, 'x') + "\n"), "121 columns are too many, use at most 120"));
  EXPECT_EQ(of(std::string(120, 'x') + "\n"), "");
  std::string umlauts;
  for (int i = 0; i < 120; ++i) umlauts += "ü";
  EXPECT_EQ(of(umlauts + "\n"), "") << "columns are characters, not bytes";
  EXPECT_TRUE(says(of("// "
                      "TO"
                      "DO: later\n"),
                   "use the module's README"));
  EXPECT_EQ(of("mkdtemp(\"parley-" + std::string(6, 'X') + "\");\n"), "");
  EXPECT_EQ(about(check_text, "testdata/http/bare_cr", "GET / \r\n\t"), "");
}

std::string readme(std::string_view posture) {
  return fmt::format(
      "# base — words\n\n- **Posture**: {}.\n- **Owns**: x. **Does not**: y.\n- **Start reading at**: `e.h`.\n"
      "- **Always true**: z.\n- **Fails by**: nothing.\n",
      posture);
}

TEST(Readmes, AnswerTheSameQuestionsInEveryModule) {
  EXPECT_TRUE(says(findings(check_readmes, tree({base_list})), "module base has no README.md"));
  const auto with = [](std::string text) {
    return findings(check_readmes, tree({base_list, {"src/parley/base/README.md", std::move(text)}}));
  };
  EXPECT_EQ(with(readme("trusts caller")), "");
  EXPECT_EQ(with(readme("trusts its caller")), "");
  EXPECT_TRUE(says(with(readme("robust to untrusted input")), "the posture differs"));
  EXPECT_TRUE(says(with("# base — words\n"), "`**always true…**` is missing"));
  EXPECT_TRUE(says(with("# other\n"), "the title is not the module's"));
  std::string long_text = readme("trusts caller");
  for (int i = 0; i < 60; ++i) long_text += "more\n";
  EXPECT_TRUE(says(with(long_text), "lines are too many, use one screen"));
}

TEST(Postures, AreTheOnesCMakeWrote) {
  const std::string page =
      "# Security\n<!-- postures: written by CMake, compared by tidy -->\n| a | b |\n<!-- end of postures -->\nrest\n";
  const auto with = [](std::string text, std::string_view generated) {
    Findings found;
    check_postures(tree({{"SECURITY.md", std::move(text)}}), generated, found);
    return found.empty() ? std::string() : found.front().message;
  };
  EXPECT_EQ(with(page, "| a | b |\n"), "");
  EXPECT_TRUE(says(with(page, "| a | c |\n"), "the posture table is not what CMake wrote"));
  EXPECT_TRUE(says(with("# Security\n", "| a | b |\n"), "the marks of the posture table are missing"));
  EXPECT_EQ(with(with_postures(page, "| a | c |\n"), "| a | c |\n"), "");
}

TEST(Corpora, TargetsAndCorporaComeInPairs) {
  const File list{"src/parley/text/CMakeLists.txt", "parley_module(NAME text FUZZ utf8_fuzz.cc)\n"};
  EXPECT_EQ(findings(check_corpora, tree({list, {"testdata/fuzz/utf8_fuzz/one", "x"}})), "");
  EXPECT_TRUE(says(findings(check_corpora, tree({list})), "put a few inputs into testdata/fuzz/utf8_fuzz/"));
  EXPECT_TRUE(says(findings(check_corpora, tree({{"testdata/fuzz/gone_fuzz/one", "x"}})), "no fuzz target reads"));
}

TEST(Files, AreSmallAndAtHomeAnywhere) {
  EXPECT_EQ(about(check_files, "a.md", "text\n"), "");
  EXPECT_TRUE(says(about(check_files, "a.bin", std::string(512 * 1024 + 1, 'x')), "bytes are too many"));
  EXPECT_TRUE(says(about(check_files, "scripts/a", "#!/bin/sh\n"), "a script without its executable bit"));
  EXPECT_TRUE(says(findings(check_files, tree({{"a.md", "text\n", true}})), "an executable bit on what is no script"));
  EXPECT_EQ(findings(check_files, tree({{"scripts/a", "#!/bin/sh\n", true}})), "");
  EXPECT_TRUE(says(about(check_files, "a.md",
                         "see /wo"
                         "rk/notes\n"),
                   "is a path of somebody's machine"));
  EXPECT_EQ(about(check_files, "a.md",
                  "https://example.org/wo"
                  "rk/notes and ./wo"
                  "rk/x\n"),
            "");
}

TEST(Secrets, AreNotInTheTree) {
  const auto of = [](std::string text) { return about(check_secrets, "a.md", text + "\n"); };
  EXPECT_TRUE(says(of("key = sk"
                      "_a1b2c3d4e5f6g7h8i9j0"),
                   "text shaped like a key (sk_…)"));
  EXPECT_TRUE(says(of("key = pk"
                      "_a1b2c3d4e5f6g7h8i9j0"),
                   "text shaped like a key (pk_…)"));
  EXPECT_TRUE(says(of("AK"
                      "IAABCDEFGHIJK12345"),
                   "text shaped like a key (AKIA…)"));
  EXPECT_TRUE(says(of("-----BEGIN RSA PRIVATE"
                      " KEY-----"),
                   "text shaped like a private key"));
  EXPECT_EQ(of("sk_… and sk_live and sk_aaaaaaaaaaaaaaaaaaaaaaaa1"), "");
  EXPECT_EQ(about(check_secrets, "testdata/fuzz/api_key_fuzz/one",
                  "sk"
                  "_a1b2c3d4e5f6g7h8i9j0"),
            "");
  EXPECT_EQ(of("-----BEGIN CERTIFICATE-----"), "");
  EXPECT_EQ(of("task_a1b2c3d4e5f6g7h8i9j0"), "");
}

}  // namespace
}  // namespace parley::tidy
