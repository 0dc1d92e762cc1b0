// Clients that hold on: slow senders and ten thousand idle connections, while others are served; and a disk that is
// full.
#include <poll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "bench/load.h"
#include "bench/server_process.h"

namespace parley::bench {
namespace {

namespace fs = std::filesystem;

LoadResult ask_for(std::uint16_t port, const Place& place, const Questions& questions, std::chrono::seconds time) {
  return run_load({.port = port, .connections = 10, .requests_max = 100'000, .time_max = time, .rate = 100},
                  [&](std::size_t n) { return chat_request(place.slug, place.key, questions.at(n)); });
}

/// Connections that send a byte a second: half within the head of a request, half within the body.
int slow_senders(std::uint16_t port, const Place& place, const Questions& questions, double alone_p95) {
  constexpr std::size_t senders = 500;
  std::vector<Connection> slow;
  for (std::size_t i = 0; i < senders; ++i) slow.emplace_back(port);
  const std::string head = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
  const std::string body = fmt::format(
      "POST /api/v1/chats/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Api-Key {}\r\nContent-Type: "
      "application/json\r\nContent-Length: 500\r\n\r\n{{",
      place.key);
  for (std::size_t i = 0; i < senders; ++i) (void)slow[i].send(i % 2 == 0 ? head : body);
  std::vector<double> lived_head, lived_body, times;
  std::vector<bool> ended(senders);
  std::size_t answered_408 = 0, others = 0;
  const auto begin = Time::now();
  // The longest time-out is 30 s, for a body.
  while (lived_head.size() + lived_body.size() < senders && milliseconds_since(begin) < 40'000) {
    const auto load = ask_for(port, place, questions, std::chrono::seconds(1));
    times.insert(times.end(), load.times_ms.begin(), load.times_ms.end());
    others += load.refused + load.broken;
    for (std::size_t i = 0; i < senders; ++i) {
      if (ended[i]) continue;
      const auto reply = slow[i].receive();
      if (reply || !slow[i].send("a")) {
        ended[i] = true;
        answered_408 += reply && reply->status == 408;
        (i % 2 == 0 ? lived_head : lived_body).push_back(milliseconds_since(begin) / 1000);
      }
    }
  }
  const bool held = lived_head.size() + lived_body.size() == senders && others == 0;
  report(fmt::format("{} slow senders are timed out", senders), held,
         fmt::format("heads after {:.0f} s, bodies after {:.0f} s, {} told 408; chats meanwhile p95 {:.1f} ms against "
                     "{:.1f} alone, {} failed",
                     median(lived_head), median(lived_body), answered_408, percentile(times, 0.95), alone_p95, others));
  return held ? 0 : 1;
}

int idle_connections(const ServerProcess& server, const Place& place, const Questions& questions, double alone_p95) {
  constexpr std::size_t wanted = 10'000;
  const auto before = memory_of(server.pid()).resident_bytes;
  std::vector<Connection> idle;
  const auto request = get_request("/healthz");
  for (std::size_t i = 0; i < wanted; ++i) {
    Connection connection(server.port());
    // Used once, as a browser's would be.
    if (connection.ask(request).status != 200) break;
    idle.push_back(std::move(connection));
  }
  if (idle.size() < wanted) {
    report(fmt::format("{} idle connections do not stop others", wanted), false,
           fmt::format("only {} could be opened: {}", idle.size(), std::strerror(errno)));
    return 1;
  }
  const auto grown = memory_of(server.pid()).resident_bytes - before;
  const auto load = ask_for(server.port(), place, questions, std::chrono::seconds(5));
  const bool held = load.refused + load.broken == 0 && load.times_ms.size() > 100;
  report(fmt::format("{} idle connections do not stop others", wanted), held,
         fmt::format("chats p95 {:.1f} ms against {:.1f} alone; {} bytes each", percentile(load.times_ms, 0.95),
                     alone_p95, grown / wanted));
  return held ? 0 : 1;
}

/// A file system of its own that can be filled up.
class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& at) : at_(at) {
    fs::create_directories(at);
    mounted_ = ::mount("parley-bench", at.c_str(), "tmpfs", 0, "size=24m,mode=0700") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool is_mounted() const { return mounted_; }
  const fs::path& path() const { return at_; }

  /// Takes the free space, all but so many bytes.
  void fill(std::uintmax_t leave) {
    const auto free = fs::space(at_).available;
    std::ofstream file(at_ / "filler", std::ios::binary | std::ios::app);
    const std::string block(4096, 'x');
    for (std::uintmax_t left = free > leave ? free - leave : 0; left >= block.size(); left -= block.size())
      file << block;
    file.flush();
  }
  void free() { fs::remove(at_ / "filler"); }

 private:
  fs::path at_;
  bool mounted_ = false;
};

int full_disk(const fs::path& program, const fs::path& scratch, const fs::path& documents, const Questions& questions) {
  SmallDisk disk(scratch / "disk");
  if (!disk.is_mounted()) {
    remark(fmt::format("full disk: skipped, a small file system cannot be mounted here ({})", std::strerror(errno)));
    return 0;
  }
  const auto data = disk.path() / "data";
  raise_limits(data);
  const auto place = make_place(program, data, "full", documents);
  ServerProcess server(program, data);
  disk.fill(400'000);
  Connection connection(server.port());
  std::vector<std::string> chats;
  std::size_t stored = 0, full = 0, wrong = 0;
  std::string refusal;
  const auto ask = [&](std::size_t n) {
    if (!connection.is_open()) {
      std::destroy_at(&connection);
      std::construct_at(&connection, server.port());
    }
    const auto reply = connection.ask(chat_request(place.slug, place.key, questions.at(n)));
    boost::system::error_code error;
    const auto value = boost::json::parse(reply.body, error);
    if (reply.status == 201) {
      ++stored;
      chats.emplace_back(value.at("chat_uuid").as_string());
    } else if (reply.status == 507 && !error && value.at("code") == "storage_full") {
      ++full;
      refusal = boost::json::serialize(value.at("error"));
    } else {
      remark(fmt::format("answered with {} {}", reply.status, reply.body));
      ++wrong;
    }
    return reply.status;
  };
  std::size_t n = 0;
  while (full < 20 && wrong < 5 && n < 5'000) ask(n++);
  const bool still_reads =
      connection.ask(get_request(fmt::format("/api/v1/projects/{}/search/?q=replica", place.slug), place.key)).status ==
      200;
  disk.free();
  const bool writes_again = ask(n++) == 201;
  // Each chat that was acknowledged takes a further message, which only its own stored row allows.
  server.kill();
  ServerProcess again(program, data);
  Connection after(again.port());
  std::size_t lost = 0;
  for (const auto& chat : chats)
    if (after.ask(chat_request(place.slug, place.key, "Is it still there?", chat)).status != 200) ++lost;
  const bool held = full >= 20 && wrong == 0 && writes_again && lost == 0;
  report("a full disk refuses writes and loses nothing", held,
         fmt::format("{} stored, {} refused with 507 storage_full {}, {} answered otherwise; search {}; after room was "
                     "made {}; {} lost after a kill and a start",
                     stored, full, refusal, wrong, still_reads ? "goes on" : "stops",
                     writes_again ? "writes again without a restart" : "DOES NOT WRITE AGAIN", lost));
  return held ? 0 : 1;
}

}  // namespace
}  // namespace parley::bench

int main(int argc, char** argv) {
  using namespace parley::bench;
  const auto program = option(argc, argv, "program").value_or("build/release/src/parley/parley");
  const auto documents = tigerbeetle_documents();
  if (!documents) return 0;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const Scratch scratch;
  const Questions questions;
  int broken = 0;
  {
    const auto data = scratch / "data";
    raise_limits(data);
    const auto place = make_place(program, data, "hostile", *documents);
    ServerProcess server(program, data);
    (void)ask_for(server.port(), place, questions, std::chrono::seconds(1));
    const double alone = percentile(ask_for(server.port(), place, questions, std::chrono::seconds(5)).times_ms, 0.95);
    broken += slow_senders(server.port(), place, questions, alone);
    broken += idle_connections(server, place, questions, alone);
    if (server.stop() != 0) ++broken;
  }
  broken += full_disk(program, scratch.path(), *documents, questions);
  return broken == 0 ? 0 : 1;
}
