#include "parley/log/log.h"

#include <array>
#include <limits>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "parley/log/line.h"
#include "parley/text/utf8.h"

namespace parley::log {
namespace {

using namespace std::string_literals;

std::string line_of(std::initializer_list<Field> fields) {
  return make_line({1'795'333'640'000'001}, Level::info, "tested", fields);
}

boost::json::object parsed(const std::string& line) { return boost::json::parse(line).as_object(); }

TEST(LogLine, HoldsTheEventAndItsFields) {
  const auto id = *RequestId::parse("01234567-89ab-4def-8123-456789abcdef");
  EXPECT_EQ(line_of({{"count", 3}, {"ratio", 0.5}, {"ok", true}, {"why", "because"}, {"id", id}}),
            R"({"at":"2026-11-22T07:47:20.000001Z","level":"info","event":"tested","count":3,"ratio":0.5,"ok":true,)"
            R"("why":"because","id":"01234567-89ab-4def-8123-456789abcdef"})"
            "\n");
}

TEST(LogLine, NumbersStayJson) {
  const auto line = line_of({{"nan", std::numeric_limits<double>::quiet_NaN()},
                             {"inf", std::numeric_limits<double>::infinity()},
                             {"big", 1e300},
                             {"most", std::numeric_limits<std::uint64_t>::max()},
                             {"least", std::numeric_limits<std::int64_t>::min()}});
  const auto object = parsed(line);
  EXPECT_TRUE(object.at("nan").is_null());
  EXPECT_TRUE(object.at("inf").is_null());
  EXPECT_EQ(object.at("big").as_double(), 1e300);
  EXPECT_EQ(object.at("most").as_int64(), std::numeric_limits<std::int64_t>::max()) << "clamped";
  EXPECT_EQ(object.at("least").as_int64(), std::numeric_limits<std::int64_t>::min());
}

TEST(LogLine, NothingSomebodyWritesBecomesASecondLineOrField) {
  const std::string attacks[] = {
      "a\r\n{\"level\":\"error\",\"event\":\"forged\"}",
      "\",\"event\":\"forged\",\"x\":\"",
      "\\",
      "\\\"",
      "\x1b[2J\x1b]0;title\x07",
      "nul\0after"s,
      "next line \xC2\x85 line separator \xE2\x80\xA8 paragraph \xE2\x80\xA9 csi \xC2\x9B"
      "31m del \x7f",
      "not utf-8 \xff\xfe \xC3( \xED\xA0\x80",
      "cut in a character \xF0\x9F",
  };
  for (const auto& attack : attacks) {
    const auto line = line_of({Field::operator_text("detail", attack)});
    EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
    EXPECT_TRUE(text::is_valid_utf8(line)) << line;
    for (const char c : line.substr(0, line.size() - 1)) {
      EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << line;
    }
    for (const char* separator : {"\xC2\x85", "\xC2\x9B", "\xE2\x80\xA8", "\xE2\x80\xA9"}) {
      EXPECT_EQ(line.find(separator), std::string::npos) << line;
    }
    const auto object = parsed(line);
    EXPECT_EQ(object.size(), 4) << line;
    EXPECT_EQ(object.at("event"), "tested");
    EXPECT_EQ(std::string(object.at("detail").as_string()), text::replace_invalid_utf8(attack));
  }
}

TEST(LogLine, OperatorTextIsBounded) {
  const auto line = line_of({Field::operator_text("detail", std::string(999, 'x') + "é" + std::string(100'000, 'y'))});
  EXPECT_EQ(parsed(line).at("detail").as_string(), std::string(999, 'x')) << "cut before the character, not in it";
}

TEST(Log, WritesToItsSinkAboveItsLevel) {
  set_sink(Sink::standard_error);
  testing::internal::CaptureStderr();
  write(Level::debug, "quiet", {});
  write(Level::info, "first", {{"n", 1}});
  set_level(Level::debug);
  write(Level::debug, "second", {});
  set_level(Level::error);
  write(Level::warning, "quiet", {});
  flush();
  set_sink(Sink::none);
  write(Level::error, "quiet", {});
  flush();
  const auto heard = testing::internal::GetCapturedStderr();
  set_level(Level::info);
  set_sink(Sink::standard_output);
  EXPECT_TRUE(heard.contains(R"("event":"first","n":1)")) << heard;
  EXPECT_TRUE(heard.contains(R"("event":"second")")) << heard;
  EXPECT_FALSE(heard.contains("quiet")) << heard;
}

TEST(Log, AReaderThatStallsCostsLinesNotTime) {
  constexpr std::size_t lines_written = 30'000;
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ::fcntl(ends[1], F_SETPIPE_SZ, 4096);
  const int real = ::dup(STDERR_FILENO);
  flush();
  ::dup2(ends[1], STDERR_FILENO);
  ::close(ends[1]);
  set_sink(Sink::standard_error);
  // Nobody reads yet: were a full queue to block, this loop would never end.
  for (std::size_t i = 0; i < lines_written; ++i) write(Level::info, "crowd", {});

  std::string heard;
  std::thread reader([&] {
    std::array<char, 65536> buffer;
    for (ssize_t n = 0; (n = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
      heard.append(buffer.data(), static_cast<std::size_t>(n));
    }
  });
  flush();
  write(Level::info, "after", {});
  flush();
  ::dup2(real, STDERR_FILENO);  // closes the pipe's last writing end
  ::close(real);
  reader.join();
  ::close(ends[0]);
  set_sink(Sink::standard_output);

  std::size_t crowd = 0;
  std::int64_t dropped = 0;
  std::istringstream lines(heard);
  for (std::string line; std::getline(lines, line);) {
    const auto object = parsed(line);
    if (object.at("event") == "crowd") ++crowd;
    if (object.at("event") == "log_lines_dropped") dropped += object.at("count").as_int64();
  }
  EXPECT_GT(dropped, 0);
  EXPECT_EQ(crowd + static_cast<std::size_t>(dropped), lines_written);
  EXPECT_TRUE(heard.contains("after"));
}

}  // namespace
}  // namespace parley::log
