#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/time.h"
#include "parley/base/untrusted.h"
#include "parley/base/uuid.h"
#include "parley/evidence/proofs.h"
#include "parley/net/async.h"

namespace parley::chat {

/// Sending a message, in a new chat or one's own.
struct Ask {
  static constexpr ActionInfo info{
      .name = "chat.create",
      .summary = "Send a message and get an answer with its sources",
      .scope = Scope::chat_create,
      .cost = Cost::chat,
      .anonymous = ActionInfo::Anonymous::chatting,
      .public_key = ActionInfo::PublicKey::trade_for_visitor,
      .visitors = ActionInfo::Visitors::may,
      .effect = ActionInfo::Effect::writes,
  };
};

/// As many code points as the hosted product accepts.
inline constexpr std::size_t message_length_max = 1'000;

struct Question {
  Untrusted<> message;
  std::optional<ChatId> chat;  ///< none starts a new one
  std::optional<std::string> page_url, email, metadata;
  RequestId request;
};

/// Where a statement stands in the documents.
struct Citation {
  std::string title;
  std::string url;    ///< with the heading's anchor
  std::string quote;  ///< word for word
};

struct Answer {
  ChatId chat;
  MessageId user_message, ai_message;
  bool new_chat = false;
  bool answered = false;    ///< false: the documents do not say; `citations` then are the nearest pages, without quotes
  bool incomplete = false;  ///< the model was cut off, by its limit or by a failure; what there is of it is kept
  std::string text;         ///< Markdown
  std::vector<Citation> citations;
  Timestamp at;
};

/// Receives an answer while it is being made. `cancelled` ends the turn.
class DeltaSink {
 public:
  virtual ~DeltaSink() = default;
  virtual Async<void> delta(std::string text) = 0;
  /// Calls `notify` once if the reader leaves, on the executor that the turn runs on; until it is called with an empty
  /// one. So that a model is left that nobody waits for, also while it says nothing.
  virtual void when_reader_leaves(std::function<void()> notify) = 0;
};

}  // namespace parley::chat
