-- oldest: 0.1.0
-- @all
-- For look-ups by somebody who may see some rows and not others: a row that is not theirs must not be read on the
-- way, or how long the answer takes tells that it is there. By its primary key anybody's row is found first, and then
-- looked at; in these there is nothing of others'. On an expression, since with the bare column the primary key would
-- be taken.
CREATE INDEX projects_by_slug_within ON projects_by_slug (tenant_id, (slug || ''));
CREATE INDEX projects_by_slug_public ON projects_by_slug ((slug || '')) WHERE is_private = 0;
CREATE INDEX api_keys_within ON api_keys (tenant_id, (id || ''));
