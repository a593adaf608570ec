-- Of several users that registrations of one session name, the earliest scan's counts. The same rules of writing hold.

-- The scan time of the registration that named the user. Where user_id is empty, that user was erased, and no registration
-- names one any more; 1970 where there never was one.
ALTER TABLE events.scan_sessions ADD COLUMN IF NOT EXISTS user_time DateTime64(3, 'UTC');
