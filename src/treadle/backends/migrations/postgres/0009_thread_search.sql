-- compatible-from: 2
-- What it means: migrations/0009_thread_search.sql.

DROP INDEX threads_by_update;
DROP INDEX threads_by_status;
CREATE INDEX threads_by_update ON threads (updated_at, thread_id, status, created_at) WHERE gone_at IS NULL;
CREATE INDEX threads_by_state ON threads (state_updated_at, thread_id, created_at) WHERE gone_at IS NULL;
CREATE INDEX threads_by_status ON threads (status, created_at, thread_id) WHERE gone_at IS NULL;

CREATE TABLE thread_metadata (
    key        TEXT COLLATE "C" NOT NULL,
    value      TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    thread_id  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (key, value, created_at, thread_id)
);
CREATE FUNCTION metadata_pairs(metadata text) RETURNS TABLE (key text, value text)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 8 AS $$
    SELECT e.key, CASE jsonb_typeof(e.value)
        WHEN 'string' THEN '"' || left(e.value #>> '{}', 200)
        WHEN 'number' THEN CASE
            WHEN abs((e.value #>> '{}')::numeric) < 9007199254740992 AND (e.value #>> '{}')::numeric % 1 = 0
            THEN trunc((e.value #>> '{}')::numeric)::text ELSE '.' END
        ELSE e.value::text END
    FROM jsonb_each(json_binary(metadata)) e WHERE jsonb_typeof(e.value) NOT IN ('array', 'object')
$$;
CREATE VIEW thread_pairs (key, value, created_at, thread_id) AS
SELECT pair.key, pair.value, t.created_at, t.thread_id
FROM threads t CROSS JOIN LATERAL metadata_pairs(t.metadata) pair WHERE t.gone_at IS NULL;

INSERT INTO thread_metadata SELECT * FROM thread_pairs ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING;

CREATE FUNCTION threads_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.gone_at IS NULL THEN
        DELETE FROM thread_metadata m USING metadata_pairs(OLD.metadata) pair
        WHERE m.key = pair.key AND m.value = pair.value AND m.created_at = OLD.created_at AND m.thread_id = OLD.thread_id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.gone_at IS NULL THEN
        INSERT INTO thread_metadata SELECT pair.key, pair.value, NEW.created_at, NEW.thread_id
        FROM metadata_pairs(NEW.metadata) pair ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER threads_inserted AFTER INSERT ON threads FOR EACH ROW
    WHEN (NEW.metadata <> '{}') EXECUTE FUNCTION threads_changed();
CREATE TRIGGER threads_changed AFTER UPDATE OF metadata, gone_at ON threads FOR EACH ROW
    WHEN (NEW.metadata <> OLD.metadata OR NEW.gone_at IS DISTINCT FROM OLD.gone_at) EXECUTE FUNCTION threads_changed();
CREATE TRIGGER threads_deleted AFTER DELETE ON threads FOR EACH ROW
    WHEN (OLD.gone_at IS NULL AND OLD.metadata <> '{}') EXECUTE FUNCTION threads_changed();
