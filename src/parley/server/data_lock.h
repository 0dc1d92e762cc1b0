#pragma once

#include <chrono>
#include <filesystem>

#include "parley/base/result.h"
#include "parley/net/descriptor.h"

namespace parley::server {

/// Holds a data folder for this process, by flock on `DIR/lock`: two programs writing one folder would lose data. The
/// kernel lets go of it when the process ends, however it ends.
class DataLock {
 public:
  /// Makes the folder if it is not there. Waits for up to `patience` while another process holds it, then
  /// `conflict`.
  static Result<DataLock> take(const std::filesystem::path& folder, std::chrono::milliseconds patience = {});

 private:
  explicit DataLock(net::Descriptor file) : file_(std::move(file)) {}
  net::Descriptor file_;
};

}  // namespace parley::server
