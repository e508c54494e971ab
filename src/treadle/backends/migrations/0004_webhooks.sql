-- The webhook outbox: a row is written by the transaction that ends a run, and stays until it is old. Times are unix
-- microseconds.

ALTER TABLE runs ADD COLUMN webhook TEXT;
ALTER TABLE runs ADD COLUMN started_at INTEGER; -- of the first attempt

CREATE TABLE webhook_deliveries (
    position     INTEGER PRIMARY KEY AUTOINCREMENT, -- order of endings
    delivery_id  TEXT NOT NULL UNIQUE,
    run_id       TEXT NOT NULL,
    thread_id    TEXT NOT NULL,
    run_status   TEXT NOT NULL,
    url          TEXT NOT NULL,
    receiver     TEXT NOT NULL, -- scheme, host and port: deliveries of one thread to one receiver keep their order
    status       TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    created_at   INTEGER NOT NULL,
    since        INTEGER NOT NULL, -- trying again is bounded from here: the ending, or the last redelivery
    failures     INTEGER NOT NULL DEFAULT 0, -- tries that failed since then
    tries        INTEGER NOT NULL DEFAULT 0, -- all of them; the fencing token of a try
    next_try_at  INTEGER,
    leased_until INTEGER, -- a try is under way
    finished_at  INTEGER,
    payload      BLOB NOT NULL, -- JSON as of the ending; the time of sending is added by each try
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
    delivery_id TEXT NOT NULL REFERENCES webhook_deliveries (delivery_id) ON DELETE CASCADE,
    number      INTEGER NOT NULL CHECK (number >= 1),
    at          INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status_code INTEGER,
    error       TEXT,
    PRIMARY KEY (delivery_id, number)
) WITHOUT ROWID;
