#pragma once

#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "parley/admission/budgets.h"
#include "parley/chat/turns.h"
#include "parley/db/store.h"
#include "parley/identity/account_links.h"
#include "parley/identity/account_store.h"
#include "parley/identity/authenticator.h"
#include "parley/identity/identity_token_issuers.h"
#include "parley/identity/invitations.h"
#include "parley/identity/key_store.h"
#include "parley/identity/members.h"
#include "parley/identity/oidc_sign_in.h"
#include "parley/identity/passkey_store.h"
#include "parley/identity/project_directory.h"
#include "parley/identity/second_factors.h"
#include "parley/identity/session_store.h"
#include "parley/identity/set_up.h"
#include "parley/identity/sign_in_ticket.h"
#include "parley/identity/tenant_door.h"
#include "parley/identity/tenant_store.h"
#include "parley/identity/visitor_token.h"
#include "parley/knowledge/library.h"
#include "parley/kv/store.h"
#include "parley/net/clock.h"
#include "parley/net/fetch.h"
#include "parley/net/workers.h"
#include "parley/server/data_folder.h"
#include "parley/server/models.h"
#include "parley/server/recorder.h"
#include "parley/server/sealer.h"
#include "parley/trail/batch.h"
#include "parley/trail/trail.h"

namespace parley::server {

/// An opened data folder: its lock, its keys, its store and everything that works on them. The server and every
/// command stand on one; wiring is here and nowhere else.
class Installation {
 public:
  /// Opens the folder's store, migrating the control database, and finishes what a crash left half done. Errors as for
  /// `DataFolder`. `clock` must outlive it.
  static Result<std::unique_ptr<Installation>> open(DataFolder folder, const Clock& clock = net::system_clock());
  static Result<std::unique_ptr<Installation>> open(std::filesystem::path folder, Absent absent,
                                                    const Clock& clock = net::system_clock());
  ~Installation();

  const DataFolder& folder() const { return folder_; }
  const Config& config() const { return folder_.config(); }

  /// The proof that the command line of this machine is asking. Whoever calls this holds the folder's lock, or has the
  /// kernel's word (SO_PEERCRED) for the user at the other end of the admin socket.
  LocalOperator local_operator(std::uint32_t uid) const { return LocalOperator(uid); }

  /// Runs a coroutine to its end from a thread that is no event loop: for commands.
  template <class T>
  Result<T> wait(Async<T> work) {
    auto promise = std::make_shared<std::promise<Result<T>>>();
    auto result = promise->get_future();
    asio::co_spawn(background_->executor(), deliver(std::move(work), std::move(promise)), asio::detached);
    return result.get();
  }

  // In the order they depend on each other; destroyed in reverse.
 private:
  DataFolder folder_;

 public:
  const Clock& clock;
  crypto::Random& random = crypto::system_random();

 private:
  std::unique_ptr<db::Store> opened_store_;

 public:
  std::unique_ptr<Sealer> sealer;
  std::unique_ptr<db::Store> store;  ///< tells the sealer whose tables are used

 private:
  std::unique_ptr<net::Workers> background_;  ///< commands' coroutines
  std::unique_ptr<net::Workers> searches_;    ///< Xapian and answering
  std::unique_ptr<net::Workers> openers_;     ///< opening indexes, and making them again
  std::unique_ptr<net::Workers> passwords_;   ///< two: each Argon2 takes 64 MiB
  std::unique_ptr<net::Workers> fetches_;     ///< waiting for other servers
  std::unique_ptr<net::Fetcher> provider_web_;
  std::unique_ptr<identity::TokenKeys> provider_keys_;
  std::unique_ptr<identity::SignInTickets> tickets_;
  std::unique_ptr<net::Fetcher> issuer_web_;  ///< where identity issuers publish their keys
  std::unique_ptr<identity::TokenKeys> issuer_keys_;

 public:
  std::unique_ptr<trail::Trail> trail;
  std::unique_ptr<trail::TrailBatch> trail_batch;
  std::unique_ptr<trail::RefusalCounters> refusals;
  std::unique_ptr<TrailRecorder> recorder;
  std::unique_ptr<identity::TenantStore> tenants;
  std::unique_ptr<identity::ProjectDirectory> projects;
  std::unique_ptr<identity::TenantDoor> door;
  std::unique_ptr<identity::KeyStore> keys;
  std::unique_ptr<identity::PasswordHasher> hasher;
  std::unique_ptr<identity::SessionStore> sessions;
  std::unique_ptr<identity::AccountStore> accounts;
  std::unique_ptr<identity::AccountLinks> account_links;
  std::unique_ptr<identity::SecondFactors> second_factors;
  std::unique_ptr<identity::PasskeyStore> passkeys;
  std::unique_ptr<identity::ProviderSignIns> providers;
  std::unique_ptr<identity::Members> members;
  std::unique_ptr<identity::Invitations> invitations;
  std::unique_ptr<identity::SetUp> set_up;
  std::unique_ptr<identity::VisitorTokens> visitor_tokens;
  std::unique_ptr<identity::IdentityIssuers> issuers;
  std::unique_ptr<identity::Authenticator> authenticator;
  std::unique_ptr<knowledge::Library> library;
  std::unique_ptr<ModelHouse> models;
  std::unique_ptr<kv::Store> counters;  ///< shared with other nodes if there is a Redis
  std::unique_ptr<admission::Budgets> budgets;
  std::unique_ptr<chat::Turns> turns;

 private:
  Installation(DataFolder folder, const Clock& time) : folder_(std::move(folder)), clock(time) {}

  template <class T>
  static asio::awaitable<void> deliver(Async<T> work, std::shared_ptr<std::promise<Result<T>>> to) {
    Result<T> result = co_await std::move(work);
    to->set_value(std::move(result));
  }
  Result<void> wire();
};

}  // namespace parley::server
