#include "parley/chat/chat_store.h"

#include <gtest/gtest.h>

#include "parley/crypto/random.h"
#include "testing/test_store.h"

namespace parley::chat {
namespace {

using namespace db::literals;

class ChatStoreContract : public testing::TestWithParam<db::Engine> {
 protected:
  void SetUp() override {
    auto opened = db::TestStore::open(GetParam(), db::compiled_migrations());
    if (!opened) GTEST_SKIP() << describe_for_operator(opened.error());
    test_store_ = *std::move(opened);
    for (const auto tenant : {acme_, zeta_}) {
      ASSERT_TRUE(store().create_tenant(tenant));
      ASSERT_TRUE(write(tenant, [&](db::TenantWriter& db) -> Result<void> {
        PARLEY_TRY(
            db.run("INSERT INTO projects (id, slug, name, is_private, settings, created_at, updated_at) "
                   "VALUES ($1, 'docs', 'Docs', 0, '{}', 1, 1)"_sql,
                   project_));
        return {};
      }));
    }
  }

  db::Store& store() { return test_store_->store(); }
  Result<void> write(TenantId tenant, auto work) { return store().tenant(tenant).write_blocking(std::move(work)); }
  auto read(TenantId tenant, auto work) { return store().tenant(tenant).read_blocking(std::move(work)); }

  StoredMessage message(Sender sender, std::string text) {
    return {.id = crypto::random_id<MessageId>(),
            .sender = sender,
            .text = std::move(text),
            .citations = {},
            .answered = {},
            .at = {5}};
  }
  Result<void> begin(TenantId tenant, ChatId chat) {
    return write(tenant, [&](db::TenantWriter& db) {
      return insert_chat(db, key_, chat, project_, "visitor:1", {.page_url = "https://docs.example.org/"}, {1});
    });
  }
  Result<void> append(TenantId tenant, ChatId chat, const std::vector<StoredMessage>& messages) {
    return write(tenant, [&](db::TenantWriter& db) { return append_messages(db, key_, chat, messages, {2}); });
  }

  std::unique_ptr<db::TestStore> test_store_;
  const TenantId acme_ = crypto::random_id<TenantId>();
  const TenantId zeta_ = crypto::random_id<TenantId>();
  const ProjectId project_ = crypto::random_id<ProjectId>();
  const crypto::SealKey key_ = crypto::SealKey::make();
  const ChatId chat_ = crypto::random_id<ChatId>();
};

TEST_P(ChatStoreContract, messages_come_back_in_the_order_they_were_written_with_their_citations) {
  ASSERT_TRUE(begin(acme_, chat_));
  auto answer = message(Sender::ai, "Yes.");
  answer.answered = true;
  answer.citations = {{"Start", "start.md#a", "Yes, it \"does\"."}, {"End", "end.md", ""}};
  ASSERT_TRUE(append(acme_, chat_, {message(Sender::user, "Does it?"), answer}));
  ASSERT_TRUE(append(acme_, chat_, {message(Sender::user, "And then? \xc3\xa9\n\t")}));

  const auto messages = read(acme_, [&](db::TenantReader& db) { return load_messages(db, key_, chat_); });
  ASSERT_TRUE(messages) << describe_for_operator(messages.error());
  ASSERT_EQ(messages->size(), 3U);
  EXPECT_EQ((*messages)[0].text, "Does it?");
  EXPECT_EQ((*messages)[1].citations.size(), 2U);
  EXPECT_EQ((*messages)[1].citations[0].quote, "Yes, it \"does\".");
  EXPECT_EQ((*messages)[1].answered, true);
  EXPECT_EQ((*messages)[2].text, "And then? \xc3\xa9\n\t");
  EXPECT_EQ((*messages)[2].answered, std::nullopt);
}

TEST_P(ChatStoreContract, what_people_wrote_is_not_in_the_tables) {
  ASSERT_TRUE(begin(acme_, chat_));
  ASSERT_TRUE(append(acme_, chat_, {message(Sender::user, "xylophone quartz")}));
  std::string all;
  ASSERT_TRUE(read(acme_, [&](db::TenantReader& db) -> Result<void> {
    PARLEY_TRY(db.each("SELECT content FROM messages"_sql, [&](const db::Row& row) { all += row.blob(0); }));
    return db.each("SELECT details, owner FROM chats"_sql, [&](const db::Row& row) {
      all += row.blob(0);
      all += row.text(1);
    });
  }));
  EXPECT_EQ(all.find("xylophone"), std::string::npos);
  EXPECT_EQ(all.find("docs.example.org"), std::string::npos);
}

TEST_P(ChatStoreContract, an_envelope_opens_only_in_the_message_and_chat_it_was_written_for) {
  const ChatId other = crypto::random_id<ChatId>();
  ASSERT_TRUE(begin(acme_, chat_));
  ASSERT_TRUE(begin(acme_, other));
  ASSERT_TRUE(append(acme_, chat_, {message(Sender::user, "mine")}));
  ASSERT_TRUE(write(acme_, [&](db::TenantWriter& db) -> Result<void> {
    PARLEY_TRY(db.run("UPDATE messages SET chat_id = $1"_sql, other));
    return {};
  }));
  const auto moved = read(acme_, [&](db::TenantReader& db) { return load_messages(db, key_, other); });
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code(), Code::data_corrupt);
}

TEST_P(ChatStoreContract, a_chat_is_its_owners_in_its_project_and_nobody_elses) {
  ASSERT_TRUE(begin(acme_, chat_));
  const auto code = [&](TenantId tenant, ChatId chat, ProjectId project, const std::string& owner) {
    const auto found = read(tenant, [&](db::TenantReader& db) { return load_own_chat(db, chat, project, owner, {2}); });
    return found ? std::nullopt : std::optional(found.error().code());
  };
  EXPECT_EQ(code(acme_, chat_, project_, "visitor:1"), std::nullopt);
  EXPECT_EQ(code(acme_, chat_, project_, "visitor:2"), Code::not_found);
  EXPECT_EQ(code(acme_, chat_, crypto::random_id<ProjectId>(), "visitor:1"), Code::not_found);
  EXPECT_EQ(code(zeta_, chat_, project_, "visitor:1"), Code::not_found);
  EXPECT_EQ(code(acme_, crypto::random_id<ChatId>(), project_, "visitor:1"), Code::not_found);
}

TEST_P(ChatStoreContract, a_chat_that_belongs_to_nobody_is_gone_a_day_after_its_last_message) {
  const auto at = [&](const std::string& owner, std::chrono::microseconds later) {
    const ChatId chat = crypto::random_id<ChatId>();
    EXPECT_TRUE(
        write(acme_, [&](db::TenantWriter& db) { return insert_chat(db, key_, chat, project_, owner, {}, {1}); }));
    return read(acme_,
                [&](db::TenantReader& db) { return load_own_chat(db, chat, project_, owner, Timestamp{1} + later); })
        .has_value();
  };
  const std::string nobody = owner_name(Principal{});
  EXPECT_TRUE(at(nobody, unowned_chat_life - std::chrono::microseconds(1)));
  EXPECT_FALSE(at(nobody, unowned_chat_life));
  EXPECT_TRUE(at("visitor:1", 100 * unowned_chat_life));
}

TEST_P(ChatStoreContract, two_tenants_may_have_the_same_chat_id_and_do_not_meet) {
  ASSERT_TRUE(begin(acme_, chat_));
  ASSERT_TRUE(begin(zeta_, chat_));
  ASSERT_TRUE(append(acme_, chat_, {message(Sender::user, "of acme")}));
  const auto messages = read(zeta_, [&](db::TenantReader& db) { return load_messages(db, key_, chat_); });
  ASSERT_TRUE(messages);
  EXPECT_TRUE(messages->empty());
}

TEST_P(ChatStoreContract, appending_to_a_chat_that_is_not_there_stores_nothing) {
  const auto outcome = append(acme_, chat_, {message(Sender::user, "lost")});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), Code::not_found);
}

INSTANTIATE_TEST_SUITE_P(engines, ChatStoreContract, testing::Values(db::Engine::sqlite, db::Engine::postgres),
                         [](const auto& info) { return info.param == db::Engine::sqlite ? "sqlite" : "postgres"; });

}  // namespace
}  // namespace parley::chat
