#include "parley/api/web_files.h"

#include <span>

#include "parley/crypto/hash.h"

namespace parley::api {
namespace {

// Eight hexadecimal digits: enough that two versions of one file do not meet.
constexpr std::size_t digest_digits = 8;

Literal type_of(std::string_view name) {
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  if (name.ends_with(".woff2")) return "font/woff2";
  return "application/octet-stream";
}

bool is_page(const EmbeddedFile& file) { return file.name.ends_with(".html"); }

/// Of all assets together, and not one for each: a script names others, so its own name would depend on theirs, and
/// they might name each other.
std::string digest_of_assets(std::span<const EmbeddedFile> files) {
  std::string all;
  for (const auto& file : files)
    if (!is_page(file)) (all += crypto::sha256(file.bytes).hex()) += file.name;
  return crypto::sha256(all).hex().substr(0, digest_digits);
}

std::string served_name(const EmbeddedFile& file, std::string_view digest) {
  const auto dot = file.name.rfind('.');
  return std::string(file.name.substr(0, dot)) + "." + std::string(digest) + std::string(file.name.substr(dot));
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

}  // namespace

WebFiles::WebFiles(std::span<const EmbeddedFile> files) {
  const std::string digest = digest_of_assets(files);
  for (const auto& file : files) {
    std::string bytes(file.bytes);
    if (is_page(file) || file.name.ends_with(".js")) {
      // An attribute of a page, an import of a script.
      for (const char* quote : {"\"", "'"})
        for (const auto& named : files)
          if (!is_page(named))
            replace_all(bytes, "/assets/" + std::string(named.name) + quote,
                        "/assets/" + served_name(named, digest) + quote);
    }
    if (is_page(file)) pages_.emplace(file.name, std::move(bytes));
    else assets_.emplace(served_name(file, digest), WebFile{type_of(file.name), std::move(bytes)});
  }
}

const std::string& WebFiles::page(std::string_view name) const {
  static const std::string empty;
  const auto it = pages_.find(name);
  return it == pages_.end() ? empty : it->second;
}

const WebFile* WebFiles::find_asset(std::string_view name) const {
  const auto it = assets_.find(name);
  return it == assets_.end() ? nullptr : &it->second;
}

}  // namespace parley::api
