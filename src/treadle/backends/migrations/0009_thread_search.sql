-- Searches of threads go through indexes that hold all they ask of a thread, so that they read the rows they show and no more:
-- gone_at is in them for that, though it is always null there. Times are unix microseconds.

DROP INDEX threads_by_creation;
DROP INDEX threads_by_update;
DROP INDEX threads_by_status;
CREATE INDEX threads_by_creation ON threads (created_at, thread_id, gone_at) WHERE gone_at IS NULL;
-- a status changes together with updated_at: that it is here costs nothing
CREATE INDEX threads_by_update ON threads (updated_at, thread_id, status, created_at, gone_at) WHERE gone_at IS NULL;
CREATE INDEX threads_by_state ON threads (state_updated_at, thread_id, created_at, gone_at) WHERE gone_at IS NULL;
CREATE INDEX threads_by_status ON threads (status, created_at, thread_id, gone_at) WHERE gone_at IS NULL;

-- The texts, numbers, booleans and nulls at the top of threads' metadata: which threads have such a pair, in the order of their
-- creation. Derived, by the triggers below. A text begins with a quotation mark and is cut at 200 characters; a whole number
-- is written without a point. Not told apart are fractions, and texts with a NUL: what is searched for is never one of them.
CREATE TABLE thread_metadata (
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    thread_id  TEXT NOT NULL,
    PRIMARY KEY (key, value, created_at, thread_id)
) WITHOUT ROWID;
CREATE VIEW thread_pairs (key, value, created_at, thread_id) AS
SELECT pair.key, CASE pair.type
    WHEN 'text' THEN CASE instr(CAST(pair.atom AS BLOB), x'00') WHEN 0 THEN '"' || substr(pair.atom, 1, 200) ELSE '.' END
    WHEN 'integer' THEN CAST(pair.atom AS TEXT)
    WHEN 'real' THEN CASE
        WHEN abs(pair.atom) < 9007199254740992 AND pair.atom = CAST(pair.atom AS INTEGER)
        THEN CAST(CAST(pair.atom AS INTEGER) AS TEXT) ELSE '.' END
    ELSE pair.type END, t.created_at, t.thread_id
FROM threads t, json_each(CASE WHEN json_valid(t.metadata) THEN t.metadata ELSE '{}' END) pair
WHERE t.gone_at IS NULL AND pair.type NOT IN ('array', 'object') AND instr(CAST(pair.key AS BLOB), x'00') = 0;

INSERT INTO thread_metadata SELECT * FROM thread_pairs WHERE true ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING;

CREATE TRIGGER threads_inserted AFTER INSERT ON threads WHEN new.metadata <> '{}' BEGIN
    INSERT INTO thread_metadata SELECT * FROM thread_pairs WHERE thread_id = new.thread_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER threads_changing BEFORE UPDATE OF metadata, gone_at ON threads
WHEN old.metadata <> '{}' AND (new.metadata <> old.metadata OR new.gone_at IS NOT old.gone_at) BEGIN
    DELETE FROM thread_metadata WHERE (key, value, created_at, thread_id) IN (
        SELECT * FROM thread_pairs WHERE thread_id = old.thread_id);
END;
CREATE TRIGGER threads_changed AFTER UPDATE OF metadata, gone_at ON threads
WHEN new.gone_at IS NULL AND (new.metadata <> old.metadata OR old.gone_at IS NOT NULL) BEGIN
    INSERT INTO thread_metadata SELECT * FROM thread_pairs WHERE thread_id = new.thread_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER threads_deleting BEFORE DELETE ON threads WHEN old.gone_at IS NULL BEGIN
    DELETE FROM thread_metadata WHERE (key, value, created_at, thread_id) IN (
        SELECT * FROM thread_pairs WHERE thread_id = old.thread_id);
END;
