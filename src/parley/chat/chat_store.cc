#include "parley/chat/chat_store.h"

#include <algorithm>
#include <limits>

#include "parley/evidence/principal.h"

#include <boost/json.hpp>

namespace parley::chat {

namespace json = boost::json;
using namespace db::literals;

namespace {

crypto::SealContext details_context(const ChatId& chat) { return crypto::SealContext("chats.details").with(chat); }
crypto::SealContext content_context(const ChatId& chat, const MessageId& message) {
  return crypto::SealContext("messages.content").with(chat).with(message);
}

json::object to_json(const StoredMessage& message) {
  json::object object{{"text", message.text}};
  if (message.incomplete) object["incomplete"] = true;
  if (message.citations.empty()) return object;
  json::array citations;
  for (const auto& c : message.citations)
    citations.push_back(json::object{{"title", c.title}, {"url", c.url}, {"quote", c.quote}});
  object["citations"] = std::move(citations);
  return object;
}

Result<void> from_json(const Secret& content, StoredMessage& message) {
  boost::system::error_code error;
  const auto value = json::parse(content.reveal(), error);
  const auto* object = value.if_object();
  if (error || !object) return fail(Code::data_corrupt, "a stored message cannot be read");
  const auto text_of = [](const json::object& from, std::string_view name) {
    const auto* found = from.if_contains(name);
    return found && found->is_string() ? std::string(found->get_string()) : std::string();
  };
  message.text = text_of(*object, "text");
  message.incomplete = object->contains("incomplete");
  if (const auto* citations = object->if_contains("citations"); citations && citations->is_array()) {
    for (const auto& entry : citations->get_array()) {
      const auto& c = entry.as_object();
      message.citations.push_back({text_of(c, "title"), text_of(c, "url"), text_of(c, "quote")});
    }
  }
  return {};
}

std::string_view name(Sender sender) { return sender == Sender::user ? "user" : "ai"; }

}  // namespace

Result<std::optional<ChatRow>> find_chat(db::TenantReader& db, const ChatId& id) {
  return db.find(
      "SELECT project_id, owner, message_count, updated_at FROM chats WHERE id = $1"_sql,
      [&](const db::Row& row) {
        return ChatRow{id, row.id<ProjectId>(0), std::string(row.text(1)), row.integer(2), row.time(3)};
      },
      id);
}

Result<ChatRow> load_own_chat(db::TenantReader& db, const ChatId& id, const ProjectId& project,
                              const std::string& owner, Timestamp now) {
  auto chat = PARLEY_TRY(find_chat(db, id));
  const bool theirs = chat && chat->project == project && chat->owner == owner;
  const bool over = theirs && owner == owner_name(Principal{}) && now - chat->updated_at >= unowned_chat_life;
  if (!theirs || over) return fail(Code::not_found, "no such chat");
  return *std::move(chat);
}

Result<void> insert_chat(db::TenantWriter& db, const crypto::SealKey& key, const ChatId& id, const ProjectId& project,
                         const std::string& owner, const ChatDetails& details, Timestamp at) {
  json::object object;
  if (details.page_url) object["url"] = *details.page_url;
  if (details.email) object["email"] = *details.email;
  if (details.metadata) object["metadata"] = *details.metadata;
  const std::string sealed = crypto::seal(key, json::serialize(object), details_context(id));
  PARLEY_TRY(
      db.run("INSERT INTO chats (id, project_id, owner, details, message_count, created_at, updated_at) "
             "VALUES ($1, $2, $3, $4, 0, $5, $5)"_sql,
             id, project, owner, db::Blob{sealed}, at));
  return {};
}

Result<void> append_messages(db::TenantWriter& db, const crypto::SealKey& key, const ChatId& chat,
                             const std::vector<StoredMessage>& messages, Timestamp at) {
  const auto added = static_cast<std::int64_t>(messages.size());
  const auto count = PARLEY_TRY(db.find(
      "UPDATE chats SET message_count = message_count + $2, updated_at = $3 WHERE id = $1 RETURNING message_count"_sql,
      [](const db::Row& row) { return row.integer(0); }, chat, added, at));
  if (!count) return fail(Code::not_found, "no such chat");
  std::int64_t ordinal = *count - added;
  for (const auto& message : messages) {
    const std::string sealed = crypto::seal(key, json::serialize(to_json(message)), content_context(chat, message.id));
    PARLEY_TRY(
        db.run("INSERT INTO messages (id, chat_id, ordinal, sender, answered, content, created_at) "
               "VALUES ($1, $2, $3, $4, $5, $6, $7)"_sql,
               message.id, chat, ordinal++, name(message.sender), message.answered, db::Blob{sealed}, message.at));
  }
  return {};
}

Result<std::vector<StoredMessage>> load_messages(db::TenantReader& db, const crypto::SealKey& key, const ChatId& chat) {
  return load_last_messages(db, key, chat, std::numeric_limits<std::int64_t>::max());
}

Result<std::vector<StoredMessage>> load_last_messages(db::TenantReader& db, const crypto::SealKey& key,
                                                      const ChatId& chat, std::int64_t count) {
  std::vector<StoredMessage> messages;
  Result<void> outcome;
  PARLEY_TRY(db.each(
      "SELECT id, sender, answered, content, created_at FROM messages WHERE chat_id = $1 "
      "ORDER BY ordinal DESC LIMIT $2"_sql,
      [&](const db::Row& row) {
        StoredMessage message{.id = row.id<MessageId>(0),
                              .sender = row.text(1) == "user" ? Sender::user : Sender::ai,
                              .text = {},
                              .citations = {},
                              .answered = row.is_null(2) ? std::nullopt : std::optional(row.boolean(2)),
                              .at = row.time(4)};
        auto content = crypto::open(key, row.blob(3), content_context(chat, message.id));
        outcome = content ? from_json(*content, message) : std::unexpected(std::move(content).error());
        if (outcome) messages.push_back(std::move(message));
        return outcome.has_value();
      },
      chat, count));
  if (!outcome) return std::unexpected(std::move(outcome).error());
  std::ranges::reverse(messages);
  return messages;
}

}  // namespace parley::chat
