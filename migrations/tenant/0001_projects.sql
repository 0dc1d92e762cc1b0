-- oldest: 0.1.0
-- @all
CREATE TABLE projects (
  {tenant_column}
  id TEXT NOT NULL,
  slug TEXT NOT NULL,
  name TEXT NOT NULL,
  is_private BIGINT NOT NULL,
  settings TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY ({tenant}id),
  UNIQUE ({tenant}slug)
);
