-- oldest: 0.1.0
-- @all
-- Who did what. Rows are only ever added; trail/record.h says what a hash covers.
CREATE TABLE trail (
  {tenant_column}
  node TEXT NOT NULL,
  seq BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  at BIGINT NOT NULL,
  kind TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  action TEXT NOT NULL,
  object_kind TEXT NOT NULL,
  object_id TEXT NOT NULL,
  decision TEXT NOT NULL,
  rule TEXT NOT NULL,
  request_id TEXT NOT NULL,
  quantity BIGINT NOT NULL,
  reference TEXT NOT NULL,
  prev {blob} NOT NULL,
  hash {blob} NOT NULL,
  PRIMARY KEY ({tenant}node, seq)
);
CREATE INDEX trail_at ON trail ({tenant}at);

-- The end of each chain. Its row is also the lock under which a chain grows.
CREATE TABLE trail_heads (
  {tenant_column}
  node TEXT NOT NULL,
  seq BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  hash {blob} NOT NULL,
  PRIMARY KEY ({tenant}node)
);
