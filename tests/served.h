#pragma once

#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/table_reader.h"
#include "testing/test_server.h"

namespace parley::scenarios {

/// A suite whose tests share one server, and each a client of its own; at the end the server's log and trails are
/// looked through for secrets. `Suite` is the suite itself, so that each has a server of its own.
template <class Suite>
class Served : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (testing::TestServer::available()) server_ = std::make_unique<testing::TestServer>();
  }
  static void TearDownTestSuite() {
    if (!server_) return;
    tables_.reset();
    EXPECT_THAT(server_->stop_and_find_leaks(), ::testing::IsEmpty());
    server_.reset();
  }
  void SetUp() override {
    if (!server_) GTEST_SKIP() << db::TestStore::why_not;
    client_.emplace(server_->port());
  }

  /// What the server's databases hold, read past it.
  static testing::TableReader& tables() {
    using Where = testing::TableReader::Where;
    if (!tables_)
      tables_.emplace(testing::TestServer::engine() == db::Engine::sqlite ? Where::sqlite : Where::postgres,
                      server_->data());
    return *tables_;
  }
  static void expect_no_problems(const testing::HttpAnswer& answer, const testing::TestServer::Expected& expected) {
    EXPECT_THAT(server_->problems_of(answer, expected), ::testing::IsEmpty()) << answer.head << "\n\n" << answer.body;
  }

  static inline std::unique_ptr<testing::TestServer> server_;
  static inline std::optional<testing::TableReader> tables_;
  std::optional<testing::HttpClient> client_;
};

/// Counts the cells of a table that is tried out, and prints the count when it is done.
class Cells {
 public:
  explicit Cells(std::string what) : what_(std::move(what)) {}
  ~Cells() {
    fmt::print("{}: {} cells run, {} failed\n", what_, run_, failed_);
    std::fflush(stdout);
  }
  Cells(const Cells&) = delete;
  Cells& operator=(const Cells&) = delete;

  /// One cell: whatever fails while `work` runs counts once, under this name.
  void operator()(const std::string& name, const auto& work) {
    const ::testing::ScopedTrace trace(__FILE__, __LINE__, name);
    ++run_;
    const auto* result = ::testing::UnitTest::GetInstance()->current_test_info()->result();
    const auto before = result->total_part_count();
    work();
    if (result->total_part_count() != before) ++failed_;
  }

 private:
  const std::string what_;
  int run_ = 0, failed_ = 0;
};

}  // namespace parley::scenarios
