-- no transaction
-- What went out in the last days: movements are written in the order of their times, so a range of blocks is enough.
CREATE INDEX CONCURRENTLY movement_moved_at ON movement USING brin (moved_at) WITH (autosummarize = on);
