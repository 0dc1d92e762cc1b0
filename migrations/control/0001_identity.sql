-- oldest: 0.1.0
-- @all
-- What must be found before the tenant is known. Here tenant_id is an ordinary column: no policy stands behind a
-- forgotten condition, so the statements that use it are all in identity/control_by_tenant.cc.

CREATE TABLE tenants (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL CHECK (state IN ('creating', 'active', 'removing')),
  sealed_key {blob} NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE projects_by_slug (
  slug TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  project_id TEXT NOT NULL UNIQUE,
  is_private BIGINT NOT NULL,        -- here, since a caller without a credential is judged before a file is opened
  state TEXT NOT NULL CHECK (state IN ('creating', 'active', 'removing'))
);
CREATE INDEX projects_by_slug_tenant ON projects_by_slug (tenant_id);

CREATE TABLE accounts (
  id TEXT NOT NULL PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  password_hash TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  disabled_at BIGINT
);

CREATE TABLE memberships (
  account_id TEXT NOT NULL REFERENCES accounts (id),
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  role TEXT NOT NULL,
  PRIMARY KEY (account_id, tenant_id)
);
CREATE INDEX memberships_tenant ON memberships (tenant_id);

CREATE TABLE api_keys (
  id TEXT NOT NULL PRIMARY KEY,
  digest {blob} NOT NULL UNIQUE,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  project_id TEXT REFERENCES projects_by_slug (project_id),
  kind TEXT NOT NULL CHECK (kind IN ('secret', 'public')),
  name TEXT NOT NULL,
  scopes TEXT NOT NULL,
  origins TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT,
  last_used_at BIGINT,
  last4 TEXT NOT NULL
);
CREATE INDEX api_keys_tenant ON api_keys (tenant_id, created_at);
CREATE INDEX api_keys_project ON api_keys (project_id);

CREATE TABLE setup_tokens (
  digest {blob} NOT NULL PRIMARY KEY,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);

-- An operation that touches a tenant's file as well; gone once it has ended.
CREATE TABLE intents (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  payload TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE due (
  tenant_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, kind)
);
CREATE INDEX due_at ON due (at);

CREATE TABLE settings (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);

-- A node holds back records of reads of this tenant; still here at its next start, some were lost.
CREATE TABLE trail_open_batches (
  node TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  opened_at BIGINT NOT NULL,
  PRIMARY KEY (node, tenant_id)
);

-- Refusals to callers nobody knows.
CREATE TABLE anonymous_refusals (
  minute BIGINT NOT NULL,
  node TEXT NOT NULL,
  rule TEXT NOT NULL,
  count BIGINT NOT NULL,
  PRIMARY KEY (minute, node, rule)
);
