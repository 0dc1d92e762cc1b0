-- oldest: 0.1.0
-- @all
-- From where a project may be reached stands here and not in the tenant's file: a caller is judged by it before that
-- file is opened. (`is_private` of the tenant's own table is older and read by nobody.)
ALTER TABLE projects_by_slug ADD COLUMN server_reads BIGINT NOT NULL DEFAULT 0;
ALTER TABLE projects_by_slug ADD COLUMN biel_compat BIGINT NOT NULL DEFAULT 0;

-- Sites whose pages may use a project, in the spelling of identity/origin.h; `https://*.example.org` is a pattern.
CREATE TABLE project_origins (
  project_id TEXT NOT NULL REFERENCES projects_by_slug (project_id),
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  origin TEXT NOT NULL,
  PRIMARY KEY (project_id, origin)
);
CREATE INDEX project_origins_tenant ON project_origins (tenant_id);
-- Before a browser sends a request across sites it asks whether any project would have it.
CREATE INDEX project_origins_origin ON project_origins (origin);

-- How long a key was meant to live: a rotation ends the old key early, and its successor must not inherit the rest.
-- 0: as long as its row says.
ALTER TABLE api_keys ADD COLUMN lifetime BIGINT NOT NULL DEFAULT 0;
-- Why a key may live for longer than others, and since when that is so.
ALTER TABLE api_keys ADD COLUMN exception_reason TEXT;
ALTER TABLE api_keys ADD COLUMN exception_at BIGINT;
-- Ranges it may be used from, in the spelling of net/network_range.h, a line each; none: from anywhere.
ALTER TABLE api_keys ADD COLUMN addresses TEXT NOT NULL DEFAULT '';
-- Groups whose documents it reads besides those without groups, a line each.
ALTER TABLE api_keys ADD COLUMN document_groups TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN all_groups BIGINT NOT NULL DEFAULT 0;
-- When somebody switched on again what had not been used for long.
ALTER TABLE api_keys ADD COLUMN enabled_at BIGINT;
