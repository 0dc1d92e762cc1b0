#pragma once

#include <sys/resource.h>

#include <cstdint>

namespace parley::net {

/// What a thread's work is worth beside that of others.
enum class Priority : std::uint8_t {
  usual,
  /// Long computing that nobody sees the milliseconds of: it gives way to whatever answers a request, and still gets a
  /// tenth of a core beside it, so that a lock which it holds is given back.
  background,
};

/// For the calling thread alone, and for good: the kernel lets nobody take a higher priority back.
inline void take_priority(Priority priority) {
  constexpr int background_nice = 10;
  if (priority == Priority::usual) return;
  // 0 is the calling thread. A whole program that was started lower still stays there. That it fails means work at the
  // usual priority, which is only less polite.
  if (::getpriority(PRIO_PROCESS, 0) < background_nice) (void)::setpriority(PRIO_PROCESS, 0, background_nice);
}

}  // namespace parley::net
