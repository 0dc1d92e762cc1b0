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

std::string served_name(const EmbeddedFile& file) {
  const auto dot = file.name.rfind('.');
  const std::string digest = crypto::sha256(file.bytes).hex().substr(0, digest_digits);
  return std::string(file.name.substr(0, dot)) + "." + digest + std::string(file.name.substr(dot));
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

}  // namespace

WebFiles::WebFiles(std::span<const EmbeddedFile> files) {
  for (const auto& file : files) {
    if (file.name.ends_with(".html")) pages_.emplace(file.name, file.bytes);
    else assets_.emplace(served_name(file), WebFile{type_of(file.name), std::string(file.bytes)});
  }
  for (auto& [page, html] : pages_) {
    for (const auto& file : files) {
      if (file.name.ends_with(".html")) continue;
      replace_all(html, "/assets/" + std::string(file.name) + "\"", "/assets/" + served_name(file) + "\"");
    }
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
