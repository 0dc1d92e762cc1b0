-- oldest: 0.1.0
-- @all
-- People: what they sign in with, and where they belong. Rows go with the account, tenant or membership they hang on,
-- also when an older program deletes that, which does not know these tables.

ALTER TABLE accounts ADD COLUMN confirmed_at BIGINT;          -- somebody read a letter at this address
ALTER TABLE tenants ADD COLUMN requires_second_factor BIGINT NOT NULL DEFAULT 0;

CREATE TABLE sessions (
  id TEXT NOT NULL PRIMARY KEY,
  digest {blob} NOT NULL UNIQUE,
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  tenant_id TEXT REFERENCES tenants (id) ON DELETE SET NULL,  -- which organisation it acts for
  assurance TEXT NOT NULL,
  factor_at BIGINT,                -- when a second factor was last presented in it
  client TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  ended_at BIGINT
);
CREATE INDEX sessions_account ON sessions (account_id);
CREATE INDEX sessions_created ON sessions (created_at);
CREATE INDEX sessions_tenant ON sessions (tenant_id);

-- Which kinds of second factor an account can present. What belongs to a kind is in a table of that kind.
CREATE TABLE second_factors (
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  since BIGINT NOT NULL,
  PRIMARY KEY (account_id, kind)
);

CREATE TABLE totp_secrets (
  account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
  sealed_secret {blob},            -- null until the first was confirmed
  sealed_pending {blob},           -- one that is being set up: the first, or its successor
  last_step BIGINT NOT NULL        -- of the newest code that was accepted; none at or before it is again
);

CREATE TABLE recovery_codes (
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  digest {blob} NOT NULL,
  used_at BIGINT,
  PRIMARY KEY (account_id, digest)
);

-- Wrong ones since the last right one.
CREATE TABLE factor_tries (
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  since BIGINT NOT NULL,
  count BIGINT NOT NULL,
  PRIMARY KEY (account_id, kind)
);

-- A role on one project, on top of the member's role.
CREATE TABLE project_grants (
  account_id TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  project_id TEXT NOT NULL REFERENCES projects_by_slug (project_id) ON DELETE CASCADE,
  role TEXT NOT NULL,
  PRIMARY KEY (account_id, project_id),
  FOREIGN KEY (account_id, tenant_id) REFERENCES memberships (account_id, tenant_id) ON DELETE CASCADE
);
CREATE INDEX project_grants_tenant ON project_grants (tenant_id, account_id);
CREATE INDEX project_grants_project ON project_grants (project_id);

CREATE TABLE invitations (
  id TEXT NOT NULL PRIMARY KEY,
  digest {blob} NOT NULL UNIQUE,
  tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  email TEXT NOT NULL,
  role TEXT NOT NULL,
  project_id TEXT REFERENCES projects_by_slug (project_id) ON DELETE CASCADE,
  project_role TEXT,
  invited_by TEXT REFERENCES accounts (id) ON DELETE CASCADE,  -- null: at the command line
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  accepted_at BIGINT,
  revoked_at BIGINT
);
CREATE INDEX invitations_tenant ON invitations (tenant_id, created_at);
CREATE INDEX invitations_by ON invitations (invited_by);

-- Links sent by mail: to confirm an address, to choose a new password.
CREATE TABLE one_time_tokens (
  digest {blob} NOT NULL PRIMARY KEY,
  purpose TEXT NOT NULL,
  account_id TEXT REFERENCES accounts (id) ON DELETE CASCADE,  -- null: asked for an address nobody has
  email TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);
CREATE INDEX one_time_tokens_account ON one_time_tokens (account_id, purpose);
CREATE INDEX one_time_tokens_expiry ON one_time_tokens (expires_at);
