#include "parley/server/access_report.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "parley/identity/factor_rows.h"
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
    auto made = make_access_report(*at_, by());
    EXPECT_TRUE(made) << describe_for_operator(made.error());
    return made.value_or(AccessReport());
  }
  identity::CreatedKey make_key(std::string name, ReadableGroups groups = {}, std::string exception = {}) {
    identity::NewKey wanted{.tenant = tenants_[1],
                            .project = project_,
                            .name = std::move(name),
                            .scopes = {Scope::project_read},
                            .groups = std::move(groups),
                            .exception = std::move(exception)};
    if (!wanted.exception.empty()) wanted.lifetime = identity::key_exception_lifetime_max;
    return at_->wait(at_->keys->create(std::move(wanted))).value();
  }
  AccountId make_member(std::string email, identity::Role role) {
    const auto account = at_->wait(at_->accounts->create_without_password(std::move(email))).value().id;
    EXPECT_TRUE(at_->wait(at_->members->add(by(), tenants_[1], account, role)));
    return account;
  }
  template <class Work>
  void change(Work work) {
    const auto changed = at_->wait(at_->store->control().write(std::move(work)));
    ASSERT_TRUE(changed) << describe_for_operator(changed.error());
  }
  LocalOperator by() { return at_->local_operator(::geteuid()); }
  /// Uses it, as a request does.
  Async<> use(std::string key) {
    const std::string header = "Bearer " + key;
    auto asking = at_->authenticator->authenticate({.authorization = header,
                                                    .session = {},
                                                    .use = {},
                                                    .sender = {},
                                                    .client = boost::asio::ip::make_address("127.0.0.1")});
    auto caller = co_await std::move(asking);
    if (!caller) co_return fail(std::move(caller.error().error));
    co_return Result<void>();
  }
  static std::vector<std::string> findings_of(const AccessReport& made, std::string_view of) {
    std::vector<std::string> found;
    for (const auto& finding : made.report.at("findings").as_array())
      if (std::string_view(finding.at("of").as_string()) == of)
        found.emplace_back(std::string_view(finding.at("finding").as_string()));
    return found;
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
  ASSERT_TRUE(at_->wait(use(std::string(key.text.reveal()))));
  EXPECT_EQ(report().rights_digest, before.rights_digest);
  make_key("b");
  EXPECT_NE(report().rights_digest, before.rights_digest);
}

TEST_F(AccessReportTest, members_are_listed_with_their_grants_and_whether_a_second_factor_guards_them) {
  using namespace db::literals;
  const auto ann = make_member("ann@example.org", identity::Role::viewer);
  const auto bob = make_member("bob@example.org", identity::Role::administrator);
  const auto before = report();
  EXPECT_EQ(findings_of(before, "ann@example.org"), (std::vector<std::string>{"member without a second factor"}));
  change([&](db::ControlWriter& writer) {
    return identity::add_factor(ann, identity::FactorKind::totp, std::nullopt, at_->clock.now(), writer);
  });
  const auto with_factor = report();
  EXPECT_NE(with_factor.rights_digest, before.rights_digest);
  ASSERT_TRUE(at_->wait(at_->members->grant(identity::Doer::local(by()), tenants_[1], ann,
                                            {.project = project_, .role = identity::Role::maintainer})));
  const auto granted = report();
  EXPECT_NE(granted.rights_digest, with_factor.rights_digest);
  ASSERT_TRUE(at_->wait(at_->accounts->disable(by(), make_member("eve@example.org", identity::Role::viewer))));

  const auto made = report();
  const auto& members = made.report.at("organisations").at(0).at("members").as_array();
  ASSERT_EQ(members.size(), 3U);
  EXPECT_EQ(members[0].at("account").as_string(), ann.to_string());
  EXPECT_TRUE(members[0].at("second_factor").as_bool());
  EXPECT_EQ(boost::json::serialize(members[0].at("grants")), R"([{"project":"docs","role":"maintainer"}])");
  EXPECT_EQ(members[1].at("account").as_string(), bob.to_string());
  EXPECT_FALSE(members[1].at("second_factor").as_bool());
  EXPECT_TRUE(members[1].at("grants").as_array().empty());
  EXPECT_TRUE(members[2].at("disabled").as_bool());
  EXPECT_TRUE(findings_of(made, "ann@example.org").empty());
  EXPECT_EQ(findings_of(made, "bob@example.org").size(), 1U);
  // Who cannot sign in is not somebody to run after.
  EXPECT_TRUE(findings_of(made, "eve@example.org").empty());
  EXPECT_NE(to_text(made).find("maintainer on docs"), std::string::npos);

  EXPECT_FALSE(made.report.at("organisations").at(0).at("second_factor_required").as_bool());
  ASSERT_TRUE(at_->wait(at_->members->set_second_factor_rule(identity::Doer::local(by()), tenants_[1],
                                                             identity::SecondFactorRule::required)));
  const auto required = report();
  EXPECT_TRUE(required.report.at("organisations").at(0).at("second_factor_required").as_bool());
  EXPECT_FALSE(required.report.at("organisations").at(1).at("second_factor_required").as_bool());
  EXPECT_NE(required.rights_digest, made.rights_digest);
}

TEST_F(AccessReportTest, a_keys_groups_exception_and_idleness_are_told) {
  using namespace db::literals;
  const auto plain = make_key("plain").record.id;
  const auto grouped = make_key("grouped", {.names = {"staff", "ops"}}).record.id;
  const auto all = make_key("wide", {.extent = ReadableGroups::Extent::all}).record.id;
  const auto long_lived = make_key("yearly", {}, "runs once a year").record.id;
  const auto before = report();
  change([&](db::ControlWriter& writer) -> Result<void> {
    PARLEY_TRY(writer.run("UPDATE api_keys SET created_at = $2 WHERE id = $1"_sql, plain,
                          at_->clock.now() - identity::key_idle_max));
    return {};
  });
  const auto made = report();
  const auto& keys = made.report.at("organisations").at(0).at("keys").as_array();
  ASSERT_EQ(keys.size(), 4U);
  EXPECT_EQ(boost::json::serialize(keys[0].at("groups")), R"(["ops","staff"])");
  EXPECT_EQ(keys[0].at("state").as_string(), "active");
  EXPECT_FALSE(keys[0].as_object().contains("exception"));
  EXPECT_TRUE(keys[1].at("groups").as_array().empty());
  EXPECT_EQ(keys[1].at("state").as_string(), "idle");
  EXPECT_EQ(keys[1].at("idle_days").as_int64(), 30);
  EXPECT_EQ(boost::json::serialize(keys[2].at("groups")), R"(["*"])");
  EXPECT_EQ(keys[3].at("exception").at("reason").as_string(), "runs once a year");
  EXPECT_TRUE(findings_of(made, grouped.to_string()).empty());
  EXPECT_TRUE(findings_of(before, plain.to_string()).empty());
  const auto of_plain = findings_of(made, plain.to_string());
  EXPECT_EQ(std::ranges::count(of_plain, "key not used for 30 days"), 1);
  EXPECT_EQ(findings_of(made, all.to_string()), (std::vector<std::string>{"key reads the documents of every group"}));
  EXPECT_EQ(findings_of(made, long_lived.to_string()), (std::vector<std::string>{"key may live longer than 90 days"}));
  // Whoever manages keys can switch it on again, so it has its rights still.
  EXPECT_EQ(made.rights_digest, before.rights_digest);
  EXPECT_NE(to_text(made).find("runs once a year"), std::string::npos);
}

TEST_F(AccessReportTest, the_sites_of_a_project_are_rights) {
  const auto before = report();
  ASSERT_TRUE(at_->wait(at_->tenants->set_access(
      tenants_[1], project_,
      {.visibility = Visibility::public_project, .origins = {"https://b.example.org", "https://*.a.example.org"}})));
  const auto made = report();
  const auto& project = made.report.at("organisations").at(0).at("projects").at(0);
  EXPECT_EQ(boost::json::serialize(project.at("origins")), R"(["https://*.a.example.org","https://b.example.org"])");
  EXPECT_NE(made.rights_digest, before.rights_digest);
  EXPECT_NE(to_text(made).find("sites: https://*.a.example.org, https://b.example.org"), std::string::npos);
}

TEST_F(AccessReportTest, providers_that_let_people_in_are_told_with_the_roles_they_give) {
  const auto before = report();
  ASSERT_TRUE(at_->wait(at_->providers->create({.tenant = tenants_[1],
                                                .name = "Example Login",
                                                .issuer = "https://id.example.org",
                                                .client_id = "parley",
                                                .authentication = identity::ClientAuthentication::none,
                                                .group_roles = {{"docs", identity::Role::editor}},
                                                .email_domains = {"example.org"},
                                                .default_role = identity::Role::viewer,
                                                .creates_accounts = true})));
  const auto made = report();
  const auto& provider = made.report.at("organisations").at(0).at("sign_in_providers").at(0);
  EXPECT_EQ(provider.at("roles_of_groups").at("docs").as_string(), "editor");
  EXPECT_EQ(provider.at("default_role").as_string(), "viewer");
  EXPECT_EQ(findings_of(made, "Example Login"), (std::vector<std::string>{"sign-in provider makes accounts"}));
  EXPECT_NE(made.rights_digest, before.rights_digest);
  EXPECT_NE(to_text(made).find("group docs is editor"), std::string::npos);
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
