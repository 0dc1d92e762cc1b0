-- oldest: 0.1.0
-- @all
-- Signing in without a password of ours: passkeys, sign-in providers, and who vouches for the visitors of a project.
-- Rows go with what they hang on, also when an older program deletes that, which does not know these tables.

-- What authenticators know an account by: random, so that it says nothing about anybody.
CREATE TABLE passkey_users (
  account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
  handle {blob} NOT NULL UNIQUE
);

CREATE TABLE passkeys (
  id TEXT NOT NULL PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  credential_id {blob} NOT NULL UNIQUE,
  algorithm BIGINT NOT NULL,       -- as COSE numbers them: -7, -8, -257
  public_key {blob} NOT NULL,
  sign_count BIGINT NOT NULL,
  name TEXT NOT NULL,
  transports TEXT NOT NULL,        -- joined by commas
  created_at BIGINT NOT NULL,
  last_used_at BIGINT
);
CREATE INDEX passkeys_account ON passkeys (account_id, created_at);

-- Tickets of a sign-in that were presented once; gone some time after they would have ended anyway.
CREATE TABLE spent_tickets (
  digest {blob} NOT NULL PRIMARY KEY,
  expires_at BIGINT NOT NULL
);
CREATE INDEX spent_tickets_expiry ON spent_tickets (expires_at);

CREATE TABLE sign_in_providers (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  issuer TEXT NOT NULL,
  client_id TEXT NOT NULL,
  client_secret TEXT NOT NULL,     -- where it is: env:NAME or file:NAME; never the secret
  client_authentication TEXT NOT NULL,
  scopes TEXT NOT NULL,
  group_claim TEXT NOT NULL,
  group_roles TEXT NOT NULL,       -- JSON object of group to role
  email_domains TEXT NOT NULL,     -- one on each line; empty: any
  default_role TEXT,               -- of members no group gives one; null: they are not let in
  creates_accounts BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX sign_in_providers_tenant ON sign_in_providers (tenant_id, created_at);

-- Whom a provider's subject is. The provider, so its organisation, is part of the key: what one organisation linked is
-- no way in for another, whatever issuer that one names.
CREATE TABLE federated_identities (
  provider_id TEXT NOT NULL REFERENCES sign_in_providers (id) ON DELETE CASCADE,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL,
  PRIMARY KEY (provider_id, issuer, subject)
);
CREATE INDEX federated_identities_account ON federated_identities (account_id);

-- Who may vouch for the visitors of a project.
CREATE TABLE identity_issuers (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  project_id TEXT NOT NULL REFERENCES projects_by_slug (project_id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  issuer TEXT NOT NULL,
  audience TEXT NOT NULL,
  sealed_secret {blob},            -- of the three, one is there
  jwks TEXT,
  jwks_url TEXT,
  created_at BIGINT NOT NULL,
  UNIQUE (project_id, issuer)
);
CREATE INDEX identity_issuers_tenant ON identity_issuers (tenant_id);
