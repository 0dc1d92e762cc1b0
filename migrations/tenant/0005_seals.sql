-- oldest: 0.1.0
-- @all
-- Signatures over the heads of all chains: a chain of their own. trail/seal.h says what `body` holds.
CREATE TABLE trail_seals (
  {tenant_column}
  number BIGINT NOT NULL,            -- 1, 2, 3 …
  body TEXT NOT NULL,                -- what is signed, byte for byte
  signature {blob} NOT NULL,
  PRIMARY KEY ({tenant}number)
);
