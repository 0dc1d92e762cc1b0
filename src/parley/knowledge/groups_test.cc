#include "parley/knowledge/groups.h"

#include <gtest/gtest.h>

#include "parley/knowledge/front_matter.h"

namespace parley::knowledge {
namespace {

using Names = std::vector<std::string>;

TEST(Groups, a_list_of_names_has_one_spelling) {
  EXPECT_EQ(parse_groups(" b, a ,b").value(), (Names{"a", "b"}));
  EXPECT_EQ(parse_groups("Ops Team, a@b.example").value(), (Names{"Ops Team", "a@b.example"}));
  EXPECT_TRUE(parse_groups("  ")->empty());
  for (const auto* wrong : {"a,,b", ",a", "a,", "a;b", "*", "a\nb", "a: b", "[a]", "\"a\"", "a  b", "\xff"})
    EXPECT_FALSE(parse_groups(wrong)) << wrong;
  EXPECT_FALSE(parse_groups(std::string(group_name_length_max + 1, 'a')));
  std::string many = "g0";
  for (std::size_t i = 1; i <= groups_per_door_max; ++i) many += fmt::format(",g{}", i);
  EXPECT_FALSE(parse_groups(many));
}

TEST(Groups, doors_that_mean_the_same_are_written_the_same) {
  EXPECT_EQ(restriction_of({{"b", "a"}, {}, {"a", "b"}}), "a,b");
  EXPECT_EQ(restriction_of({{"a", "b"}, {"a"}}), "a");
  EXPECT_EQ(restriction_of({{"b"}, {"a"}}), "a;b");
  EXPECT_EQ(both("a,b", "b;c"), "b;c");
  EXPECT_EQ(both("", "a"), "a");
  EXPECT_EQ(restriction_of(doors_of("a,b;c")), "a,b;c");
}

TEST(Groups, a_reader_gets_through_every_door_or_not_at_all) {
  const auto reads = [](Names names, std::string_view restriction) {
    return may_read({.names = std::move(names)}, restriction);
  };
  EXPECT_TRUE(reads({}, ""));
  EXPECT_FALSE(reads({}, "a"));
  EXPECT_TRUE(reads({"b"}, "a,b"));
  EXPECT_FALSE(reads({"b"}, "a,b;c"));
  EXPECT_TRUE(reads({"c", "b"}, "a,b;c"));
  EXPECT_FALSE(reads({"A"}, "a"));
  EXPECT_FALSE(reads({"a,b"}, "a,b"));
  EXPECT_TRUE(may_read({.extent = ReadableGroups::Extent::all, .names = {}}, "a;b"));
}

TEST(Groups, a_view_is_what_a_reader_holds_of_what_there_is) {
  const Names there{"a", "b"};
  EXPECT_EQ(view_of({.names = {"b", "x", "a", "a"}}, there), "a,b");
  EXPECT_EQ(view_of({.names = {"x"}}, there), "");
  EXPECT_EQ(view_of({.extent = ReadableGroups::Extent::all, .names = {}}, there), "*");
  EXPECT_EQ(view_of({.extent = ReadableGroups::Extent::all, .names = {}}, {}), "");
  EXPECT_TRUE(may_read(reader_with("*"), "q;r"));
  EXPECT_TRUE(may_read(reader_with("a,b"), "a;b"));
  EXPECT_FALSE(may_read(reader_with(""), "a"));
  // Nobody can be called what means everything.
  EXPECT_EQ(view_of({.names = {"*"}}, there), "");
}

PageFacts facts_of(std::string_view head) {
  const std::string page = "---\n" + std::string(head) + "\n---\ntext";
  std::string_view text = page;
  return take_front_matter(text);
}

TEST(Groups, front_matter_says_who_may_read_a_page) {
  EXPECT_EQ(facts_of("groups: [b, \"a\"]").groups, (Names{"a", "b"}));
  EXPECT_EQ(facts_of("groups: a, b # who").groups, (Names{"a", "b"}));
  EXPECT_EQ(facts_of("groups:\n  - a\n  - 'b'").groups, (Names{"a", "b"}));
  EXPECT_EQ(facts_of("groups: a").groups, Names{"a"});
  EXPECT_TRUE(facts_of("groups: []").groups.empty());
  EXPECT_FALSE(facts_of("groups: []").groups_unreadable);
  EXPECT_FALSE(facts_of("title: x").groups_unreadable);
}

TEST(Groups, front_matter_that_cannot_be_read_opens_nothing) {
  for (const auto* head : {"groups: {a: b}", "groups: [a", "groups: [a,,b]", "groups:\n  a: true",
                           "groups: a\ngroups: b", "groups: [a, [b]]", "groups: a; b"})
    EXPECT_TRUE(facts_of(head).groups_unreadable) << head;
}

}  // namespace
}  // namespace parley::knowledge
