#include "parley/identity/set_up.h"

namespace parley::identity {

Async<SetUp::Made> SetUp::run(Secret token, std::string organisation, std::string email, Secret password) {
  // First: a stranger without a token must not make organisations.
  PARLEY_CO_TRY(co_await accounts_.require_setup_token(token));
  // Then everything that can be refused, so that a refused attempt leaves nothing behind.
  PARLEY_CO_TRY(co_await accounts_.check_candidate(email, password));
  auto tenant = PARLEY_CO_TRY(co_await tenants_.find_by_name(organisation));
  if (!tenant) tenant = PARLEY_CO_TRY(co_await tenants_.create(organisation));
  const auto account = PARLEY_CO_TRY(co_await accounts_.create_first_administrator(std::move(token), std::move(email),
                                                                                   std::move(password), tenant->id));
  co_return Made{account.id, tenant->id};
}

}  // namespace parley::identity
