#include "parley/chat/turns.h"

#include "parley/chat/chat_store.h"
#include "parley/trail/actor.h"

namespace parley::chat {
namespace {

// Pieces small enough to be seen arriving, large enough not to be mostly framing.
constexpr std::size_t delta_bytes = 160;

/// The next piece of `text` from `offset`, ending behind a blank or line break where one is near, never inside a
/// code point.
std::string_view next_piece(std::string_view text, std::size_t offset) {
  const std::string_view rest = text.substr(offset);
  if (rest.size() <= delta_bytes) return rest;
  auto end = rest.find_last_of(" \n", delta_bytes);
  if (end != std::string_view::npos && end > 0) return rest.substr(0, end + 1);
  std::size_t cut = delta_bytes;
  while (cut > 0 && (static_cast<unsigned char>(rest[cut]) & 0xC0) == 0x80) --cut;
  return rest.substr(0, cut == 0 ? delta_bytes : cut);
}

}  // namespace

Async<Answer> Turns::ask(Authorized<Ask> permit, Question question, DeltaSink* deltas) {
  const db::TenantSession session = door_.open(permit);
  const std::string owner = owner_name(permit.who());
  const ProjectId project = permit.project().project;

  // Whose chat it is comes first: somebody else's must not cost a search, nor be told apart by one.
  if (question.chat) {
    const ChatId chat = *question.chat;
    const Timestamp now = clock_.now();
    PARLEY_CO_TRY(co_await session.read(
        [&](db::TenantReader& reader) { return load_own_chat(reader, chat, project, owner, now); }));
  }
  const auto key = PARLEY_CO_TRY(co_await door_.key(permit));
  auto found = PARLEY_CO_TRY(co_await library_.answer(permit, question.message.reveal()));

  Answer answer{.chat = question.chat.value_or(crypto::random_id<ChatId>(random_)),
                .user_message = crypto::random_id<MessageId>(random_),
                .ai_message = crypto::random_id<MessageId>(random_),
                .new_chat = !question.chat,
                .answered = found.answered,
                .text = std::move(found.text),
                .citations = {},
                .at = clock_.now()};
  for (auto& c : found.citations)
    answer.citations.push_back({std::move(c.title), std::move(c.url), std::move(c.quote)});

  if (deltas) {
    for (std::size_t sent = 0; sent < answer.text.size();) {
      const auto piece = next_piece(answer.text, sent);
      PARLEY_CO_TRY(co_await deltas->delta(std::string(piece)));
      sent += piece.size();
    }
  }

  const std::vector<StoredMessage> messages{{.id = answer.user_message,
                                             .sender = Sender::user,
                                             .text = question.message.reveal(),
                                             .citations = {},
                                             .answered = {},
                                             .at = answer.at},
                                            {.id = answer.ai_message,
                                             .sender = Sender::ai,
                                             .text = answer.text,
                                             .citations = answer.citations,
                                             .answered = answer.answered,
                                             .at = answer.at}};
  const trail::Entry entry{.kind = trail::Kind::write,
                           .actor = trail::actor_of(permit.who()),
                           .action = Ask::info.name,
                           .object = trail::Object("chat", answer.chat),
                           .decision = trail::Decision::allowed,
                           .rule = permit.rule(),
                           .request = question.request};
  PARLEY_CO_TRY(co_await session.write([&](db::TenantWriter& writer) -> Result<void> {
    if (answer.new_chat)
      PARLEY_TRY(insert_chat(writer, *key, answer.chat, project, owner,
                             {question.page_url, question.email, question.metadata}, answer.at));
    PARLEY_TRY(append_messages(writer, *key, answer.chat, messages, answer.at));
    // Last: from here to the commit other writers of this chain wait.
    PARLEY_TRY(trail_.append(writer, entry));
    return {};
  }));
  co_return answer;
}

}  // namespace parley::chat
