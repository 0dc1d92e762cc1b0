#include "parley/secrets/secrets.h"

#include <algorithm>
#include <array>
#include <utility>

namespace parley::secrets {
namespace {

struct Scheme {
  std::string_view prefix;
  Keeper keeper;
};
constexpr std::array schemes{Scheme{"env:", Keeper::environment}, Scheme{"file:", Keeper::file},
                             Scheme{"vault:", Keeper::vault}, Scheme{"aws:", Keeper::aws},
                             Scheme{"azure:", Keeper::azure}};

// Longer than any path or ARN.
constexpr std::size_t name_bytes_max = 2'048;

bool all_of(std::string_view text, std::string_view also) {
  return !text.empty() && text.size() <= name_bytes_max && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           also.find(c) != std::string_view::npos;
  });
}

// Segments of a path, none of which leads up or nowhere.
bool is_path(std::string_view text, std::string_view also) {
  if (!all_of(text, also) || text.starts_with('/') || text.ends_with('/')) return false;
  while (true) {
    const auto segment = text.substr(0, text.find('/'));
    if (segment.empty() || segment == "." || segment == "..") return false;
    if (segment.size() == text.size()) return true;
    text.remove_prefix(segment.size() + 1);
  }
}

bool is_right(const Reference& reference) {
  const auto& name = reference.name;
  switch (reference.keeper) {
    case Keeper::environment: return all_of(name, "_") && (name.front() < '0' || name.front() > '9');
    // From the root: what a relative path means depends on where the program was started.
    case Keeper::file: return name.starts_with('/') && name.size() <= name_bytes_max && !name.contains('\0');
    case Keeper::vault: return is_path(name, "-_./") && name.contains('/') && all_of(reference.field, "-_.");
    case Keeper::aws: return all_of(name, "-_./+=@!:") && (reference.field.empty() || all_of(reference.field, "-_."));
    case Keeper::azure: return is_path(name, "-/") && std::ranges::count(name, '/') <= 1;
  }
  std::unreachable();
}

}  // namespace

std::string Reference::to_string() const {
  std::string text;
  for (const auto& scheme : schemes)
    if (scheme.keeper == keeper) text = scheme.prefix;
  text += name;
  if (!field.empty()) text += "#" + field;
  return text;
}

Result<Reference> parse_reference(std::string_view text) {
  for (const auto& scheme : schemes) {
    if (!text.starts_with(scheme.prefix)) continue;
    Reference reference{.keeper = scheme.keeper, .name = std::string(text.substr(scheme.prefix.size())), .field = {}};
    if (scheme.keeper == Keeper::vault || scheme.keeper == Keeper::aws) {
      if (const auto mark = reference.name.find('#'); mark != std::string::npos) {
        reference.field = reference.name.substr(mark + 1);
        reference.name.resize(mark);
        if (reference.field.empty()) break;
      }
    }
    if (is_right(reference)) return reference;
    break;
  }
  return fail(Code::invalid_argument,
              "a secret is given by reference: env:NAME, file:/path, vault:MOUNT/PATH#FIELD, aws:NAME or azure:NAME");
}

}  // namespace parley::secrets
