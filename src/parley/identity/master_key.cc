#include "parley/identity/master_key.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parley/net/descriptor.h"

namespace parley::identity {
namespace {

// 64 digits and white space; a larger file is not one of ours.
constexpr std::size_t key_file_bytes_max = 256;

using net::Descriptor;

std::string because(const std::filesystem::path& path, int error) {
  return path.string() + ": " + std::strerror(error);
}

Result<crypto::SealKey> read_key(const std::filesystem::path& path, const Descriptor& file) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0)
    return fail(Code::unavailable, "the master key file cannot be read", because(path, errno));
  if (!S_ISREG(status.st_mode))
    return fail(Code::invalid_argument, "the master key is not a plain file", path.string());
  if (status.st_uid != ::geteuid())
    return fail(Code::invalid_argument, "the master key file belongs to another user", path.string());
  if ((status.st_mode & 077U) != 0)
    return fail(Code::invalid_argument, "the master key file may be read by others: chmod 600 it", path.string());

  std::string text(key_file_bytes_max + 1, '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const auto got = ::read(file.get(), text.data() + length, text.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Code::unavailable, "the master key file cannot be read", because(path, errno));
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  text.resize(length);
  const Secret content(std::move(text));
  auto key = crypto::SealKey::parse(content);
  if (!key) return fail(std::move(key).error().with_detail(path.string()));
  return key;
}

// Written whole under another name, synced, then linked to its own: after a crash there is a whole key or none, and two
// processes starting at once end with the same one.
Result<void> create_key(const std::filesystem::path& folder, const std::filesystem::path& path,
                        crypto::Random& random) {
  const auto draft = folder / ("master.key." + crypto::random_slug(random));
  const auto give_up = [&](int error) {
    ::unlink(draft.c_str());
    return fail(error == ENOSPC ? Code::storage_full : Code::unavailable, "the master key file cannot be written",
                because(path, error));
  };
  {
    const Descriptor file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return give_up(errno);
    const Secret text = crypto::SealKey::make(random).to_hex();
    std::string_view rest = text.reveal();
    while (!rest.empty()) {
      const auto put = ::write(file.get(), rest.data(), rest.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return give_up(errno);
      rest.remove_prefix(static_cast<std::size_t>(put));
    }
    if (::write(file.get(), "\n", 1) != 1) return give_up(errno);
    if (::fsync(file.get()) != 0) return give_up(errno);
  }
  if (::link(draft.c_str(), path.c_str()) != 0 && errno != EEXIST) return give_up(errno);
  ::unlink(draft.c_str());
  // Without this the file's name may be gone after a power cut, and with it everything sealed under the key.
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0)
    return fail(Code::unavailable, "the folder of the master key cannot be synced", because(folder, errno));
  return {};
}

}  // namespace

Result<crypto::SealKey> load_master_key(const std::filesystem::path& folder, IfMissing if_missing,
                                        crypto::Random& random) {
  if (const char* text = std::getenv(master_key_variable)) {
    // Set but empty is a mistake in a deployment, not a wish for the file.
    auto key = crypto::SealKey::parse(Secret(text));
    if (!key) return fail(std::move(key).error().with_detail(master_key_variable));
    return key;
  }
  const auto path = folder / "master.key";
  for (int attempt = 0;; ++attempt) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (file) return read_key(path, file);
    if (errno == ELOOP) return fail(Code::invalid_argument, "the master key is not a plain file", path.string());
    if (errno != ENOENT || attempt > 0)
      return fail(Code::unavailable, "the master key file cannot be opened", because(path, errno));
    if (if_missing == IfMissing::refuse)
      return fail(Code::not_found, "the master key is missing",
                  std::string("set ") + master_key_variable + " or put back " + path.string());
    PARLEY_TRY(create_key(folder, path, random));
  }
}

}  // namespace parley::identity
