#include "parley/server/admin_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include <boost/json.hpp>

#include <fmt/format.h>

#include "parley/log/log.h"
#include "parley/net/descriptor.h"
#include "parley/text/utf8.h"

namespace parley::server {
namespace {

using net::Descriptor;

namespace json = boost::json;

// A command line and a working folder; Linux itself allows 2 MB of arguments, which nobody types.
constexpr std::size_t command_bytes_max = 256 * 1024;
// Commands are an operator's: four at once is two terminals and a timer, with one to spare.
constexpr int commands_at_once_max = 4;
// One framed piece of output; longer ones are parted.
constexpr std::size_t frame_bytes_max = 64 * 1024;

/// The address of the socket in `data`. sun_path holds 108 bytes, fewer than a path may have, so the folder is named by
/// an open descriptor of it: /proc/self/fd/7/admin.sock. `folder` must stay open while the address is in use.
Result<sockaddr_un> address_in(const Descriptor& folder) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/admin.sock", folder.get());
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Result<Descriptor> open_folder(const std::filesystem::path& data) {
  Descriptor folder(::open(data.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail(Code::not_found, "the data folder cannot be opened", data.string());
  return folder;
}

std::unexpected<Error> system_error(Literal what) { return fail(Code::unavailable, what, std::strerror(errno)); }

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// Reads lines of JSON.
class LineReader {
 public:
  explicit LineReader(int fd, std::size_t bytes_max) : fd_(fd), bytes_max_(bytes_max) {}

  /// None at the end, or for a line longer than allowed.
  std::optional<std::string> next() {
    for (;;) {
      const auto end = buffer_.find('\n');
      if (end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      if (buffer_.size() > bytes_max_) return std::nullopt;
      char chunk[16 * 1024];
      const auto count = ::recv(fd_, chunk, sizeof chunk, 0);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return std::nullopt;
      buffer_.append(chunk, static_cast<std::size_t>(count));
    }
  }

 private:
  int fd_;
  std::size_t bytes_max_;
  std::string buffer_;
};

class SocketOutput final : public Output {
 public:
  SocketOutput(int fd, bool is_terminal, const std::atomic<bool>& stopping)
      : fd_(fd), is_terminal_(is_terminal), stopping_(stopping) {}

  void out(std::string_view text) override { send("out", text); }
  void err(std::string_view text) override { send("err", text); }
  bool is_terminal() const override { return is_terminal_; }
  bool cancelled() const override {
    // The other side sends nothing after its command, so anything readable is its end.
    pollfd entry{.fd = fd_, .events = POLLRDHUP, .revents = 0};
    return gone_ || stopping_ || (::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0);
  }
  void exit(int status) { gone_ = !send_all(fd_, json::serialize(json::object{{"exit", status}}) + "\n"); }

 private:
  void send(std::string_view channel, std::string_view text) {
    // JSON carries UTF-8 alone: a file's name may be anything, and a cut must not fall into a character.
    const std::string valid = text::replace_invalid_utf8(text);
    for (std::string_view rest = valid; !rest.empty() && !gone_;) {
      const auto piece = text::truncate_to_bytes(rest, frame_bytes_max);
      gone_ = !send_all(fd_, json::serialize(json::object{{channel, piece}}) + "\n");
      rest.remove_prefix(piece.size());
    }
  }

  int fd_;
  bool is_terminal_;
  const std::atomic<bool>& stopping_;
  bool gone_ = false;
};

std::optional<AdminCommand> parse_command(std::string_view line) {
  boost::system::error_code error;
  const auto value = json::parse(line, error);
  const auto* object = error ? nullptr : value.if_object();
  if (!object) return std::nullopt;
  const auto* arguments = object->if_contains("arguments");
  const auto* folder = object->if_contains("folder");
  const auto* terminal = object->if_contains("terminal");
  if (!arguments || !arguments->is_array() || !folder || !folder->is_string()) return std::nullopt;
  AdminCommand command{.arguments = {},
                       .folder = std::string(folder->get_string()),
                       .is_terminal = terminal && terminal->is_bool() && terminal->get_bool()};
  for (const auto& argument : arguments->get_array()) {
    if (!argument.is_string()) return std::nullopt;
    command.arguments.emplace_back(argument.get_string());
  }
  return command;
}

class Listener final : public AdminSocket {
 public:
  Listener(std::filesystem::path path, Descriptor socket, Descriptor wake_read, Descriptor wake_write,
           AdminHandler handler)
      : path_(std::move(path)),
        socket_(std::move(socket)),
        wake_read_(std::move(wake_read)),
        wake_write_(std::move(wake_write)),
        handler_(std::move(handler)),
        thread_([this] { accept_all(); }) {}

  ~Listener() override {
    stopping_ = true;
    (void)!::write(wake_write_.get(), "x", 1);
    thread_.join();
    // Commands end by themselves, or at the next point where they ask whether to go on.
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return running_ == 0; });
    std::error_code error;
    std::filesystem::remove(path_, error);
  }

 private:
  void accept_all() {
    while (!stopping_) {
      std::array<pollfd, 2> entries{pollfd{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                                    pollfd{.fd = wake_read_.get(), .events = POLLIN, .revents = 0}};
      if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) return;
      if (stopping_) return;
      Descriptor client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client) start(std::move(client));
      // Out of descriptors: the caller stays in the queue, and asking again at once would only burn a core.
      else if (errno == EMFILE || errno == ENFILE) (void)::poll(&entries[1], 1, 250);
    }
  }

  void start(Descriptor client) {
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(client.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return;
    if (peer.uid != 0 && peer.uid != ::geteuid()) {
      log::write(log::Level::warning, "admin_refused", {{"uid", std::int64_t{peer.uid}}});
      return;
    }
    {
      const std::scoped_lock lock(mutex_);
      if (running_ >= commands_at_once_max) {
        SocketOutput output(client.get(), false, stopping_);
        output.err("too many commands are running on this server; try again\n");
        output.exit(1);
        return;
      }
      ++running_;
    }
    std::thread([this, uid = peer.uid, connection = std::move(client)]() mutable {
      run(connection, uid);
      {
        const Descriptor closed = std::move(connection);
      }
      const std::scoped_lock lock(mutex_);
      --running_;
      idle_.notify_all();
    }).detach();
  }

  void run(const Descriptor& client, std::uint32_t uid) {
    // Whoever connects and says nothing must not hold one of the few places.
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    // Nor may a stopped terminal hold up a command, and with it a stopping server.
    ::setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const auto line = LineReader(client.get(), command_bytes_max).next();
    auto command = line ? parse_command(*line) : std::nullopt;
    if (!command) return;
    command->uid = uid;
    SocketOutput output(client.get(), command->is_terminal, stopping_);
    try {
      output.exit(handler_(*command, output));
    } catch (const std::exception& error) {
      // A command that fails in a way nobody thought of must not take the server with it.
      log::write(log::Level::error, "command_failed", {log::Field::operator_text("detail", error.what())});
      output.err("the command failed; the server's log says why\n");
      output.exit(1);
    }
  }

  std::filesystem::path path_;
  Descriptor socket_, wake_read_, wake_write_;
  AdminHandler handler_;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::condition_variable idle_;
  int running_ = 0;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<AdminSocket>> AdminSocket::listen(const std::filesystem::path& data, AdminHandler handler) {
  const auto folder = PARLEY_TRY(open_folder(data));
  const auto address = PARLEY_TRY(address_in(folder));
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return system_error("the admin socket cannot be made");
  // One left by a process that was killed; whoever holds the data folder's lock is the only one who may be here.
  std::error_code ignored;
  std::filesystem::remove(data / "admin.sock", ignored);
  // Its mode comes from the process's umask, which `main` sets to 0077: there is no moment at which others could
  // connect.
  const int bound = ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (bound != 0 || ::listen(socket.get(), 8) != 0) return system_error("the admin socket cannot be bound");
  std::error_code error;
  std::filesystem::permissions(data / "admin.sock",
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, error);
  if (error) return fail(Code::unavailable, "the admin socket cannot be made private", error.message());
  int wake[2];
  if (::pipe2(wake, O_CLOEXEC) != 0) return system_error("the admin socket cannot be made");
  std::unique_ptr<AdminSocket> listener = std::make_unique<Listener>(
      data / "admin.sock", std::move(socket), Descriptor(wake[0]), Descriptor(wake[1]), std::move(handler));
  return listener;
}

Result<std::optional<int>> call_admin(const std::filesystem::path& data, const AdminCommand& command, Output& output) {
  std::error_code ignored;
  if (!std::filesystem::exists(data / "admin.sock", ignored)) return std::nullopt;
  const auto folder = PARLEY_TRY(open_folder(data));
  const auto address = PARLEY_TRY(address_in(folder));
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return system_error("the admin socket cannot be opened");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ECONNREFUSED || errno == ENOENT) return std::nullopt;  // left by a process that was killed
    return system_error("the server of this folder cannot be reached");
  }
  json::array arguments;
  for (const auto& argument : command.arguments) arguments.emplace_back(argument);
  const json::object request{
      {"arguments", std::move(arguments)}, {"folder", command.folder.string()}, {"terminal", command.is_terminal}};
  if (!send_all(socket.get(), json::serialize(request) + "\n")) return system_error("the server closed the connection");
  LineReader lines(socket.get(), 8 * frame_bytes_max);
  while (const auto line = lines.next()) {
    boost::system::error_code error;
    const auto value = json::parse(*line, error);
    const auto* frame = error ? nullptr : value.if_object();
    if (!frame) break;
    if (const auto* text = frame->if_contains("out"); text && text->is_string()) output.out(text->get_string());
    if (const auto* text = frame->if_contains("err"); text && text->is_string()) output.err(text->get_string());
    if (const auto* status = frame->if_contains("exit"); status && status->is_int64())
      return static_cast<int>(status->get_int64());
  }
  return fail(Code::unavailable, "the server ended before the command did");
}

}  // namespace parley::server
