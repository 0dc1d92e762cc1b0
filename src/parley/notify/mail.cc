#include "parley/notify/mail.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>

#include <fmt/format.h>

#include "parley/text/base64.h"
#include "parley/text/utf8.h"

namespace parley::notify {
namespace {

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool is_local_part(std::string_view text) {
  constexpr std::size_t characters_max = 64;
  if (text.empty() || text.size() > characters_max || text.front() == '.' || text.back() == '.') return false;
  if (text.contains("..")) return false;
  return std::ranges::all_of(
      text, [](char c) { return is_letter_or_digit(c) || std::string_view("!#$%&'*+-/=?^_`{|}~.").contains(c); });
}

bool is_host_name(std::string_view text) {
  for (bool more = true; more;) {
    const auto dot = text.find('.');
    more = dot != std::string_view::npos;
    const auto label = text.substr(0, dot);
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    if (!std::ranges::all_of(label, [](char c) { return is_letter_or_digit(c) || c == '-'; })) return false;
    text.remove_prefix(more ? dot + 1 : 0);
  }
  return true;
}

std::string base64_of(std::string_view bytes) {
  return text::to_base64(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

/// The subject as a header's value (RFC 2047).
std::string encode_subject(std::string_view given) {
  std::string subject = text::replace_invalid_utf8(given);
  for (char& c : subject)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  // Beside "Subject: " on one line of 78. What looks like an encoded word must be encoded, or it would be decoded.
  constexpr std::size_t plain_max = 66;
  const bool ascii = std::ranges::all_of(subject, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  const bool blanks = subject.starts_with(' ') || subject.ends_with(' ');
  if (ascii && !blanks && !subject.empty() && subject.size() <= plain_max && !subject.contains("=?")) return subject;
  // 39 bytes are 52 characters of base64; with their frame of twelve and "Subject: " the line has 73 of the 76 that a
  // line with encoded words may have.
  constexpr std::size_t word_bytes = 39;
  std::string out;
  for (std::string_view rest = subject; !rest.empty();) {
    const auto piece = text::truncate_to_bytes(rest, word_bytes);
    if (!out.empty()) out += "\r\n ";
    out += "=?UTF-8?B?" + base64_of(piece) + "?=";
    rest.remove_prefix(piece.size());
  }
  return out;
}

/// "Sun, 22 Nov 2026 10:06:43 +0000", whatever the machine's language.
std::string date_of(Timestamp at) {
  using namespace std::chrono;
  constexpr std::array days_of_week{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array months_of_year{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_time<microseconds> time{microseconds(at.micros)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<seconds>(time - day));
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} +0000", days_of_week[weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()), months_of_year[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

std::string encode_text(std::string_view given) {
  std::string lines;
  for (const char c : text::replace_invalid_utf8(given)) {
    if (c == '\r') continue;
    if (c == '\n') lines += '\r';
    lines += c;
  }
  constexpr std::size_t columns = 76;
  const std::string encoded = base64_of(lines);
  std::string out;
  for (std::size_t at = 0; at < encoded.size(); at += columns) out += encoded.substr(at, columns) + "\r\n";
  return out;
}

}  // namespace

Result<MailAddress> parse_mail_address(std::string_view text) {
  constexpr std::size_t characters_max = 254;
  const auto at = text.rfind('@');
  if (text.size() > characters_max || at == std::string_view::npos || !is_local_part(text.substr(0, at)) ||
      !is_host_name(text.substr(at + 1)))
    return fail(Code::invalid_argument, "not a mail address");
  std::string address(text);
  std::transform(address.begin() + static_cast<std::ptrdiff_t>(at), address.end(),
                 address.begin() + static_cast<std::ptrdiff_t>(at),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return MailAddress(std::move(address));
}

Result<std::string> compose(const Mail& mail, const MailAddress& from, Timestamp at, std::string_view id) {
  if (mail.subject.size() > subject_bytes_max) return fail(Code::too_large, "the subject is too long");
  if (mail.text.size() > text_bytes_max) return fail(Code::too_large, "the text is too long");
  return fmt::format(
      "Date: {}\r\n"
      "From: <{}>\r\n"
      "To: <{}>\r\n"
      "Message-ID: <{}@{}>\r\n"
      "Subject: {}\r\n"
      "MIME-Version: 1.0\r\n"
      "Content-Type: text/plain; charset=utf-8\r\n"
      "Content-Transfer-Encoding: base64\r\n"
      // So that nobody's "I am on holiday" answers it (RFC 3834).
      "Auto-Submitted: auto-generated\r\n"
      "\r\n"
      "{}",
      date_of(at), from.text(), mail.to.text(), id, from.domain(), encode_subject(mail.subject),
      encode_text(mail.text));
}

}  // namespace parley::notify
