#pragma once

#include <memory>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
    EXPECT_THAT(server_->stop_and_find_leaks(), ::testing::IsEmpty());
    server_.reset();
  }
  void SetUp() override {
    if (!server_) GTEST_SKIP() << db::TestStore::why_not;
    client_.emplace(server_->port());
  }

  static inline std::unique_ptr<testing::TestServer> server_;
  std::optional<testing::HttpClient> client_;
};

}  // namespace parley::scenarios
