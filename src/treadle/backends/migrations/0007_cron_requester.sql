-- Who made a cron, where users are authenticated: its runs are made for them.
ALTER TABLE crons ADD COLUMN requester TEXT;
