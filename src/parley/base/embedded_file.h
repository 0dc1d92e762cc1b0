#pragma once

#include <string_view>

namespace parley {

/// A file of the source tree as it was when the program was built; cmake/parley_embed.cmake writes lists of them.
struct EmbeddedFile {
  std::string_view name;  ///< relative to the folder it was listed from, '/'-separated
  std::string_view bytes;
};

}  // namespace parley
