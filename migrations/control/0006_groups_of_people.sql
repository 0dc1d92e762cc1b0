-- oldest: 0.1.0
-- @all
-- Whether a project's visitors must be people whom the customer's server vouches for.
ALTER TABLE projects_by_slug ADD COLUMN verified_visitors BIGINT NOT NULL DEFAULT 0;
-- Which of the groups that its tokens name an issuer is believed: those on these lines, or every one.
ALTER TABLE identity_issuers ADD COLUMN document_groups TEXT NOT NULL DEFAULT '';
ALTER TABLE identity_issuers ADD COLUMN all_groups BIGINT NOT NULL DEFAULT 0;
-- Groups whose documents a member reads besides those without groups, a line each.
ALTER TABLE memberships ADD COLUMN document_groups TEXT NOT NULL DEFAULT '';
