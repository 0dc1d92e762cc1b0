#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parley/chat/ask.h"
#include "parley/crypto/seal.h"
#include "parley/db/transaction.h"

namespace parley::chat {

enum class Sender : std::uint8_t { user, ai };

struct StoredMessage {
  MessageId id;
  Sender sender = Sender::user;
  std::string text;
  std::vector<Citation> citations;  ///< of an answer
  std::optional<bool> answered;     ///< of an answer
  bool incomplete = false;          ///< of an answer: cut off
  Timestamp at;
};

struct ChatDetails {
  std::optional<std::string> page_url, email, metadata;
};

struct ChatRow {
  ChatId id;
  ProjectId project;
  std::string owner;
  std::int64_t message_count = 0;
  Timestamp updated_at;
};

// Chats and messages of one tenant. What people wrote is sealed here, so no other code handles stored plaintext.

Result<std::optional<ChatRow>> find_chat(db::TenantReader& db, const ChatId& id);

/// The chat if it is this owner's and this project's. `not_found` otherwise: one answer for absent and not yours.
/// A chat that belongs to nobody, so that its id is all that guards it, is gone for everybody `unowned_chat_life` after
/// its last message: an id that leaked from a page is soon worth nothing.
inline constexpr std::chrono::hours unowned_chat_life{24};
Result<ChatRow> load_own_chat(db::TenantReader& db, const ChatId& id, const ProjectId& project,
                              const std::string& owner, Timestamp now);

Result<void> insert_chat(db::TenantWriter& db, const crypto::SealKey& key, const ChatId& id, const ProjectId& project,
                         const std::string& owner, const ChatDetails& details, Timestamp at);

/// Appends messages behind the ones there are. Two turns that append at once both find their place: the count is read
/// and raised in this transaction.
Result<void> append_messages(db::TenantWriter& db, const crypto::SealKey& key, const ChatId& chat,
                             const std::vector<StoredMessage>& messages, Timestamp at);

/// In the order they were written. `data_corrupt` if one does not open.
Result<std::vector<StoredMessage>> load_messages(db::TenantReader& db, const crypto::SealKey& key, const ChatId& chat);

/// The same of the last `count` of them.
Result<std::vector<StoredMessage>> load_last_messages(db::TenantReader& db, const crypto::SealKey& key,
                                                      const ChatId& chat, std::int64_t count);

}  // namespace parley::chat
