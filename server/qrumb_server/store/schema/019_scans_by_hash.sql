-- Which users have one scan is asked of the scans of two months at once, and of those, long names were most of the reading and of
-- the comparing (`query/own_paths.py`). The same rules of writing hold.
ALTER TABLE events.user_scans ADD COLUMN IF NOT EXISTS user_hash UInt64 DEFAULT cityHash64(user_id);
ALTER TABLE events.user_scans ADD COLUMN IF NOT EXISTS session_hash UInt64 DEFAULT cityHash64(scan_session_id);

-- Of parts that are there, in the background; until then they are made as they are read. Only in the embedded database, which
-- alone asks for them (`schema/render.py`).
ALTER TABLE events.user_scans MATERIALIZE COLUMN user_hash;
ALTER TABLE events.user_scans MATERIALIZE COLUMN session_hash;
