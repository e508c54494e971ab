-- The tables of the hot path as PostgreSQL has them, in a schema of their own. What no statement of costs.py reads is left out.
DROP SCHEMA IF EXISTS treadle_costs CASCADE;
CREATE SCHEMA treadle_costs;
SET search_path TO treadle_costs;

CREATE TABLE threads (
    thread_id TEXT PRIMARY KEY, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, state_updated_at BIGINT NOT NULL,
    status TEXT NOT NULL DEFAULT 'idle', resting TEXT NOT NULL DEFAULT 'idle', settled INTEGER NOT NULL DEFAULT 0,
    event_seq BIGINT NOT NULL DEFAULT 0, output_id BIGINT, gone_at BIGINT, held_until BIGINT,
    metadata TEXT NOT NULL DEFAULT '{}', config TEXT NOT NULL DEFAULT '{}', error TEXT, interrupts TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX threads_by_creation ON threads (created_at) WHERE gone_at IS NULL;
CREATE INDEX threads_by_update ON threads (updated_at) WHERE gone_at IS NULL;
CREATE INDEX threads_by_status ON threads (status, created_at) WHERE gone_at IS NULL;
CREATE INDEX threads_by_output ON threads (output_id) WHERE output_id IS NOT NULL;

CREATE TABLE runs (
    position BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY, run_id TEXT NOT NULL UNIQUE,
    thread_id TEXT NOT NULL REFERENCES threads, assistant_id TEXT NOT NULL, graph_id TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending', multitask_strategy TEXT NOT NULL, created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL, finished_at BIGINT, available_at BIGINT NOT NULL, temporary INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 0, crashes INTEGER NOT NULL DEFAULT 0, worker_id TEXT, cancel_action TEXT,
    event_seq BIGINT NOT NULL DEFAULT 0, output_id BIGINT, error TEXT, metadata TEXT NOT NULL,
    CHECK ((finished_at IS NOT NULL) = (status IN ('success', 'error', 'timeout', 'interrupted'))),
    CHECK ((worker_id IS NOT NULL) = (status = 'running'))
);
CREATE UNIQUE INDEX runs_one_running ON runs (thread_id) WHERE status = 'running';
CREATE INDEX runs_active ON runs (thread_id, position) WHERE status IN ('pending', 'running');
CREATE INDEX runs_pending ON runs (available_at, position) WHERE status = 'pending';
CREATE INDEX runs_of_worker ON runs (worker_id) WHERE status = 'running';
CREATE INDEX runs_by_thread ON runs (thread_id, position);
CREATE INDEX runs_by_status ON runs (thread_id, status, position);
CREATE INDEX runs_by_output ON runs (output_id) WHERE output_id IS NOT NULL;

CREATE TABLE run_requests (run_id TEXT PRIMARY KEY REFERENCES runs (run_id) ON DELETE CASCADE, kwargs BYTEA NOT NULL);
CREATE TABLE outputs (output_id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY, body BYTEA NOT NULL);

CREATE TABLE event_chunks (
    run_id TEXT NOT NULL, first_seq BIGINT NOT NULL, last_seq BIGINT NOT NULL, thread_id TEXT NOT NULL,
    thread_seq BIGINT NOT NULL, attempt INTEGER NOT NULL, events BYTEA NOT NULL, PRIMARY KEY (run_id, first_seq)
);
CREATE UNIQUE INDEX event_chunks_by_thread ON event_chunks (thread_id, thread_seq);

CREATE TABLE checkpoints (
    position BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY, thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL, parent_checkpoint_id TEXT, run_id TEXT NOT NULL, metadata TEXT NOT NULL, refs TEXT,
    type TEXT NOT NULL, checkpoint BYTEA NOT NULL, small BYTEA NOT NULL
);
CREATE UNIQUE INDEX checkpoints_by_id ON checkpoints (thread_id, checkpoint_ns, checkpoint_id);
CREATE INDEX checkpoints_by_run ON checkpoints (run_id);
CREATE TABLE checkpoint_writes (
    position BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY, thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL, run_id TEXT NOT NULL, task_id TEXT NOT NULL, task_path TEXT NOT NULL, writes BYTEA NOT NULL
);
CREATE INDEX checkpoint_writes_by_checkpoint ON checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id);
CREATE INDEX checkpoint_writes_by_run ON checkpoint_writes (run_id);

CREATE TABLE workers (worker_id TEXT PRIMARY KEY, expires_at BIGINT NOT NULL);
