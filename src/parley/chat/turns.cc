#include "parley/chat/turns.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "parley/chat/citation_marks.h"
#include "parley/chat/follow_up.h"
#include "parley/chat/purse.h"
#include "parley/llm/builtin.h"
#include "parley/llm/prompt.h"
#include "parley/log/log.h"
#include "parley/text/utf8.h"
#include "parley/trail/actor.h"

namespace parley::chat {
namespace {

// What a prompt may take in of what was said before; how much of it fits is the prompt's business.
constexpr std::int64_t past_messages_max = 20;
// More than any prompt has room for beside the question.
constexpr std::size_t passages_max = 8;
// A model's limit of tokens is kept by its provider. What it sends past this is not taken, whatever it promised.
constexpr std::size_t answer_bytes_max = 256 * 1024;
// Of a passage, to recognise it by.
constexpr std::size_t quote_bytes_max = 300;

/// Hands on what a model says, with the numbers of its sources put right; what the built-in says as it is, since a
/// number in brackets there is the document's own.
class Relay final : public llm::Listener {
 public:
  Relay(std::size_t passages, DeltaSink* deltas) : marks_(passages), deltas_(deltas) {}

  Async<> text(std::string piece) override { return send(verbatim_ ? std::move(piece) : marks_.pass(piece)); }
  /// None is offered yet.
  Async<> tool_call(llm::ToolCall) override { co_return fail(Code::internal, "a tool that was not offered"); }
  Async<> finish() { return send(marks_.finish()); }

  void set_verbatim() { verbatim_ = true; }
  std::string take_text() { return std::move(text_); }
  bool has_spoken() const { return !text_.empty(); }
  const std::vector<std::size_t>& cited() const { return marks_.cited(); }

 private:
  Async<> send(std::string shown) {
    if (shown.empty()) co_return Result<void>();
    text_ += shown;
    if (text_.size() > answer_bytes_max) co_return fail(Code::unavailable, "the model does not come to an end");
    if (deltas_ == nullptr) co_return Result<void>();
    co_return co_await deltas_->delta(std::move(shown));
  }

  CitationMarks marks_;
  DeltaSink* const deltas_;
  std::string text_;
  bool verbatim_ = false;
};

/// What the documents say in their own words, for the built-in. Only it asks, so that from then on the relay hears it.
class OwnWords final : public llm::Extractor {
 public:
  OwnWords(const knowledge::Answer& answer, Relay& relay) : answer_(answer), relay_(relay) {}
  Async<Extract> extract() override {
    relay_.set_verbatim();
    co_return Extract{.answered = answer_.answered, .text = answer_.text};
  }

 private:
  const knowledge::Answer& answer_;
  Relay& relay_;
};

/// Makes the call, and leaves it when the reader leaves.
Async<llm::Completion> run_for(const llm::Chain* chain, llm::PaidRequest paid, Relay* relay, DeltaSink* deltas) {
  if (deltas == nullptr) co_return co_await chain->run(std::move(paid), *relay);
  asio::cancellation_signal leave;
  struct Watch {
    DeltaSink& deltas;
    asio::cancellation_slot outer;
    ~Watch() {
      deltas.when_reader_leaves({});
      outer.clear();
    }
  };
  const Watch watch{*deltas, (co_await asio::this_coro::cancellation_state).slot()};
  deltas->when_reader_leaves([&leave] { leave.emit(asio::cancellation_type::terminal); });
  // The call listens to `leave` alone, so what would have ended this coroutine is handed on to it.
  if (watch.outer.is_connected())
    asio::cancellation_slot(watch.outer).assign([&leave](asio::cancellation_type type) { leave.emit(type); });
  const auto executor = co_await asio::this_coro::executor;
  try {
    co_return co_await asio::co_spawn(executor, chain->run(std::move(paid), *relay),
                                      asio::bind_cancellation_slot(leave.slot(), asio::use_awaitable));
  } catch (const boost::system::system_error& error) {
    // The server itself is being cut off, or the reader has gone: nobody is left to be answered.
    if (error.code() != asio::error::operation_aborted) throw;
    co_return fail(Code::cancelled, "the reader has left");
  }
}

std::string question_before(const std::vector<StoredMessage>& past) {
  for (auto message = past.rbegin(); message != past.rend(); ++message)
    if (message->sender == Sender::user) return message->text;
  return {};
}

llm::PromptParts parts_of(const Question& question, const std::vector<StoredMessage>& past,
                          const std::vector<knowledge::Excerpt>& passages) {
  llm::PromptParts parts{
      .system = std::string(llm::default_system_prompt), .passages = {}, .history = {}, .question = question.message};
  for (const auto& passage : passages)
    parts.passages.push_back({.text = Untrusted<>(passage.text, Origin::passage),
                              .title = Untrusted<>(passage.title, Origin::passage),
                              .url = Untrusted<>(passage.url, Origin::passage)});
  for (const auto& message : past)
    parts.history.push_back({.role = message.sender == Sender::user ? llm::Role::user : llm::Role::assistant,
                             .text = Untrusted<>(message.text, Origin::user)});
  return parts;
}

/// How the call went, for whoever looks after the models: not a word of what was said.
void report(const llm::Completion& done, RequestId request) {
  for (const auto& setback : done.setbacks)
    log::write(log::Level::warning, "model_failed",
               {{"request", request},
                log::Field::operator_text("model", setback.model),
                {"failure", name(setback.failure)},
                {"status", setback.status}});
}

}  // namespace

struct Turns::Said {
  std::string text;
  std::vector<Citation> citations;
  bool answered = false;
  bool incomplete = false;
};

Async<Turns::Said> Turns::say(const Authorized<Ask>* permit, const Question* question, std::vector<StoredMessage> past,
                              DeltaSink* deltas) {
  const auto chain = models_.usual();
  const bool only_builtin = chain->card().name == llm::builtin_name;
  const auto found = PARLEY_CO_TRY(co_await library_.look_up(
      *permit, search_words(question->message.reveal(), question_before(past)), only_builtin ? 0 : passages_max));

  llm::Request request;
  std::vector<std::size_t> offered;  // passages that the prompt holds, by place
  if (!only_builtin) {
    auto prompt =
        PARLEY_CO_TRY(llm::build_prompt(parts_of(*question, past, found.passages), llm::prompt_limits(chain->card())));
    request.messages = std::move(prompt.messages);
    offered = std::move(prompt.passages);
  }
  Relay relay(offered.size(), deltas);
  OwnWords own_words(found.answer, relay);
  request.extractor = &own_words;

  BudgetPurse purse(budgets_, admission::spender_of(*permit));
  auto paid = PARLEY_CO_TRY(co_await chain->reserve(std::move(request), purse));
  auto done = co_await run_for(chain.get(), std::move(paid), &relay, deltas);
  // Whoever has left needs no answer; of one that broke off later, the reader has seen the beginning.
  if (!done && (done.error().code() == Code::cancelled || !relay.has_spoken()))
    co_return std::unexpected(std::move(done).error());
  PARLEY_CO_TRY(co_await relay.finish());
  if (done) report(*done, question->request);

  Said said{.text = relay.take_text(),
            .citations = {},
            .answered = false,
            .incomplete = !done || done->finish == llm::Finish::length};
  if (done && done->model == llm::builtin_name) {
    for (const auto& c : found.answer.citations) said.citations.push_back({c.title, c.url, c.quote});
    said.answered = found.answer.answered;
    co_return said;
  }
  for (const auto place : relay.cited()) {
    const auto& passage = found.passages[offered[place]];
    said.citations.push_back(
        {passage.title, passage.url, std::string(text::truncate_to_bytes(passage.text, quote_bytes_max))});
  }
  // An answer without a source is the model's opinion. It is shown, and counts as none, with where to look instead.
  said.answered = !said.citations.empty();
  if (!said.answered)
    for (const auto& c : found.answer.citations) said.citations.push_back({c.title, c.url, {}});
  co_return said;
}

Async<Answer> Turns::ask(Authorized<Ask> permit, Question question, DeltaSink* deltas) {
  const db::TenantSession session = door_.open(permit);
  const std::string owner = owner_name(permit.who());
  const ProjectId project = permit.project().project;
  const auto key = PARLEY_CO_TRY(co_await door_.key(permit));

  // Whose chat it is comes first: somebody else's must not cost a search, nor be told apart by one.
  std::vector<StoredMessage> past;
  if (question.chat) {
    const ChatId chat = *question.chat;
    const Timestamp now = clock_.now();
    past = PARLEY_CO_TRY(co_await session.read([&](db::TenantReader& reader) -> Result<std::vector<StoredMessage>> {
      PARLEY_TRY(load_own_chat(reader, chat, project, owner, now));
      return load_last_messages(reader, *key, chat, past_messages_max);
    }));
  }
  auto said = PARLEY_CO_TRY(co_await say(&permit, &question, std::move(past), deltas));

  const Answer answer{.chat = question.chat.value_or(crypto::random_id<ChatId>(random_)),
                      .user_message = crypto::random_id<MessageId>(random_),
                      .ai_message = crypto::random_id<MessageId>(random_),
                      .new_chat = !question.chat,
                      .answered = said.answered,
                      .incomplete = said.incomplete,
                      .text = std::move(said.text),
                      .citations = std::move(said.citations),
                      .at = clock_.now()};
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
                                             .incomplete = answer.incomplete,
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
