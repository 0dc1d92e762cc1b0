#include "parley/server/data_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

namespace parley::server {

Result<DataLock> DataLock::take(const std::filesystem::path& folder, std::chrono::milliseconds patience) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(Code::unavailable, "the data folder cannot be made", folder.string() + ": " + error.message());
  const auto file = folder / "lock";
  net::Descriptor opened(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!opened)
    return fail(Code::unavailable, "the data folder cannot be locked", file.string() + ": " + std::strerror(errno));
  // flock has no time-out of its own, and a signal to end it would reach every thread.
  constexpr std::chrono::milliseconds pause{50};
  for (; ::flock(opened.get(), LOCK_EX | LOCK_NB) != 0 && patience > pause; patience -= pause)
    std::this_thread::sleep_for(pause);
  if (::flock(opened.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Code::conflict, "another Parley is using this data folder", folder.string());
  return DataLock(std::move(opened));
}

}  // namespace parley::server
