-- compatible-from: 1
-- The schema of PostgreSQL: the tables of SQLite's migrations, and the functions that its statements count on. Times are
-- unix microseconds. Text compares by bytes, as it does in SQLite.

-- --- functions -------------------------------------------------------------------------------------------------------

-- JSON as jsonb, also where it holds what jsonb cannot: NUL characters and lone surrogates become U+FFFD.
CREATE FUNCTION json_cleaned(document text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN document::jsonb;
EXCEPTION WHEN others THEN
    RETURN regexp_replace(
        document, '(?<!\\)((?:\\\\)*)\\u(0000|[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|[dD][c-fC-F][0-9a-fA-F]{2})', '\1' || chr(65533), 'g'
    )::jsonb;
END $$;
CREATE FUNCTION json_binary(document text) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN document ~ '\\u(0000|[dD][89a-fA-F])' THEN json_cleaned(document) ELSE document::jsonb END
$$;
CREATE FUNCTION json_contains(document text, part text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT json_binary(document) @> json_binary(part)
$$;
CREATE FUNCTION json_contains(document bytea, part text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT json_binary(convert_from(document, 'UTF8')) @> json_binary(part)
$$;
-- treadle.filters.permits, for the filters of a JSON array.
CREATE FUNCTION json_meets(have jsonb, wanted jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT have IS NOT NULL AND CASE
        WHEN jsonb_typeof(wanted) <> 'object' THEN have = wanted
        WHEN wanted = '{}' OR EXISTS (SELECT 1 FROM jsonb_object_keys(wanted) k WHERE k NOT IN ('$eq', '$contains')) THEN false
        ELSE (NOT wanted ? '$eq' OR have = wanted -> '$eq') AND (NOT wanted ? '$contains' OR (
            jsonb_typeof(have) = 'array' AND NOT EXISTS (
                SELECT 1 FROM jsonb_array_elements(
                    CASE jsonb_typeof(wanted -> '$contains') WHEN 'array' THEN wanted -> '$contains'
                    ELSE jsonb_build_array(wanted -> '$contains') END) sought
                WHERE NOT EXISTS (
                    SELECT 1 FROM jsonb_array_elements(CASE jsonb_typeof(have) WHEN 'array' THEN have ELSE '[]' END) held
                    WHERE held = sought))))
    END
$$;
CREATE FUNCTION json_permits(metadata text, filters text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT metadata IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM jsonb_array_elements(json_binary(filters)) filter, jsonb_each(filter) condition
        WHERE NOT json_meets(json_binary(metadata) -> condition.key, condition.value))
$$;
-- SQLite's names.
CREATE FUNCTION json_each(document text) RETURNS TABLE (key text, value text)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 8 AS $$
    SELECT e.key, e.value FROM json_each_text(CASE left(document, 1) WHEN '{' THEN document::json ELSE '{}' END) e
    UNION ALL
    SELECT (a.n - 1)::text, a.value
    FROM json_array_elements_text(CASE left(document, 1) WHEN '[' THEN document::json ELSE '[]' END)
        WITH ORDINALITY a (value, n)
$$;
CREATE FUNCTION json_valid(document text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN document::jsonb IS NOT NULL;
EXCEPTION WHEN others THEN
    RETURN false;
END $$;
CREATE FUNCTION json_extract(document text, path text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT json_binary(document) ->> substr(path, 3)
$$;
CREATE FUNCTION json_set(document text, path text, value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT jsonb_set(document::jsonb, ARRAY[substr(path, 3)], to_jsonb(value))::text
$$;
CREATE FUNCTION instr(hay text, needle text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT strpos(hay, needle)
$$;

-- --- assistants, threads, runs ---------------------------------------------------------------------------------------

CREATE TABLE assistants (
    assistant_id TEXT COLLATE "C" PRIMARY KEY,
    graph_id     TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    description  TEXT COLLATE "C",
    version      BIGINT NOT NULL CHECK (version >= 1),
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    config       TEXT COLLATE "C" NOT NULL,
    context      TEXT COLLATE "C" NOT NULL,
    metadata     TEXT COLLATE "C" NOT NULL
);
CREATE INDEX assistants_by_graph ON assistants (graph_id, created_at);
CREATE INDEX assistants_by_creation ON assistants (created_at);
CREATE INDEX assistants_by_metadata ON assistants USING gin (json_binary(metadata) jsonb_path_ops);

CREATE TABLE assistant_versions (
    assistant_id TEXT COLLATE "C" NOT NULL REFERENCES assistants ON DELETE CASCADE,
    version      BIGINT NOT NULL,
    graph_id     TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    description  TEXT COLLATE "C",
    created_at   BIGINT NOT NULL,
    config       TEXT COLLATE "C" NOT NULL,
    context      TEXT COLLATE "C" NOT NULL,
    metadata     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (assistant_id, version)
);

-- Final states, once each: a run points to its own, a thread to that of the run that settled last.
CREATE TABLE outputs (
    output_id BIGINT PRIMARY KEY,
    body      BYTEA NOT NULL
);

CREATE TABLE threads (
    thread_id        TEXT COLLATE "C" PRIMARY KEY,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    state_updated_at BIGINT NOT NULL,
    -- derived: busy while a run is active, else what the last settled run left (resting)
    status           TEXT COLLATE "C" NOT NULL DEFAULT 'idle' CHECK (status IN ('idle', 'busy', 'interrupted', 'error')),
    resting          TEXT COLLATE "C" NOT NULL DEFAULT 'idle' CHECK (resting IN ('idle', 'interrupted', 'error')),
    settled          SMALLINT NOT NULL DEFAULT 0,
    event_seq        BIGINT NOT NULL DEFAULT 0,
    output_id        BIGINT REFERENCES outputs,
    -- set when the stateless run of a temporary thread has ended: gone for the API, its stream still joinable until swept
    gone_at          BIGINT,
    -- until then no run of it is claimed: its state is being changed without a run
    held_until       BIGINT,
    metadata         TEXT COLLATE "C" NOT NULL,
    config           TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    error            TEXT COLLATE "C",
    interrupts       TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    ttl_minutes      DOUBLE PRECISION CHECK (ttl_minutes > 0),
    ttl_strategy     TEXT COLLATE "C" CHECK (ttl_strategy IN ('delete', 'keep_latest')),
    -- when its older checkpoints went; there is nothing more to do until it changes again
    pruned_at        BIGINT,
    -- derived, so that every change of the thread puts it off
    expires_at       BIGINT GENERATED ALWAYS AS (
        CASE WHEN pruned_at >= updated_at THEN NULL ELSE updated_at + CAST(ttl_minutes * 60000000 AS BIGINT) END
    ) STORED
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX threads_by_creation ON threads (created_at, thread_id) WHERE gone_at IS NULL;
CREATE INDEX threads_by_update ON threads (updated_at) WHERE gone_at IS NULL;
CREATE INDEX threads_by_status ON threads (status, created_at) WHERE gone_at IS NULL;
CREATE INDEX threads_by_metadata ON threads USING gin (json_binary(metadata) jsonb_path_ops) WHERE gone_at IS NULL;
CREATE INDEX threads_gone ON threads (gone_at) WHERE gone_at IS NOT NULL;
CREATE INDEX threads_held ON threads (held_until) WHERE held_until IS NOT NULL;
CREATE INDEX threads_by_output ON threads (output_id) WHERE output_id IS NOT NULL;
CREATE INDEX threads_by_expiry ON threads (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE runs (
    position          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- creation order
    run_id            TEXT COLLATE "C" NOT NULL UNIQUE,
    thread_id         TEXT COLLATE "C" NOT NULL REFERENCES threads,
    assistant_id      TEXT COLLATE "C" NOT NULL,
    graph_id          TEXT COLLATE "C" NOT NULL,
    status            TEXT COLLATE "C" NOT NULL DEFAULT 'pending'
                      CHECK (status IN ('pending', 'running', 'success', 'error', 'timeout', 'interrupted')),
    multitask_strategy TEXT COLLATE "C" NOT NULL CHECK (multitask_strategy IN ('reject', 'interrupt', 'rollback', 'enqueue')),
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    started_at        BIGINT, -- of the first attempt
    finished_at       BIGINT,
    available_at      BIGINT NOT NULL,
    temporary         SMALLINT NOT NULL DEFAULT 0 CHECK (temporary IN (0, 1)),
    attempt           BIGINT NOT NULL DEFAULT 0, -- the fencing token: grows with every claim, never goes back
    crashes           BIGINT NOT NULL DEFAULT 0, -- attempts whose worker was lost; hand-backs are not charged
    worker_id         TEXT COLLATE "C",
    cancel_action     TEXT COLLATE "C" CHECK (cancel_action IN ('interrupt', 'rollback')),
    cancel_reason     TEXT COLLATE "C",
    event_seq         BIGINT NOT NULL DEFAULT 0,
    output_id         BIGINT REFERENCES outputs,
    error             TEXT COLLATE "C",
    interrupts        TEXT COLLATE "C",
    metadata          TEXT COLLATE "C" NOT NULL,
    webhook           TEXT COLLATE "C",
    CHECK ((finished_at IS NOT NULL) = (status IN ('success', 'error', 'timeout', 'interrupted'))),
    CHECK ((worker_id IS NOT NULL) = (status = 'running')),
    CHECK (status <> 'running' OR attempt >= 1)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX runs_one_running ON runs (thread_id) WHERE status = 'running';
CREATE INDEX runs_active ON runs (thread_id, position) WHERE status IN ('pending', 'running');
CREATE INDEX runs_pending ON runs (available_at, position) WHERE status = 'pending';
CREATE INDEX runs_of_worker ON runs (worker_id) WHERE status = 'running';
CREATE INDEX runs_by_thread ON runs (thread_id, position);
CREATE INDEX runs_by_status ON runs (thread_id, status, position);
CREATE INDEX runs_by_output ON runs (output_id) WHERE output_id IS NOT NULL;

-- What a run was asked to do; apart, so that a change of status does not rewrite its input.
CREATE TABLE run_requests (
    run_id TEXT COLLATE "C" PRIMARY KEY REFERENCES runs (run_id) ON DELETE CASCADE,
    kwargs BYTEA NOT NULL
);

-- The event log: runs of events as they were committed together. seq is dense from 1 in the run, thread_seq in the thread.
CREATE TABLE event_chunks (
    run_id     TEXT COLLATE "C" NOT NULL,
    first_seq  BIGINT NOT NULL CHECK (first_seq >= 1),
    last_seq   BIGINT NOT NULL CHECK (last_seq >= first_seq),
    thread_id  TEXT COLLATE "C" NOT NULL,
    thread_seq BIGINT NOT NULL, -- of the last event
    attempt    BIGINT NOT NULL,
    events     BYTEA NOT NULL,
    PRIMARY KEY (run_id, first_seq)
);
CREATE UNIQUE INDEX event_chunks_by_thread ON event_chunks (thread_id, thread_seq);

-- A worker's lease covers all its runs: one row to renew, however many they are.
CREATE TABLE workers (
    worker_id  TEXT COLLATE "C" PRIMARY KEY,
    expires_at BIGINT NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE idempotency_keys (
    key        TEXT COLLATE "C" PRIMARY KEY,
    digest     TEXT COLLATE "C" NOT NULL,
    run_ids    TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- --- checkpoints (what they mean: migrations/0002_checkpoints.sql) ----------------------------------------------------

CREATE TABLE checkpoints (
    position             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    thread_id            TEXT COLLATE "C" NOT NULL,
    checkpoint_ns        TEXT COLLATE "C" NOT NULL,
    checkpoint_id        TEXT COLLATE "C" NOT NULL,
    parent_checkpoint_id TEXT COLLATE "C" CHECK (parent_checkpoint_id <> checkpoint_id),
    run_id               TEXT COLLATE "C" NOT NULL,
    metadata             TEXT COLLATE "C" NOT NULL,
    refs                 TEXT COLLATE "C",
    type                 TEXT COLLATE "C" NOT NULL,
    checkpoint           BYTEA NOT NULL,
    small                BYTEA NOT NULL
);
CREATE UNIQUE INDEX checkpoints_by_id ON checkpoints (thread_id, checkpoint_ns, checkpoint_id);
CREATE INDEX checkpoints_by_run ON checkpoints (run_id);

CREATE TABLE checkpoint_blobs (
    position      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    thread_id     TEXT COLLATE "C" NOT NULL,
    checkpoint_ns TEXT COLLATE "C" NOT NULL,
    channel       TEXT COLLATE "C" NOT NULL,
    version       TEXT COLLATE "C" NOT NULL,
    run_id        TEXT COLLATE "C" NOT NULL,
    type          TEXT COLLATE "C" NOT NULL,
    value         BYTEA NOT NULL
);
CREATE UNIQUE INDEX checkpoint_blobs_by_version ON checkpoint_blobs (thread_id, checkpoint_ns, channel, version);

CREATE TABLE checkpoint_writes (
    position      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    thread_id     TEXT COLLATE "C" NOT NULL,
    checkpoint_ns TEXT COLLATE "C" NOT NULL,
    checkpoint_id TEXT COLLATE "C" NOT NULL,
    run_id        TEXT COLLATE "C" NOT NULL,
    task_id       TEXT COLLATE "C" NOT NULL,
    task_path     TEXT COLLATE "C" NOT NULL,
    writes        BYTEA NOT NULL
);
CREATE INDEX checkpoint_writes_by_checkpoint ON checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id);
CREATE INDEX checkpoint_writes_by_run ON checkpoint_writes (run_id);

-- --- the store --------------------------------------------------------------------------------------------------------

CREATE TABLE store_items (
    position    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace   TEXT COLLATE "C" NOT NULL,
    key         TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    ttl_minutes DOUBLE PRECISION CHECK (ttl_minutes > 0),
    expires_at  BIGINT,
    value       BYTEA NOT NULL,
    CHECK ((ttl_minutes IS NULL) = (expires_at IS NULL))
);
CREATE UNIQUE INDEX store_items_by_key ON store_items (namespace, key);
CREATE INDEX store_items_by_expiry ON store_items (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE store_vectors (
    position BIGINT NOT NULL REFERENCES store_items ON DELETE CASCADE,
    path     TEXT COLLATE "C" NOT NULL,
    vector   BYTEA NOT NULL,
    PRIMARY KEY (position, path)
);

-- --- webhooks and crons -----------------------------------------------------------------------------------------------

CREATE TABLE webhook_deliveries (
    position     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery_id  TEXT COLLATE "C" NOT NULL UNIQUE,
    run_id       TEXT COLLATE "C" NOT NULL,
    thread_id    TEXT COLLATE "C" NOT NULL,
    run_status   TEXT COLLATE "C" NOT NULL,
    url          TEXT COLLATE "C" NOT NULL,
    receiver     TEXT COLLATE "C" NOT NULL,
    status       TEXT COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    created_at   BIGINT NOT NULL,
    since        BIGINT NOT NULL,
    failures     BIGINT NOT NULL DEFAULT 0,
    tries        BIGINT NOT NULL DEFAULT 0,
    next_try_at  BIGINT,
    leased_until BIGINT,
    finished_at  BIGINT,
    payload      BYTEA NOT NULL,
    CHECK ((next_try_at IS NOT NULL) = (status = 'pending')),
    CHECK ((finished_at IS NULL) = (status = 'pending')),
    CHECK (leased_until IS NULL OR status = 'pending')
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_try_at) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_lanes ON webhook_deliveries (thread_id, receiver, position) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_by_thread ON webhook_deliveries (thread_id, position);
CREATE INDEX webhook_deliveries_by_run ON webhook_deliveries (run_id, position);
CREATE INDEX webhook_deliveries_by_status ON webhook_deliveries (status, position);
CREATE INDEX webhook_deliveries_finished ON webhook_deliveries (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE webhook_tries (
    delivery_id TEXT COLLATE "C" NOT NULL REFERENCES webhook_deliveries (delivery_id) ON DELETE CASCADE,
    number      BIGINT NOT NULL CHECK (number >= 1),
    at          BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    status_code BIGINT,
    error       TEXT COLLATE "C",
    PRIMARY KEY (delivery_id, number)
);

CREATE TABLE crons (
    cron_id          TEXT COLLATE "C" PRIMARY KEY,
    assistant_id     TEXT COLLATE "C" NOT NULL REFERENCES assistants ON DELETE CASCADE,
    thread_id        TEXT COLLATE "C" REFERENCES threads ON DELETE CASCADE,
    schedule         TEXT COLLATE "C" NOT NULL,
    timezone         TEXT COLLATE "C",
    end_time         BIGINT,
    next_run_date    BIGINT,
    enabled          SMALLINT NOT NULL CHECK (enabled IN (0, 1)),
    on_run_completed TEXT COLLATE "C" CHECK (on_run_completed IN ('delete', 'keep')),
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    payload          TEXT COLLATE "C" NOT NULL,
    metadata         TEXT COLLATE "C" NOT NULL,
    requester        TEXT COLLATE "C",
    CHECK ((on_run_completed IS NULL) = (thread_id IS NOT NULL)),
    CHECK (next_run_date IS NULL OR end_time IS NULL OR next_run_date <= end_time)
);
CREATE INDEX crons_due ON crons (next_run_date) WHERE enabled = 1 AND next_run_date IS NOT NULL;
CREATE INDEX crons_by_thread ON crons (thread_id);
CREATE INDEX crons_by_assistant ON crons (assistant_id);
CREATE INDEX crons_by_creation ON crons (created_at);
