#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bench/load.h"
#include "bench/measure.h"
#include "parley/server/installation.h"

namespace parley::bench {

/// Opens the folder as a command would, and so carries on what was left half done. Gives up if it cannot.
std::unique_ptr<server::Installation> open_installation(const std::filesystem::path& data);

/// The value, or the end of the program with what was wrong.
template <class T>
T must(Result<T> result, std::string_view doing) {
  if (!result) give_up(std::string(doing) + ": " + describe_for_operator(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// A tenant of this name with a project of the same slug, and these documents in it.
ProjectRef make_project(server::Installation& at, const std::string& name, const std::filesystem::path& documents);
Secret make_key(server::Installation& at, const ProjectRef& project);

/// A message that the server said it had.
struct Acknowledged {
  std::string slug, chat, user_message, ai_message, question, answer;
};

/// What has been acknowledged, and so must be there whatever happened since. Safe from any thread.
class Ledger {
 public:
  void add_chat(Acknowledged message);
  /// Reads the server's reply to a chat; a reply that is not one of success is ignored.
  void add_reply(std::string slug, std::string question, const Reply& reply);
  /// A word that occurs in one ingested page alone.
  void add_word(std::string slug, std::string word);
  void add_tenant(std::string name);

  std::size_t messages() const;
  std::size_t words() const;
  std::size_t tenants() const;

  /// What is wrong, one line each; empty if every promise holds. `recent`: only what was added since the last check,
  /// besides what concerns the whole folder.
  enum class Which { all, recent };
  std::vector<std::string> check(server::Installation& at, Which which);

 private:
  mutable std::mutex mutex_;
  std::vector<Acknowledged> chats_;
  std::vector<std::pair<std::string, std::string>> words_;
  std::vector<std::string> tenants_;
  std::size_t chats_checked_ = 0, words_checked_ = 0, tenants_checked_ = 0;
};

/// That no tenant is half made, every trail is whole, and no folder belongs to nobody.
std::vector<std::string> check_folder(server::Installation& at);

}  // namespace parley::bench
