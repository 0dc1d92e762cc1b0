// Whatever somebody types as an address, a subject or a text: the letter has the nine headers it always has, in their
// order, every line ends in CRLF and is ASCII of at most 78 columns (an address may be longer), and nothing of the
// input stands alone on a line of the head.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "parley/notify/mail.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace parley;
  const std::string_view all(size == 0 ? "" : reinterpret_cast<const char*>(data), size);
  // address NUL subject NUL text
  const auto first = all.find('\0');
  const auto second = first == std::string_view::npos ? first : all.find('\0', first + 1);
  const auto typed = all.substr(0, first);
  const auto subject = first == std::string_view::npos ? all : all.substr(first + 1, second - first - 1);
  const auto text = second == std::string_view::npos ? all : all.substr(second + 1);

  auto to = notify::parse_mail_address(typed);
  if (to) {
    for (const char c : to->text()) require(c > ' ' && c < 0x7f && c != '<' && c != '>' && c != ',' && c != ';');
    require(to->text().size() == typed.size());
  } else {
    to = notify::parse_mail_address("ann@example.com");
  }
  const auto from = notify::parse_mail_address("parley@sender.example");
  const auto letter = notify::compose({*to, std::string(subject), std::string(text)}, *from, {}, "1");
  if (!letter) {
    require(subject.size() > notify::subject_bytes_max || text.size() > notify::text_bytes_max);
    return 0;
  }

  constexpr std::array<std::string_view, 9> heads{
      "Date: ",          "From: ",         "To: ",           "Message-ID: ",
      "Subject: ",       "MIME-Version: ", "Content-Type: ", "Content-Transfer-Encoding: ",
      "Auto-Submitted: "};
  std::size_t head = 0;
  bool in_body = false;
  for (std::string_view rest = *letter; !rest.empty();) {
    const auto end = rest.find("\r\n");
    require(end != std::string_view::npos);
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    for (const char c : line) require(c >= ' ' && c < 0x7f);
    require(line.size() <= 78 || line.starts_with("To: "));
    if (in_body) {
      require(line.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") ==
              std::string_view::npos);
    } else if (line.empty()) {
      require(head == heads.size());
      in_body = true;
    } else if (line.starts_with(' ')) {
      require(head == 5 && line.starts_with(" =?UTF-8?B?") && line.ends_with("?="));  // only a subject goes on
    } else {
      require(head < heads.size() && line.starts_with(heads[head]));
      ++head;
    }
  }
  require(in_body);
  return 0;
}
