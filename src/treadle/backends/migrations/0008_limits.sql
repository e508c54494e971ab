-- Who may run when: priorities, concurrency keys, and what a pending run waits for. Retention. Times are unix microseconds.

ALTER TABLE runs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0; -- higher ones start first
ALTER TABLE runs ADD COLUMN concurrency_key TEXT;
ALTER TABLE runs ADD COLUMN limited INTEGER NOT NULL DEFAULT 0; -- it runs in a graph whose runs are limited
-- What a pending run waits for: 'time', 'thread', 'graph:…' or 'key:…'; null when a claim is to look at it. So a claim does
-- not see what cannot run; whoever ends a reason wakes one that waits for it, in the same transaction.
ALTER TABLE runs ADD COLUMN blocked_by TEXT CHECK (blocked_by IS NULL OR status = 'pending');
ALTER TABLE runs ADD COLUMN trimmed INTEGER NOT NULL DEFAULT 0; -- of its events only the end is kept

UPDATE runs SET blocked_by = 'time' WHERE status = 'pending'; -- the first claim sees which are due

DROP INDEX runs_pending;
CREATE INDEX runs_ready ON runs (priority DESC, available_at, position) WHERE status = 'pending' AND blocked_by IS NULL;
CREATE INDEX runs_blocked ON runs (blocked_by, priority DESC, available_at, position)
    WHERE status = 'pending' AND blocked_by <> 'time';
CREATE INDEX runs_delayed ON runs (available_at) WHERE status = 'pending' AND blocked_by = 'time';
-- one that lost its worker goes before whatever else waits on its thread
CREATE INDEX runs_started ON runs (thread_id, status, attempt) WHERE status = 'pending' AND attempt > 0;
CREATE INDEX runs_of_graph ON runs (graph_id) WHERE status = 'running' AND limited <> 0;
CREATE INDEX runs_of_key ON runs (concurrency_key) WHERE status = 'running' AND concurrency_key IS NOT NULL;
CREATE INDEX runs_ended ON runs (finished_at) WHERE finished_at IS NOT NULL AND trimmed = 0;
CREATE INDEX runs_trimmed ON runs (finished_at) WHERE trimmed <> 0;
