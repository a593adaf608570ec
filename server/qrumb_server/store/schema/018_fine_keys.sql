-- The keys of 013 in pieces of 512 rows in place of 8192: a look-up reads one piece of each part (`query/one_event.py`). Only
-- in the embedded database: servers that are supported do not know such settings, and keep the projection by_event_id
-- (`schema/render.py`). The same rules of writing hold.
ALTER TABLE events.valid_events ADD PROJECTION IF NOT EXISTS fine_event_id (SELECT event_id, event_type, event_time, toYYYYMM(received_time) ORDER BY event_id) WITH SETTINGS (index_granularity = 512);

-- Of parts that are there, in the background. Until then their column event_id is read.
ALTER TABLE events.valid_events MATERIALIZE PROJECTION fine_event_id;
ALTER TABLE events.valid_events DROP PROJECTION IF EXISTS by_event_id;
