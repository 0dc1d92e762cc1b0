#include "parley/knowledge/parser_memory.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace parley::knowledge {
namespace {

constexpr std::size_t alignment = alignof(std::max_align_t);
constexpr std::size_t slab_bytes_min = 64 << 10;  // most pages fit in one
constexpr std::size_t slab_bytes_max = 8 << 20;
// Reading the clock costs as much as some allocations, so it is read once in this many. Large ones always count: a
// parser that copies megabytes per step makes few.
constexpr std::size_t calls_per_clock_reading = 256;
constexpr std::size_t large_bytes = 64 << 10;

thread_local ParserMemory* current_memory = nullptr;

struct Header {
  alignas(alignment) std::size_t bytes;
};

}  // namespace

ParserMemory::ParserMemory(ParserLimits limits) : limits_(limits), outer_(current_memory) { current_memory = this; }

ParserMemory::~ParserMemory() {
  current_memory = outer_;
  for (void* slab : slabs_) std::free(slab);
}

ParserMemory* ParserMemory::current() { return current_memory; }

Result<void> ParserMemory::run(void (*parse)(void*), void* context) {
  deadline_ = std::chrono::steady_clock::now() + limits_.time_max;
  running_ = true;
  // Nothing in this frame needs destruction, and what is read after the jump was not changed since setjmp.
  const int why = setjmp(over_);
  if (why == 0) parse(context);
  running_ = false;
  if (why == static_cast<int>(Over::memory)) return fail(Code::too_large, "its markup takes too much memory to read");
  if (why == static_cast<int>(Over::time)) return fail(Code::too_large, "its markup takes too long to read");
  return {};
}

void ParserMemory::give_up(Over why) { std::longjmp(over_, static_cast<int>(why)); }

void ParserMemory::add_slab(std::size_t bytes_min) {
  // Doubling, so that small pages stay small and large ones need few slabs.
  const std::size_t usual = std::clamp(taken_, slab_bytes_min, slab_bytes_max);
  const std::size_t bytes = std::max(usual, bytes_min);
  if (running_ && taken_ + bytes > limits_.memory_bytes_max) give_up(Over::memory);
  // A jump out of push_back would leave the vector half changed, so the room for one more entry is made here.
  slabs_.reserve(slabs_.size() + 16);
  void* slab = std::malloc(bytes);
  if (slab == nullptr) {
    if (running_) give_up(Over::memory);
    std::abort();
  }
  slabs_.push_back(slab);
  taken_ += bytes;
  next_ = static_cast<char*>(slab);
  end_ = next_ + bytes;
}

void* ParserMemory::allocate(std::size_t bytes) {
  if (running_ && bytes > limits_.memory_bytes_max) give_up(Over::memory);
  if (running_ && (++calls_ % calls_per_clock_reading == 0 || bytes >= large_bytes))
    if (std::chrono::steady_clock::now() > deadline_) give_up(Over::time);
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  if (static_cast<std::size_t>(end_ - next_) < sizeof(Header) + rounded) add_slab(sizeof(Header) + rounded);
  auto* header = ::new (next_) Header{rounded};  // tidy: allow new, it places into the slab
  void* memory = header + 1;
  next_ += sizeof(Header) + rounded;
  std::memset(memory, 0, rounded);
  return memory;
}

void* ParserMemory::reallocate(void* old, std::size_t bytes) {
  if (old == nullptr) return allocate(bytes);
  auto* header = static_cast<Header*>(old) - 1;
  if (bytes <= header->bytes) return old;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  char* const behind = static_cast<char*>(old) + header->bytes;
  // The latest piece can grow where it is, which is how a buffer that is appended to mostly finds itself.
  if (behind == next_ && static_cast<std::size_t>(end_ - next_) >= rounded - header->bytes) {
    next_ += rounded - header->bytes;
    header->bytes = rounded;
    return old;
  }
  void* memory = allocate(bytes);
  std::memcpy(memory, old, header->bytes);
  return memory;
}

}  // namespace parley::knowledge
