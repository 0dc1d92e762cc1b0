-- oldest: 0.1.0
-- @all
-- Who may read it. Of a source: groups joined by commas. Of a document: the same for its folders and for itself, joined
-- by semicolons; a caller needs one of each. Empty: everybody who may search the project.
ALTER TABLE sources ADD COLUMN reader_groups TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN reader_groups TEXT NOT NULL DEFAULT '';
-- Most documents have none, so which there are is read from this alone.
CREATE INDEX documents_restricted ON documents ({tenant}project_id, reader_groups) WHERE reader_groups <> '';
