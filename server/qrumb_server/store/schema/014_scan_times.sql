-- Scans of a range by time. Rows lie in order of their sessions, whose ids begin with their time where a client of ours made
-- them (UUIDv7), so most granules hold scans of a few hours. The same rules of writing hold.
ALTER TABLE events.scan_sessions ADD INDEX IF NOT EXISTS by_scan_time scan_time TYPE minmax GRANULARITY 1;

-- Whom a redirect named, which few do: a receipt asks for the sessions of its user.
ALTER TABLE events.scan_sessions ADD INDEX IF NOT EXISTS by_user_id user_id TYPE bloom_filter(0.01) GRANULARITY 1;

-- Of parts that are there, in the background. Until then they are read whole.
ALTER TABLE events.scan_sessions MATERIALIZE INDEX by_scan_time;
ALTER TABLE events.scan_sessions MATERIALIZE INDEX by_user_id;
