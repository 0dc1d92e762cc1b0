#include "parley/identity/client_label.h"

#include <span>

#include "parley/base/literal.h"

namespace parley::identity {
namespace {

struct Word {
  Literal in_header;
  Literal label;
};

// The first that occurs counts: browsers name those they descend from behind themselves or claim to be them.
constexpr Word browsers[] = {{"Edg/", "Edge"},
                             {"EdgA/", "Edge"},
                             {"EdgiOS/", "Edge"},
                             {"OPR/", "Opera"},
                             {"SamsungBrowser/", "Samsung Internet"},
                             {"Vivaldi/", "Vivaldi"},
                             {"Firefox/", "Firefox"},
                             {"FxiOS/", "Firefox"},
                             {"CriOS/", "Chrome"},
                             {"Chromium/", "Chromium"},
                             {"Chrome/", "Chrome"},
                             {"Safari/", "Safari"}};
constexpr Word systems[] = {{"Android", "Android"}, {"iPhone", "iPhone"},   {"iPad", "iPad"},
                            {"CrOS", "ChromeOS"},   {"Windows", "Windows"}, {"Mac OS X", "macOS"},
                            {"Linux", "Linux"},     {"FreeBSD", "FreeBSD"}, {"OpenBSD", "OpenBSD"}};
constexpr Word programs[] = {{"curl/", "curl"}, {"Wget/", "Wget"}, {"python-requests/", "a Python program"}};

std::string_view label_in(std::string_view header, std::span<const Word> words) {
  for (const auto& word : words)
    if (header.find(word.in_header.view()) != std::string_view::npos) return word.label.view();
  return {};
}

}  // namespace

std::string client_label(std::string_view user_agent) {
  const auto header = user_agent.substr(0, user_agent_bytes_max);
  if (const auto program = label_in(header, programs); !program.empty()) return std::string(program);
  const auto browser = label_in(header, browsers);
  const auto system = label_in(header, systems);
  std::string label(browser.empty() ? "an unknown browser" : browser);
  if (!system.empty()) label.append(" on ").append(system);
  return label;
}

}  // namespace parley::identity
