-- oldest: 0.1.0
-- @all
-- The last seal of each tenant's trail: kept apart from the trail, so that a trail that was removed whole, or of which
-- the last seals were cut, is missed.
CREATE TABLE trail_sealed (
  tenant_id TEXT NOT NULL PRIMARY KEY,
  number BIGINT NOT NULL,
  digest {blob} NOT NULL,
  sealed_at BIGINT NOT NULL
);
