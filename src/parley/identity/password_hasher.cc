#include "parley/identity/password_hasher.h"

namespace parley::identity {

PasswordHasher::PasswordHasher(net::Workers& workers, crypto::PasswordCost cost) : workers_(workers), cost_(cost) {}

Async<std::string> PasswordHasher::hash(Secret password) {
  auto work = [password = std::move(password), cost = cost_] { return crypto::hash_password(password, cost); };
  co_return co_await run(std::move(work));
}

Async<crypto::PasswordVerdict> PasswordHasher::verify(Secret password, std::string hash) {
  auto work = [password = std::move(password), hash = std::move(hash)]() -> Result<crypto::PasswordVerdict> {
    return crypto::verify_password(password, hash);
  };
  co_return co_await run(std::move(work));
}

}  // namespace parley::identity
