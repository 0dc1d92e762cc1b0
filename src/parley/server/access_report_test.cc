#include "parley/server/access_report.h"

#include <gtest/gtest.h>

#include "testing/test_store.h"

namespace parley::server {
namespace {

class AccessReportTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Installation::open(folder_.path() / "data", Absent::create);
    ASSERT_TRUE(opened) << describe_for_operator(opened.error());
    at_ = *std::move(opened);
    for (const auto* name : {"zeta", "acme"}) {
      const auto tenant = at_->wait(at_->tenants->create(name));
      ASSERT_TRUE(tenant);
      tenants_.push_back(tenant->id);
    }
    identity::NewProject wanted{.name = "Docs", .slug = "docs"};
    wanted.access.visibility = Visibility::public_project;
    project_ = at_->wait(at_->tenants->create_project(tenants_[1], wanted))->id;
  }
  AccessReport report() {
    auto made = make_access_report(*at_);
    EXPECT_TRUE(made) << describe_for_operator(made.error());
    return made.value_or(AccessReport());
  }
  identity::CreatedKey make_key(std::string name) {
    return at_
        ->wait(at_->keys->create({.tenant = tenants_[1],
                                  .project = project_,
                                  .name = std::move(name),
                                  .scopes = {Scope::project_read},
                                  .origins = {}}))
        .value();
  }

  db::TemporaryFolder folder_;
  std::unique_ptr<Installation> at_;
  std::vector<TenantId> tenants_;
  ProjectId project_;
};

TEST_F(AccessReportTest, says_who_can_do_what_in_a_stable_order) {
  const auto b = make_key("b");
  make_key("a");
  ASSERT_TRUE(at_->wait(at_->keys->revoke(tenants_[1], b.record.id)));
  make_key("c");
  const auto made = report();
  const auto& organisations = made.report.at("organisations").as_array();
  ASSERT_EQ(organisations.size(), 2U);
  EXPECT_EQ(organisations[0].at("name").as_string(), "acme");
  const auto& keys = organisations[0].at("keys").as_array();
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0].at("name").as_string(), "a");
  EXPECT_EQ(keys[1].at("name").as_string(), "c");
  EXPECT_EQ(keys[0].at("project").as_string(), "docs");
  EXPECT_FALSE(keys[0].as_object().contains("key"));
  const auto text = to_text(made);
  EXPECT_NE(text.find("public project (docs)"), std::string::npos);
  EXPECT_EQ(text.find(b.record.id.to_string()), std::string::npos);
  EXPECT_NE(text.find(made.digest.hex()), std::string::npos);
}

TEST_F(AccessReportTest, the_digest_of_rights_changes_with_them_alone) {
  const auto key = make_key("a");
  const auto before = report();
  // Use is no right.
  ASSERT_TRUE(at_->wait(at_->keys->require(identity::parse_api_key(key.text.reveal()).value())));
  EXPECT_EQ(report().rights_digest, before.rights_digest);
  make_key("b");
  EXPECT_NE(report().rights_digest, before.rights_digest);
}

TEST_F(AccessReportTest, the_digest_is_over_the_report_as_it_is_printed) {
  auto made = report();
  auto bare = made.report;
  bare.erase("rights_digest");
  bare.erase("digest");
  EXPECT_EQ(crypto::sha256(boost::json::serialize(bare)), made.digest);
}

}  // namespace
}  // namespace parley::server
