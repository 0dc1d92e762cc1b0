#include "bench/inside.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "parley/api/actions.h"
#include "parley/chat/chat_store.h"
#include "parley/identity/gate.h"
#include "parley/log/log.h"
#include "parley/trail/verify.h"

namespace parley::bench {

using namespace db::literals;
namespace fs = std::filesystem;
namespace json = boost::json;

std::unique_ptr<server::Installation> open_installation(const fs::path& data) {
  log::set_sink(log::Sink::standard_error);
  log::set_level(log::Level::error);
  return must(server::Installation::open(data, server::Absent::create), "the data folder does not open");
}

ProjectRef make_project(server::Installation& at, const std::string& name, const fs::path& documents) {
  const auto tenant = must(at.wait(at.tenants->create(name)), "create a tenant");
  must(at.wait(at.tenants->create_project(tenant.id, {.name = name, .slug = name})), "create a project");
  const auto project = must(at.wait(at.tenants->find_slug(name)), "find the project");
  if (!project) give_up("the project that was made is not found");
  const auto permit = identity::Gate::authorize<knowledge::IngestDocuments>(at.local_operator(::geteuid()), *project);
  must(at.library->ingest(permit, {.paths = {documents}, .base_url = {}}, {}), "ingest");
  return *project;
}

Secret make_key(server::Installation& at, const ProjectRef& project) {
  auto scopes = must(parse_scopes("chat_create,project_search"), "scopes");
  auto created = must(at.wait(at.keys->create({.tenant = project.tenant,
                                               .project = project.project,
                                               .kind = identity::KeyKind::secret,
                                               .name = "bench",
                                               .scopes = scopes,
                                               .origins = {},
                                               .lifetime = std::chrono::hours(24)})),
                      "create a key");
  return std::move(created.text);
}

void Ledger::add_chat(Acknowledged message) {
  const std::scoped_lock lock(mutex_);
  chats_.push_back(std::move(message));
}

void Ledger::add_reply(std::string slug, std::string question, const Reply& reply) {
  if (reply.status != 200 && reply.status != 201) return;
  boost::system::error_code error;
  const auto value = json::parse(reply.body, error);
  if (error) give_up("a reply of success is not JSON");
  const auto& ai = value.at("ai_message");
  add_chat({.slug = std::move(slug),
            .chat = std::string(value.at("chat_uuid").as_string()),
            .user_message = std::string(value.at("user_message_id").as_string()),
            .ai_message = std::string(ai.at("messageId").as_string()),
            .question = std::move(question),
            .answer = std::string(ai.at("message").as_string())});
}

void Ledger::add_word(std::string slug, std::string word) {
  const std::scoped_lock lock(mutex_);
  words_.emplace_back(std::move(slug), std::move(word));
}

void Ledger::add_tenant(std::string name) {
  const std::scoped_lock lock(mutex_);
  tenants_.push_back(std::move(name));
}

std::size_t Ledger::messages() const {
  const std::scoped_lock lock(mutex_);
  return 2 * chats_.size();
}
std::size_t Ledger::words() const {
  const std::scoped_lock lock(mutex_);
  return words_.size();
}
std::size_t Ledger::tenants() const {
  const std::scoped_lock lock(mutex_);
  return tenants_.size();
}

std::vector<std::string> check_folder(server::Installation& at) {
  std::vector<std::string> wrong;
  const auto open_intents = must(at.store->control().read_blocking([](db::ControlReader& reader) {
    return reader.all("SELECT kind FROM intents"_sql, [](const db::Row& row) { return std::string(row.text(0)); });
  }),
                                 "read intents");
  for (const auto& kind : open_intents) wrong.push_back("an operation is still half done: " + kind);
  std::set<std::string> known;
  for (const auto& tenant : must(at.wait(at.tenants->list()), "list tenants")) {
    known.insert(tenant.id.to_string());
    if (tenant.state != identity::TenantState::active) wrong.push_back("a tenant is half made: " + tenant.name);
    if (!at.wait(at.tenants->load_key(tenant.id))) wrong.push_back("a tenant's key does not open: " + tenant.name);
    const auto verified =
        at.store->tenant(tenant.id).read_blocking([](db::TenantReader& reader) { return trail::verify(reader); });
    if (!verified)
      wrong.push_back("a tenant does not open: " + tenant.name + ": " + describe_for_operator(verified.error()));
    else if (!verified->whole()) wrong.push_back("a trail is damaged: " + tenant.name);
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(at.folder().path() / "tenants", error))
    if (!known.contains(entry.path().filename().string()))
      wrong.push_back("a folder of no tenant is left: " + entry.path().filename().string());
  return wrong;
}

std::vector<std::string> Ledger::check(server::Installation& at, Which which) {
  auto wrong = check_folder(at);
  const std::scoped_lock lock(mutex_);
  const bool all = which == Which::all;

  std::map<std::string, std::vector<const Acknowledged*>> by_slug;
  for (std::size_t i = all ? 0 : chats_checked_; i < chats_.size(); ++i) by_slug[chats_[i].slug].push_back(&chats_[i]);
  for (const auto& [slug, messages] : by_slug) {
    const auto project = must(at.wait(at.tenants->find_slug(slug)), "find a project");
    if (!project) {
      wrong.push_back("a project with acknowledged messages is gone: " + slug);
      continue;
    }
    const auto key = must(at.wait(at.tenants->load_key(project->tenant)), "open a tenant's key");
    must(at.store->tenant(project->tenant).read_blocking([&](db::TenantReader& reader) -> Result<void> {
      for (const Acknowledged* wanted : messages) {
        const auto id = ChatId::parse(wanted->chat);
        const auto stored = PARLEY_TRY(chat::load_messages(reader, key, id.value_or(ChatId())));
        const auto there = [&](const std::string& message, const std::string& text) {
          return std::ranges::any_of(
              stored, [&](const chat::StoredMessage& m) { return m.id.to_string() == message && m.text == text; });
        };
        if (!there(wanted->user_message, wanted->question)) wrong.push_back("a question is gone: " + wanted->chat);
        if (!there(wanted->ai_message, wanted->answer)) wrong.push_back("an answer is gone: " + wanted->chat);
      }
      return {};
    }),
         "read messages back");
  }
  for (std::size_t i = all ? 0 : words_checked_; i < words_.size(); ++i) {
    const auto& [slug, word] = words_[i];
    const auto project = must(at.wait(at.tenants->find_slug(slug)), "find a project");
    if (!project) {
      wrong.push_back("a project is gone: " + slug);
      continue;
    }
    const auto permit = identity::Gate::authorize<api::SearchProject>(at.local_operator(::geteuid()), *project);
    const auto found = at.wait(at.library->search(permit, word));
    if (!found) wrong.push_back("the index does not answer: " + describe_for_operator(found.error()));
    else if (found->empty()) wrong.push_back("an ingested page is not found: " + word);
  }
  for (std::size_t i = all ? 0 : tenants_checked_; i < tenants_.size(); ++i)
    if (!must(at.wait(at.tenants->find_by_name(tenants_[i])), "find a tenant"))
      wrong.push_back("a tenant that was made is gone: " + tenants_[i]);
  chats_checked_ = chats_.size();
  words_checked_ = words_.size();
  tenants_checked_ = tenants_.size();
  return wrong;
}

}  // namespace parley::bench
