-- Scheduled runs. Times are unix microseconds. A cron goes with its thread and with its assistant.

CREATE TABLE crons (
    cron_id          TEXT PRIMARY KEY,
    assistant_id     TEXT NOT NULL REFERENCES assistants ON DELETE CASCADE,
    thread_id        TEXT REFERENCES threads ON DELETE CASCADE,
    schedule         TEXT NOT NULL,
    timezone         TEXT,
    end_time         INTEGER,
    next_run_date    INTEGER, -- null when it never comes due again
    enabled          INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    on_run_completed TEXT CHECK (on_run_completed IN ('delete', 'keep')),
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    payload          TEXT NOT NULL,
    metadata         TEXT NOT NULL,
    -- only the thread of a run that got one of its own can go with it
    CHECK ((on_run_completed IS NULL) = (thread_id IS NOT NULL)),
    CHECK (next_run_date IS NULL OR end_time IS NULL OR next_run_date <= end_time)
) WITHOUT ROWID;
CREATE INDEX crons_due ON crons (next_run_date) WHERE enabled = 1 AND next_run_date IS NOT NULL;
CREATE INDEX crons_by_thread ON crons (thread_id);
CREATE INDEX crons_by_assistant ON crons (assistant_id);
CREATE INDEX crons_by_creation ON crons (created_at);
