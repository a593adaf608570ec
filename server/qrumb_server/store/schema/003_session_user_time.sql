-- Of several users that registrations of one session name, the earliest scan's counts. The same rules of writing hold.

-- The scan time of the registration that named the user; where user_id is empty it says nothing.
ALTER TABLE events.scan_sessions ADD COLUMN IF NOT EXISTS user_time DateTime64(3, 'UTC');
