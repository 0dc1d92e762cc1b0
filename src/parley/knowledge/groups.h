#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"
#include "parley/evidence/principal.h"

namespace parley::knowledge {

// Who may read a document. A source, a folder and a document can each name groups. Each that does is a door, which
// opens to whoever holds one of its groups, and a reader must get through all of them: so a document can be closed
// further than its folder, and never opened wider. No door: everybody who may search the project.
//
// A *restriction* is the doors as one text, "a,b;c" for (a or b) and c, in one spelling for each meaning.

inline constexpr std::size_t group_name_length_max = 64;
/// At one door; more than these are a group of their own.
inline constexpr std::size_t groups_per_door_max = 32;

/// Reads "a, b": ASCII letters, digits and -_.@/+, beyond ASCII any UTF-8, single blanks inside. Sorted, each once.
/// `invalid_argument` for anything else: a name that was misread would let in or keep out the wrong people. The empty
/// text is no groups.
Result<std::vector<std::string>> parse_groups(std::string_view list);

/// "a,b"; what `parse_groups` reads.
std::string join_groups(const std::vector<std::string>& groups);

/// Doors without groups are none; a door that another makes idle is left out.
std::string restriction_of(std::vector<std::vector<std::string>> doors);
std::vector<std::vector<std::string>> doors_of(std::string_view restriction);
/// The doors of both.
std::string both(std::string_view a, std::string_view b);

bool may_read(const ReadableGroups& reader, std::string_view restriction);

/// What part of a project somebody reads, among those that its groups make: "" what is open to all, "*" everything,
/// else the groups they hold of those that the project names. Whoever has the same view gets the same answers.
std::string view_of(const ReadableGroups& reader, const std::vector<std::string>& project_groups);
/// Whoever has this view.
ReadableGroups reader_with(std::string_view view);

}  // namespace parley::knowledge
