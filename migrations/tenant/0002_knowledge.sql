-- oldest: 0.1.0
-- @all
-- Where documents came from. `name` is what ingestion was pointed at (for files the folder, absolute), so that a second
-- run finds its own documents again and removes no others.
CREATE TABLE sources (
  {tenant_column}
  id TEXT NOT NULL,
  project_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  base_url TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY ({tenant}id),
  UNIQUE ({tenant}project_id, kind, name),
  FOREIGN KEY ({tenant}project_id) REFERENCES projects ({tenant}id) ON DELETE CASCADE
);

-- `digest` covers the bytes, the parser's version and what the url is made of: if it is equal, so is everything that
-- ingestion would store. `revision` is the project's at the last change.
CREATE TABLE documents (
  {tenant_column}
  id TEXT NOT NULL,
  project_id TEXT NOT NULL,
  source_id TEXT NOT NULL,
  path TEXT NOT NULL,
  url TEXT NOT NULL,
  title TEXT NOT NULL,
  description TEXT NOT NULL,
  keywords TEXT NOT NULL,
  boost DOUBLE PRECISION NOT NULL,
  digest {blob} NOT NULL,
  bytes BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  PRIMARY KEY ({tenant}id),
  UNIQUE ({tenant}project_id, path),
  FOREIGN KEY ({tenant}project_id) REFERENCES projects ({tenant}id) ON DELETE CASCADE,
  FOREIGN KEY ({tenant}source_id) REFERENCES sources ({tenant}id) ON DELETE CASCADE
);
CREATE INDEX documents_by_revision ON documents ({tenant}project_id, revision, path);
CREATE INDEX documents_by_source ON documents ({tenant}source_id, path);

-- All passages of a document in one row (documents.h has the form): they are written, read and replaced together, and a
-- row each would triple the time of a commit. Apart from `documents`, so that a list of those reads no texts.
CREATE TABLE passages (
  {tenant_column}
  document_id TEXT NOT NULL,
  body {blob} NOT NULL,
  PRIMARY KEY ({tenant}document_id),
  FOREIGN KEY ({tenant}document_id) REFERENCES documents ({tenant}id) ON DELETE CASCADE
);

-- A search index is told apart from the store by one number; what was removed since must be visible as well.
CREATE TABLE removed_documents (
  {tenant_column}
  project_id TEXT NOT NULL,
  path TEXT NOT NULL,
  revision BIGINT NOT NULL,
  PRIMARY KEY ({tenant}project_id, path),
  FOREIGN KEY ({tenant}project_id) REFERENCES projects ({tenant}id) ON DELETE CASCADE
);
CREATE INDEX removed_documents_by_revision ON removed_documents ({tenant}project_id, revision);

CREATE TABLE knowledge_state (
  {tenant_column}
  project_id TEXT NOT NULL,
  revision BIGINT NOT NULL,
  PRIMARY KEY ({tenant}project_id),
  FOREIGN KEY ({tenant}project_id) REFERENCES projects ({tenant}id) ON DELETE CASCADE
);
