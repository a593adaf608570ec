-- A user that was seen with more hashes than a person has joins none of them. The same rules of writing hold.

-- Whose an identifier is: the user that was first seen with it, ties decided by name. Neither has an owner: one that was
-- seen with more than ten users (an office's phone, a kiosk's session), and one that was split. A user that was seen with
-- more than ten hashes (an account that a template or a desk made up) owns none of them.
CREATE OR REPLACE VIEW events.identity_owners AS
SELECT site_id, kind, identifier, argMinIf(user_id, (first_time, user_id), may_own) AS owner
FROM
(
    SELECT
        site_id,
        kind,
        identifier,
        user_id,
        first_time,
        kind = 'scan_session' OR (site_id, user_id) GLOBAL NOT IN
        (
            SELECT site_id, user_id
            FROM events.identity_links FINAL
            WHERE kind IN ('email', 'phone') AND user_id != ''
            GROUP BY site_id, user_id
            HAVING count() > 10
        ) AS may_own
    FROM events.identity_links FINAL
) AS links
GROUP BY site_id, kind, identifier
HAVING count() <= 10 AND countIf(user_id = '') = 0 AND countIf(may_own) > 0;
