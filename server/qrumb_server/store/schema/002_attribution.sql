-- What attribution needs beyond the first file. The same rules of writing hold.

-- Where user_id comes from: 'identifiers' of the event itself, or 'session', whose user was lent to it. A lent user is
-- looked up anew at query time, since an earlier identification may turn up late.
ALTER TABLE events.valid_events ADD COLUMN IF NOT EXISTS user_id_source LowCardinality(String);

-- Rows of one site and type lie in order of event_time, which is near received_time: so this index lets a look-up of
-- recent events skip the old ones.
ALTER TABLE events.valid_events ADD INDEX IF NOT EXISTS by_received_time received_time TYPE minmax GRANULARITY 1;

-- Duplicates whose payload is not the original's; and rejected events that were stored after all, by a replay:
-- received = stored + rejected - replayed.
ALTER TABLE events.ledger ADD COLUMN IF NOT EXISTS conflict_count UInt64;
ALTER TABLE events.ledger ADD COLUMN IF NOT EXISTS replayed_count UInt64;

-- Every event once. is_duplicate says so already but for one case: two loaders that take the same event at the same
-- moment cannot see each other's row. Then the first received stands for both, the segment deciding a tie.
CREATE OR REPLACE VIEW events.unique_events AS
SELECT *
FROM events.valid_events
WHERE is_duplicate = 0
ORDER BY received_time, segment_id, segment_row
LIMIT 1 BY site_id, event_id;

-- Unique events with what is known by now: a session registered late, a user learnt late, two users found to be one.
-- The order in which things arrived leaves no trace. ANY and FINAL: a match never multiplies an event. Precedence: the
-- event's own identifiers, then who identified first in its session, then whom the QR redirect named. A session lends
-- its user only where the event's consent permits one. The joined columns have names of their own, or the view's
-- columns would get a prefix.
CREATE OR REPLACE VIEW events.attributed_events AS
SELECT * EXCEPT (named_user_id, merged_site_id, merged_identifier, merged_user_id) REPLACE (if(merged_user_id = '', named_user_id, merged_user_id) AS user_id)
FROM
(
    SELECT
        * EXCEPT (session_site_id, session_id, session_qr_code_id, session_user_id, lent_site_id, lent_session_id, lent_user_id) REPLACE (if(session_qr_code_id = '', qr_code_id, session_qr_code_id) AS qr_code_id, multiIf(user_id_source = 'identifiers', 'identifiers', consent NOT IN ('', 'granted') OR (lent_user_id = '' AND session_user_id = '' AND user_id = ''), '', 'session') AS user_id_source),
        multiIf(user_id_source = 'identifiers', user_id, consent NOT IN ('', 'granted'), '', lent_user_id != '', lent_user_id, session_user_id != '', session_user_id, user_id) AS named_user_id
    FROM events.unique_events
    ANY LEFT JOIN
    (
        SELECT site_id AS session_site_id, scan_session_id AS session_id, qr_code_id AS session_qr_code_id, user_id AS session_user_id
        FROM events.scan_sessions FINAL
        WHERE scan_session_id != ''
    ) AS sessions ON site_id = session_site_id AND scan_session_id = session_id
    ANY LEFT JOIN
    (
        SELECT site_id AS lent_site_id, identifier AS lent_session_id, user_id AS lent_user_id
        FROM events.identities FINAL
        WHERE kind = 'scan_session' AND identifier != ''
    ) AS lent ON site_id = lent_site_id AND scan_session_id = lent_session_id
) AS named
ANY LEFT JOIN
(
    SELECT site_id AS merged_site_id, identifier AS merged_identifier, user_id AS merged_user_id
    FROM events.identities FINAL
    WHERE kind = 'user_id' AND identifier != ''
) AS merged ON site_id = merged_site_id AND named_user_id = merged_identifier;
