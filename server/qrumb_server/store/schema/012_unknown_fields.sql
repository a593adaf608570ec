-- What was not stored is found by name. The same rules of writing hold.

-- Names of members that the contract does not have where they were sent: nothing else of them is stored. Of the row as it
-- was sent, so the views do without it.
ALTER TABLE events.valid_events ADD COLUMN IF NOT EXISTS unknown_fields Array(String) CODEC(ZSTD(1));
