-- The same rules of writing hold.

-- What the client's clock said where client_event_time cannot hold it (before 1900, after 2299) and has its nearest
-- instead: RFC 3339, UTC. '' elsewhere. For reading only, so the views do without it.
ALTER TABLE events.valid_events ADD COLUMN IF NOT EXISTS client_event_time_text String CODEC(ZSTD(1));
