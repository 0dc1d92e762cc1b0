#pragma once

#include <chrono>
#include <csetjmp>
#include <cstddef>
#include <vector>

#include "parley/base/result.h"

namespace parley::knowledge {

/// What one run of a C parser may take before it is stopped. cmark-gfm and gumbo check no allocation, and both have
/// inputs that cost them the square of their length in steps or in nodes; the versions that distributions ship lag
/// behind the repairs. Every such input allocates all along its way, so the allocator is where a run can be ended.
struct ParserLimits {
  /// A node tree is 5 to 40 times its source: this leaves room for the largest accepted file, not for a bomb.
  std::size_t memory_bytes_max = std::size_t{512} << 20;
  /// The largest ordinary file takes half a second.
  std::chrono::milliseconds time_max{5000};
};

/// Memory for one run of a C parser: handed out from slabs, given back at once when this object goes. Trees are never
/// freed node by node, which would recurse as deep as the input is nested (gumbo) and takes as long as parsing.
class ParserMemory {
 public:
  explicit ParserMemory(ParserLimits limits = {});
  ~ParserMemory();
  ParserMemory(const ParserMemory&) = delete;
  ParserMemory& operator=(const ParserMemory&) = delete;

  /// Runs `parse(context)`, which calls a C parser that allocates from here; `too_large` if that went over a limit, in
  /// which case the parser was left in the middle by longjmp. So `parse` must be a plain function without C++ objects
  /// that need destruction, and nothing but `context` may be used to bring results out.
  Result<void> run(void (*parse)(void* context), void* context);

  /// For the parser's allocator. Zeroed, aligned for any type, never null. Limits hold inside `run`; outside, where a
  /// finished tree is read and at most its texts are copied, only the machine's do.
  void* allocate(std::size_t bytes);
  void* reallocate(void* old, std::size_t bytes);

  /// The latest object of this thread: cmark's allocator takes no argument of ours. Objects nest, as scopes do.
  static ParserMemory* current();

 private:
  enum class Over : int { memory = 1, time = 2 };
  [[noreturn]] void give_up(Over why);
  void add_slab(std::size_t bytes_min);

  ParserLimits limits_;
  ParserMemory* outer_;
  bool running_ = false;
  std::vector<void*> slabs_;
  char* next_ = nullptr;
  char* end_ = nullptr;
  std::size_t taken_ = 0;
  std::size_t calls_ = 0;
  std::chrono::steady_clock::time_point deadline_;
  std::jmp_buf over_;
};

}  // namespace parley::knowledge
