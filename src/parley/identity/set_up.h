#pragma once

#include <string>

#include "parley/base/secret.h"
#include "parley/identity/account_store.h"
#include "parley/identity/tenant_store.h"

namespace parley::identity {

/// The first minute of an installation: the first organisation and its administrator, made by whoever holds the
/// one-time token that the server printed when it started.
class SetUp {
 public:
  /// Both must outlive this object.
  SetUp(AccountStore& accounts, TenantStore& tenants) : accounts_(accounts), tenants_(tenants) {}

  struct Made {
    AccountId account;
    TenantId tenant;
  };
  /// Errors as for `AccountStore::create_first_administrator`. An organisation of that name that is there already is
  /// used: it was made at the command line, or by an attempt whose password was refused.
  Async<Made> run(Secret token, std::string organisation, std::string email, Secret password);

 private:
  AccountStore& accounts_;
  TenantStore& tenants_;
};

}  // namespace parley::identity
