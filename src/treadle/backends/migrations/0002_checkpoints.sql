-- LangGraph's checkpoints. All three tables have a rowid on purpose: rows of one to four kilobytes stay whole in a leaf of the
-- table, and inserts go to its end.

CREATE TABLE checkpoints (
    position             INTEGER PRIMARY KEY, -- order of arrival
    thread_id            TEXT NOT NULL,
    checkpoint_ns        TEXT NOT NULL,
    checkpoint_id        TEXT NOT NULL,
    parent_checkpoint_id TEXT CHECK (parent_checkpoint_id <> checkpoint_id),
    run_id               TEXT NOT NULL,       -- '' when no run made it
    metadata             TEXT NOT NULL,       -- JSON
    refs                 TEXT,                -- JSON {channel: version} of the values that are in checkpoint_blobs
    type                 TEXT NOT NULL,
    checkpoint           BLOB NOT NULL,       -- without the channel values
    small                BLOB NOT NULL        -- msgpack {channel: [type, value]} of the values that are not
);
CREATE UNIQUE INDEX checkpoints_by_id ON checkpoints (thread_id, checkpoint_ns, checkpoint_id);
CREATE INDEX checkpoints_by_run ON checkpoints (run_id);

-- Larger channel values, once per version however many checkpoints hold them. A version is text, or a number for foreign savers.
CREATE TABLE checkpoint_blobs (
    position      INTEGER PRIMARY KEY,
    thread_id     TEXT NOT NULL,
    checkpoint_ns TEXT NOT NULL,
    channel       TEXT NOT NULL,
    version       NOT NULL,
    run_id        TEXT NOT NULL,
    type          TEXT NOT NULL,
    value         BLOB NOT NULL
);
CREATE UNIQUE INDEX checkpoint_blobs_by_version ON checkpoint_blobs (thread_id, checkpoint_ns, channel, version);

-- What tasks wrote, one row for one call, only ever appended. Which write counts is decided when it is read: of a regular one
-- the first for its task and index, of a special one (an interrupt, a resume) the last. So a run never touches the rows of
-- another, and removing those of a run brings back exactly what was there before it.
CREATE TABLE checkpoint_writes (
    position      INTEGER PRIMARY KEY, -- order of arrival
    thread_id     TEXT NOT NULL,
    checkpoint_ns TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    run_id        TEXT NOT NULL,       -- '' when no run made it
    task_id       TEXT NOT NULL,
    task_path     TEXT NOT NULL,
    writes        BLOB NOT NULL        -- msgpack [[index, channel, type, value], …]
);
CREATE INDEX checkpoint_writes_by_checkpoint ON checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id);
CREATE INDEX checkpoint_writes_by_run ON checkpoint_writes (run_id);
