-- Runs, threads, assistants and the event log. Times are unix microseconds. What must hold is said here, not in code.

CREATE TABLE assistants (
    assistant_id TEXT PRIMARY KEY,
    graph_id     TEXT NOT NULL,
    name         TEXT NOT NULL,
    description  TEXT,
    version      INTEGER NOT NULL CHECK (version >= 1),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    config       TEXT NOT NULL,
    context      TEXT NOT NULL,
    metadata     TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX assistants_by_graph ON assistants (graph_id, created_at);
CREATE INDEX assistants_by_creation ON assistants (created_at);

CREATE TABLE assistant_versions (
    assistant_id TEXT NOT NULL REFERENCES assistants ON DELETE CASCADE,
    version      INTEGER NOT NULL,
    graph_id     TEXT NOT NULL,
    name         TEXT NOT NULL,
    description  TEXT,
    created_at   INTEGER NOT NULL,
    config       TEXT NOT NULL,
    context      TEXT NOT NULL,
    metadata     TEXT NOT NULL,
    PRIMARY KEY (assistant_id, version)
) WITHOUT ROWID;

-- Final states, once each: a run points to its own, a thread to that of the run that settled last.
CREATE TABLE outputs (
    output_id INTEGER PRIMARY KEY,
    body      BLOB NOT NULL
);

CREATE TABLE threads (
    thread_id        TEXT PRIMARY KEY,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    state_updated_at INTEGER NOT NULL,
    -- derived: busy while a run is active, else what the last settled run left (resting)
    status           TEXT NOT NULL DEFAULT 'idle' CHECK (status IN ('idle', 'busy', 'interrupted', 'error')),
    resting          TEXT NOT NULL DEFAULT 'idle' CHECK (resting IN ('idle', 'interrupted', 'error')),
    settled          INTEGER NOT NULL DEFAULT 0,
    event_seq        INTEGER NOT NULL DEFAULT 0,
    output_id        INTEGER REFERENCES outputs,
    -- set when the stateless run of a temporary thread has ended: gone for the API, its stream still joinable until swept
    gone_at          INTEGER,
    -- until then no run of it is claimed: its state is being changed without a run
    held_until       INTEGER,
    metadata         TEXT NOT NULL,
    config           TEXT NOT NULL DEFAULT '{}',
    error            TEXT,
    interrupts       TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;
CREATE INDEX threads_by_creation ON threads (created_at) WHERE gone_at IS NULL;
CREATE INDEX threads_by_update ON threads (updated_at) WHERE gone_at IS NULL;
CREATE INDEX threads_by_status ON threads (status, created_at) WHERE gone_at IS NULL;
CREATE INDEX threads_gone ON threads (gone_at) WHERE gone_at IS NOT NULL;
CREATE INDEX threads_held ON threads (held_until) WHERE held_until IS NOT NULL;
CREATE INDEX threads_by_output ON threads (output_id) WHERE output_id IS NOT NULL;

CREATE TABLE runs (
    position          INTEGER PRIMARY KEY AUTOINCREMENT, -- creation order
    run_id            TEXT NOT NULL UNIQUE,
    thread_id         TEXT NOT NULL REFERENCES threads,
    assistant_id      TEXT NOT NULL,
    graph_id          TEXT NOT NULL,
    status            TEXT NOT NULL DEFAULT 'pending'
                      CHECK (status IN ('pending', 'running', 'success', 'error', 'timeout', 'interrupted')),
    multitask_strategy TEXT NOT NULL CHECK (multitask_strategy IN ('reject', 'interrupt', 'rollback', 'enqueue')),
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    finished_at       INTEGER,
    available_at      INTEGER NOT NULL,
    temporary         INTEGER NOT NULL DEFAULT 0 CHECK (temporary IN (0, 1)),
    attempt           INTEGER NOT NULL DEFAULT 0, -- the fencing token: grows with every claim, never goes back
    crashes           INTEGER NOT NULL DEFAULT 0, -- attempts whose worker was lost; hand-backs are not charged
    worker_id         TEXT,
    cancel_action     TEXT CHECK (cancel_action IN ('interrupt', 'rollback')),
    cancel_reason     TEXT,
    event_seq         INTEGER NOT NULL DEFAULT 0,
    output_id         INTEGER REFERENCES outputs,
    error             TEXT,
    interrupts        TEXT,
    metadata          TEXT NOT NULL,
    CHECK ((finished_at IS NOT NULL) = (status IN ('success', 'error', 'timeout', 'interrupted'))),
    CHECK ((worker_id IS NOT NULL) = (status = 'running')),
    CHECK (status <> 'running' OR attempt >= 1)
);
CREATE UNIQUE INDEX runs_one_running ON runs (thread_id) WHERE status = 'running';
CREATE INDEX runs_active ON runs (thread_id, position) WHERE status IN ('pending', 'running');
CREATE INDEX runs_pending ON runs (available_at, position) WHERE status = 'pending';
CREATE INDEX runs_of_worker ON runs (worker_id) WHERE status = 'running';
CREATE INDEX runs_by_thread ON runs (thread_id, position);
CREATE INDEX runs_by_status ON runs (thread_id, status, position);
CREATE INDEX runs_by_output ON runs (output_id) WHERE output_id IS NOT NULL;

-- What a run was asked to do; apart, so that a change of status does not rewrite its input.
CREATE TABLE run_requests (
    run_id TEXT PRIMARY KEY REFERENCES runs (run_id) ON DELETE CASCADE,
    kwargs BLOB NOT NULL
) WITHOUT ROWID;

-- The event log: runs of events as they were committed together. seq is dense from 1 in the run, thread_seq in the thread.
CREATE TABLE event_chunks (
    run_id     TEXT NOT NULL,
    first_seq  INTEGER NOT NULL CHECK (first_seq >= 1),
    last_seq   INTEGER NOT NULL CHECK (last_seq >= first_seq),
    thread_id  TEXT NOT NULL,
    thread_seq INTEGER NOT NULL, -- of the last event
    attempt    INTEGER NOT NULL,
    events     BLOB NOT NULL,
    PRIMARY KEY (run_id, first_seq)
);
CREATE UNIQUE INDEX event_chunks_by_thread ON event_chunks (thread_id, thread_seq);

-- A worker's lease covers all its runs: one row to renew, however many they are.
CREATE TABLE workers (
    worker_id  TEXT PRIMARY KEY,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    key        TEXT PRIMARY KEY,
    digest     TEXT NOT NULL,
    run_ids    TEXT NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
