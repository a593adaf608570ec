-- The table of the first schema, which nothing reads any more and no erasure reaches. What it knew is in identity_links:
-- sessions and hashes that named a user of their own since the last file, hashes that were only ever seen beside a stronger
-- identifier since a moment ago (`old_identities.py`). Users that it had merged are apart again, by today's rules.
-- The same rules of writing hold. SYNC: the files are gone when the statement returns, and not minutes later.
DROP TABLE IF EXISTS events.identities SYNC;
