-- oldest: 0.1.0
-- @all
-- What people wrote and were answered is sealed with the tenant's key: `details` and `content` are envelopes that only
-- the program can open. What stands in clear is what listing and counting need.
CREATE TABLE chats (
  {tenant_column}
  id TEXT NOT NULL,
  project_id TEXT NOT NULL,
  owner TEXT NOT NULL,               -- principal that made it, e.g. 'visitor:<uuid>'
  details {blob} NOT NULL,           -- sealed JSON: page address, e-mail, metadata
  message_count BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY ({tenant}id),
  FOREIGN KEY ({tenant}project_id) REFERENCES projects ({tenant}id) ON DELETE CASCADE
);
CREATE INDEX chats_by_project ON chats ({tenant}project_id, updated_at);

CREATE TABLE messages (
  {tenant_column}
  id TEXT NOT NULL,
  chat_id TEXT NOT NULL,
  ordinal BIGINT NOT NULL,           -- 0, 1, 2 … within the chat
  sender TEXT NOT NULL,              -- 'user' or 'ai'
  answered BIGINT,                   -- for 'ai': was there an answer in the documents
  content {blob} NOT NULL,           -- sealed JSON: text, sources
  created_at BIGINT NOT NULL,
  PRIMARY KEY ({tenant}id),
  UNIQUE ({tenant}chat_id, ordinal),
  FOREIGN KEY ({tenant}chat_id) REFERENCES chats ({tenant}id) ON DELETE CASCADE
);
