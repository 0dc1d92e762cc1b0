// The JSONTestSuite cases: y_ must be read, n_ must be refused, i_ may be either. Every case in which this parser is
// stricter than y_ or takes a side in i_ is listed with the reason, and an unlisted one fails.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "parley/text/json.h"

namespace parley::text {
namespace {

enum class Verdict { accepted, refused };

struct Explained {
  Verdict verdict;
  const char* reason;
};

const std::map<std::string, Explained>& explained() {
  static constexpr auto repeated = "a repeated name means different things to different readers";
  static constexpr auto not_utf8 = "RFC 8259 8.1: text between systems is UTF-8";
  static constexpr auto half = "half of a surrogate pair is no character and has no UTF-8";
  static constexpr auto too_large = "no double holds it; taking it as infinity would change it silently";
  static constexpr auto nearest = "the nearest double, as RFC 8259 6 leaves open";
  static const std::map<std::string, Explained> table = {
      {"y_object_duplicated_key.json", {Verdict::refused, repeated}},
      {"y_object_duplicated_key_and_value.json", {Verdict::refused, repeated}},
      {"i_number_double_huge_neg_exp.json", {Verdict::accepted, nearest}},
      {"i_number_huge_exp.json", {Verdict::refused, too_large}},
      {"i_number_neg_int_huge_exp.json", {Verdict::refused, too_large}},
      {"i_number_pos_double_huge_exp.json", {Verdict::refused, too_large}},
      {"i_number_real_neg_overflow.json", {Verdict::refused, too_large}},
      {"i_number_real_pos_overflow.json", {Verdict::refused, too_large}},
      {"i_number_real_underflow.json", {Verdict::accepted, nearest}},
      {"i_number_too_big_neg_int.json", {Verdict::accepted, nearest}},
      {"i_number_too_big_pos_int.json", {Verdict::accepted, nearest}},
      {"i_number_very_big_negative_int.json", {Verdict::accepted, nearest}},
      {"i_object_key_lone_2nd_surrogate.json", {Verdict::refused, half}},
      {"i_string_1st_surrogate_but_2nd_missing.json", {Verdict::refused, half}},
      {"i_string_1st_valid_surrogate_2nd_invalid.json", {Verdict::refused, half}},
      {"i_string_UTF-16LE_with_BOM.json", {Verdict::refused, not_utf8}},
      {"i_string_UTF-8_invalid_sequence.json", {Verdict::refused, not_utf8}},
      {"i_string_UTF8_surrogate_U+D800.json", {Verdict::refused, not_utf8}},
      {"i_string_incomplete_surrogate_and_escape_valid.json", {Verdict::refused, half}},
      {"i_string_incomplete_surrogate_pair.json", {Verdict::refused, half}},
      {"i_string_incomplete_surrogates_escape_valid.json", {Verdict::refused, half}},
      {"i_string_invalid_lonely_surrogate.json", {Verdict::refused, half}},
      {"i_string_invalid_surrogate.json", {Verdict::refused, half}},
      {"i_string_invalid_utf-8.json", {Verdict::refused, not_utf8}},
      {"i_string_inverted_surrogates_U+1D11E.json", {Verdict::refused, half}},
      {"i_string_iso_latin_1.json", {Verdict::refused, not_utf8}},
      {"i_string_lone_second_surrogate.json", {Verdict::refused, half}},
      {"i_string_lone_utf8_continuation_byte.json", {Verdict::refused, not_utf8}},
      {"i_string_not_in_unicode_range.json", {Verdict::refused, not_utf8}},
      {"i_string_overlong_sequence_2_bytes.json", {Verdict::refused, not_utf8}},
      {"i_string_overlong_sequence_6_bytes.json", {Verdict::refused, not_utf8}},
      {"i_string_overlong_sequence_6_bytes_null.json", {Verdict::refused, not_utf8}},
      {"i_string_truncated-utf-8.json", {Verdict::refused, not_utf8}},
      {"i_string_utf16BE_no_BOM.json", {Verdict::refused, not_utf8}},
      {"i_string_utf16LE_no_BOM.json", {Verdict::refused, not_utf8}},
      {"i_structure_500_nested_arrays.json", {Verdict::refused, "deeper than depth_max"}},
      {"i_structure_UTF-8_BOM_empty_object.json", {Verdict::refused, "RFC 8259 8.1: no byte order mark is sent"}},
  };
  return table;
}

TEST(JsonConformance, EveryDifferenceIsExplained) {
  const std::filesystem::path folder = "../shared/data/json/parsing/test_parsing";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent";
  std::size_t cases = 0;
  std::size_t used = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (!name.ends_with(".json")) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const auto verdict = parse_json(text) ? Verdict::accepted : Verdict::refused;
    const auto note = explained().find(name);
    ++cases;
    if (note != explained().end()) {
      ++used;
      EXPECT_EQ(verdict, note->second.verdict) << name << ": " << note->second.reason;
    } else if (name.starts_with("y_")) {
      EXPECT_EQ(verdict, Verdict::accepted) << name;
    } else if (name.starts_with("n_")) {
      EXPECT_EQ(verdict, Verdict::refused) << name;
    } else {
      ADD_FAILURE() << name << " is not in the table; we " << (verdict == Verdict::accepted ? "accept" : "refuse")
                    << " it";
    }
  }
  EXPECT_EQ(used, explained().size()) << "the table explains cases that are not there";
  EXPECT_GT(cases, 300);
}

}  // namespace
}  // namespace parley::text
