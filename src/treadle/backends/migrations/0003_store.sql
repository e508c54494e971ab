-- LangGraph's store. A namespace is its labels as JSON strings, each followed by a comma, so a prefix is a range of the index.

CREATE TABLE store_items (
    position    INTEGER PRIMARY KEY, -- order of creation, the order of searches
    namespace   TEXT NOT NULL,
    key         TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    ttl_minutes REAL CHECK (ttl_minutes > 0),
    expires_at  INTEGER,             -- from then on it is not found any more, and swept some time later
    value       BLOB NOT NULL,       -- JSON
    CHECK ((ttl_minutes IS NULL) = (expires_at IS NULL))
);
CREATE UNIQUE INDEX store_items_by_key ON store_items (namespace, key);
CREATE INDEX store_items_by_expiry ON store_items (expires_at) WHERE expires_at IS NOT NULL;

-- Embeddings of an item's texts, of length 1, as little-endian float32.
CREATE TABLE store_vectors (
    position INTEGER NOT NULL REFERENCES store_items ON DELETE CASCADE,
    path     TEXT NOT NULL,
    vector   BLOB NOT NULL,
    PRIMARY KEY (position, path)
);
