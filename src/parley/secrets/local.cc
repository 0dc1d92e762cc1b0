#include "parley/secrets/local.h"

#include <cstdlib>
#include <fstream>

namespace parley::secrets {
namespace {

// A master key, a password, a connection string: none is longer.
constexpr std::size_t file_bytes_max = 64 * 1024;

}  // namespace

Result<Secret> read_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (!value || !*value) return fail(Code::not_found, "the environment has no such variable");
  return Secret(value);
}

Result<Secret> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Code::not_found, "the secret's file cannot be read");
  std::string value(file_bytes_max + 1, '\0');
  file.read(value.data(), static_cast<std::streamsize>(value.size()));
  value.resize(static_cast<std::size_t>(file.gcount()));
  if (value.size() > file_bytes_max) return fail(Code::too_large, "the secret's file is too large");
  while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.pop_back();
  if (value.empty()) return fail(Code::not_found, "the secret's file is empty");
  return Secret(std::move(value));
}

}  // namespace parley::secrets
