-- Where the rows of an event lie, by its event_id: one piece of each part is read for it, however many rows there are. The
-- filters of by_event_id say the same granule by granule, and all of them would have to be read. A projection is written,
-- merged, mutated and deleted with the rows of its part, so nothing has to keep the two alike (`query/one_event.py`).
-- The same rules of writing hold.
ALTER TABLE events.valid_events ADD PROJECTION IF NOT EXISTS by_event_id (SELECT event_id, event_type, event_time, toYYYYMM(received_time) ORDER BY event_id);

-- DELETE FROM, which nothing of ours uses, would be refused.
ALTER TABLE events.valid_events MODIFY SETTING lightweight_mutation_projection_mode = 'rebuild';

-- Of parts that are there, in the background. Until then their column event_id is read.
ALTER TABLE events.valid_events MATERIALIZE PROJECTION by_event_id;
