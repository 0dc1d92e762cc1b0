#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace parley::knowledge {

/// What is known of English words beyond their form, for people who ask in other words than a page uses. Small and
/// general on purpose: words of software and its operation, none of any one product.

/// True for the hash of a word that frames a question more than it says what the question is about ("create", "kind").
bool is_weak_hash(std::uint32_t hash);

/// Hashes of words that often stand for the same thing as the word with this hash; empty for most.
std::span<const std::uint32_t> related_to(std::uint32_t hash);

/// "backup" is "back" and "up": the verb of a noun that ends in a particle, else empty. A view into `word`.
std::string_view particle_verb(std::string_view word);

/// True for "up", "out", "in" and the like, which make one noun with the verb before them ("log in", "login").
bool is_particle(std::string_view word);

}  // namespace parley::knowledge
