-- A session that is gone from its table is missed. The same rules of writing hold.

-- Registrations that were their session's first, at the time that its row has. 0 where another node may have seen the
-- same session first, so on every server.
ALTER TABLE events.ledger ADD COLUMN IF NOT EXISTS new_session_count UInt64;
