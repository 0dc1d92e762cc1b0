#pragma once

#include <filesystem>

#include "parley/base/result.h"

namespace parley::server {

/// Holds a data folder for this process, by flock on `DIR/lock`: two programs writing one folder would lose data. The
/// kernel lets go of it when the process ends, however it ends.
class DataLock {
 public:
  /// Makes the folder (0700) if it is not there. `conflict` if another process holds it.
  static Result<DataLock> take(const std::filesystem::path& folder);

  DataLock(DataLock&& other) noexcept;
  DataLock& operator=(DataLock&& other) noexcept;
  ~DataLock();

 private:
  explicit DataLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace parley::server
