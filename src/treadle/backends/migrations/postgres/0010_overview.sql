-- compatible-from: 2
-- What it means: migrations/0010_overview.sql

ALTER TABLE runs ADD COLUMN tags TEXT COLLATE "C"; -- JSON array; null when it has none
UPDATE runs r SET tags = f.tags FROM (
    SELECT q.run_id, json_binary(convert_from(q.kwargs, 'UTF8')) #> '{config,tags}' #>> '{}' AS tags
    FROM run_requests q WHERE position('"tags":['::bytea IN q.kwargs) > 0
) f
WHERE f.run_id = r.run_id AND f.tags LIKE '[_%' AND f.tags <> '[]';

CREATE INDEX runs_listed ON runs (temporary, status, created_at, position);
CREATE INDEX runs_of_assistant ON runs (assistant_id, status, created_at, position, temporary);

-- A worker of an older release does not tell.
ALTER TABLE workers ADD COLUMN host TEXT COLLATE "C";
ALTER TABLE workers ADD COLUMN pid BIGINT;
ALTER TABLE workers ADD COLUMN version TEXT COLLATE "C";
ALTER TABLE workers ADD COLUMN concurrency BIGINT;
ALTER TABLE workers ADD COLUMN started_at BIGINT;
