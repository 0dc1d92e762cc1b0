-- oldest: 0.1.0
-- @all
-- Money, in millionths of the unit that prices are given in. What an organisation allows itself, where that differs
-- from the configuration: subject is 'key', 'user', 'project' or 'organisation', period 'day' or 'month'.
CREATE TABLE budget_limits (
  {tenant_column}
  subject TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  period TEXT NOT NULL,
  limit_micros BIGINT NOT NULL,
  PRIMARY KEY ({tenant}subject, subject_id, period)
);

-- What was spent, by all nodes. Rows are only ever added to.
CREATE TABLE budget_spend (
  {tenant_column}
  subject TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  period TEXT NOT NULL,
  starts_at BIGINT NOT NULL,         -- begin of the day or month, UTC
  spent_micros BIGINT NOT NULL,
  PRIMARY KEY ({tenant}subject, subject_id, period, starts_at)
);
