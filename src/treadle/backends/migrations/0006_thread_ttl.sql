-- Threads that go, or lose their older checkpoints, when nothing has changed on them for a while.

ALTER TABLE threads ADD COLUMN ttl_minutes REAL CHECK (ttl_minutes > 0);
ALTER TABLE threads ADD COLUMN ttl_strategy TEXT CHECK (ttl_strategy IN ('delete', 'keep_latest'));
-- when its older checkpoints went; there is nothing more to do until it changes again
ALTER TABLE threads ADD COLUMN pruned_at INTEGER;
-- derived, so that every change of the thread puts it off
ALTER TABLE threads ADD COLUMN expires_at INTEGER AS (
    CASE WHEN pruned_at >= updated_at THEN NULL ELSE updated_at + CAST(ttl_minutes * 60000000 AS INTEGER) END
) VIRTUAL;
CREATE INDEX threads_by_expiry ON threads (expires_at) WHERE expires_at IS NOT NULL;
