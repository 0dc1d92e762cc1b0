#include "parley/log/log.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>

#include <poll.h>
#include <unistd.h>

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/base_sink.h>

#include "parley/log/line.h"
#include "parley/text/utf8.h"

namespace parley::log {
namespace {

constexpr std::size_t operator_text_bytes_max = 1'000;
// At some 300 bytes a line, 2.5 MB at most while a slow reader of our output catches up.
constexpr std::size_t queue_lines_max = 8'192;
constexpr std::chrono::milliseconds flush_retry{100};
constexpr int flush_tries_max = 50;

Timestamp now() {
  return {std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
              .count()};
}

/// Writes finished lines to a descriptor, on spdlog's thread.
class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LineSink(std::weak_ptr<spdlog::details::thread_pool> pool) : pool_(std::move(pool)) {}

  void set_descriptor(int descriptor) { descriptor_.store(descriptor, std::memory_order_relaxed); }

  std::uint64_t flushes() {
    const std::lock_guard lock(flush_mutex_);
    return flushes_;
  }
  bool wait_for_flush_after(std::uint64_t seen, std::chrono::milliseconds patience) {
    std::unique_lock lock(flush_mutex_);
    return flushed_.wait_for(lock, patience, [&] { return flushes_ > seen; });
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    report_dropped();
    write_whole({message.payload.data(), message.payload.size()});
  }

  void flush_() override {
    report_dropped();
    {
      const std::lock_guard lock(flush_mutex_);
      ++flushes_;
    }
    flushed_.notify_all();
  }

  void report_dropped() {
    const auto pool = pool_.lock();
    if (!pool) return;
    const auto dropped = pool->overrun_counter();
    if (dropped == dropped_reported_) return;
    write_whole(make_line(now(), Level::warning, "log_lines_dropped",
                          {{"count", static_cast<std::int64_t>(dropped - dropped_reported_)}}));
    dropped_reported_ = dropped;
  }

  void write_whole(std::string_view line) const {
    const int descriptor = descriptor_.load(std::memory_order_relaxed);
    if (descriptor < 0) return;
    while (!line.empty()) {
      const auto written = ::write(descriptor, line.data(), line.size());
      if (written > 0) {
        line.remove_prefix(static_cast<std::size_t>(written));
      } else if (written < 0 && errno == EAGAIN) {
        pollfd writable{descriptor, POLLOUT, 0};
        ::poll(&writable, 1, -1);
      } else if (written < 0 && errno != EINTR) {
        return;  // nobody to tell
      }
    }
  }

  std::weak_ptr<spdlog::details::thread_pool> pool_;
  std::atomic<int> descriptor_{STDOUT_FILENO};
  std::size_t dropped_reported_ = 0;
  std::mutex flush_mutex_;
  std::condition_variable flushed_;
  std::uint64_t flushes_ = 0;
};

struct Logger {
  std::shared_ptr<spdlog::details::thread_pool> pool =
      std::make_shared<spdlog::details::thread_pool>(queue_lines_max, 1);
  std::shared_ptr<LineSink> sink = std::make_shared<LineSink>(pool);
  // The oldest goes when the queue is full: blocking would let whoever reads our output stop the server.
  std::shared_ptr<spdlog::async_logger> lines =
      std::make_shared<spdlog::async_logger>("parley", sink, pool, spdlog::async_overflow_policy::overrun_oldest);
  std::atomic<Level> level{Level::info};
};

Logger& logger() {
  // Never destroyed: something may log while the program's other statics go.
  static Logger* const the = [] {
    auto* made = new Logger;  // tidy: allow new, it lives until the process ends
    made->lines->set_level(spdlog::level::trace);
    std::atexit(flush);
    return made;
  }();
  return *the;
}

}  // namespace

Field Field::operator_text(Literal name, std::string_view text) {
  return Field(name, OperatorText{std::string(text::truncate_to_bytes(text, operator_text_bytes_max))});
}

void write(Level level, Literal event, std::initializer_list<Field> fields) {
  auto& to = logger();
  if (level < to.level.load(std::memory_order_relaxed)) return;
  try {
    const auto line = make_line(now(), level, event, fields);
    to.lines->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
  } catch (const std::exception&) {
    // Out of memory: a lost line is better than a caller that must handle a failing log.
  }
}

void set_sink(Sink sink) {
  logger().sink->set_descriptor(sink == Sink::standard_output  ? STDOUT_FILENO
                                : sink == Sink::standard_error ? STDERR_FILENO
                                                               : -1);
}

void set_sink_descriptor(int descriptor) { logger().sink->set_descriptor(descriptor); }

void set_level(Level level) { logger().level.store(level, std::memory_order_relaxed); }

void flush() {
  auto& from = logger();
  const auto seen = from.sink->flushes();
  // Newer lines may push the flush itself out of a full queue, hence more than one try.
  for (int i = 0; i < flush_tries_max; ++i) {
    auto lines = from.lines;  // post_flush takes it by rvalue
    from.pool->post_flush(std::move(lines), spdlog::async_overflow_policy::block);
    if (from.sink->wait_for_flush_after(seen, flush_retry)) return;
  }
}

}  // namespace parley::log
