-- Runs of all threads, newest first, by status or assistant; what workers say of themselves. Times are unix microseconds.

ALTER TABLE runs ADD COLUMN tags TEXT; -- JSON array; null when it has none
UPDATE runs SET tags = (
    SELECT json_extract(CAST(q.kwargs AS TEXT), '$.config.tags') FROM run_requests q WHERE q.run_id = runs.run_id
)
WHERE run_id IN (
    SELECT run_id FROM run_requests
    WHERE instr(kwargs, CAST('"tags":[' AS BLOB)) > 0 AND json_valid(CAST(kwargs AS TEXT))
    AND json_array_length(CAST(kwargs AS TEXT), '$.config.tags') > 0
);

-- An ended temporary run is not listed: with what its status and `temporary` say, each listing is a few ranges of these. What
-- claims ask names a status and nothing of `temporary`, so that these never look better to a planner than their own.
CREATE INDEX runs_listed ON runs (temporary, status, created_at, position);
CREATE INDEX runs_of_assistant ON runs (assistant_id, status, created_at, position, temporary);

-- A worker of an older release does not tell.
ALTER TABLE workers ADD COLUMN host TEXT;
ALTER TABLE workers ADD COLUMN pid INTEGER;
ALTER TABLE workers ADD COLUMN version TEXT;
ALTER TABLE workers ADD COLUMN concurrency INTEGER;
ALTER TABLE workers ADD COLUMN started_at INTEGER;
