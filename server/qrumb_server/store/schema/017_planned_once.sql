-- The view of 008 with the same answers, planned in half the time. The same rules of writing hold.

-- Unique events with what is known by now: a session registered late, a user learnt late, an identifier whose owner
-- turned out to be another or to be shared. The order in which things arrived leaves no trace. ANY: a match never
-- multiplies an event. Precedence: the event's own identifiers, then who identified first in its session, then whom the
-- QR redirect named; a phone or an e-mail address then stands for its owner. A session lends its user only where the
-- event's consent permits one, and never to an erased row. The sessions, of which there are many, are joined to the table
-- itself, whose size the engine knows: it then reads the smaller side first, and of the other one what fits it. The joined
-- columns have names of their own, or the view's columns would get a prefix.
-- What events.identity_owners says is said here again: the engine plans a view inside a view anew at several places.
CREATE OR REPLACE VIEW events.attributed_events AS
SELECT * EXCEPT (named_user_id, owned_site_id, owned_user_id, owner_user_id) REPLACE (if(owner_user_id = '', named_user_id, owner_user_id) AS user_id, multiIf(named_user_id = '', '', user_id_source = 'identifiers', 'identifiers', 'session') AS user_id_source)
FROM
(
    SELECT
        * EXCEPT (session_qr_code_id, session_user_id, lent_site_id, lent_session_id, lent_user_id) REPLACE (if(session_qr_code_id = '', qr_code_id, session_qr_code_id) AS qr_code_id),
        multiIf(user_id_source = 'erased', '', user_id_source = 'identifiers', if(identified_user_id = '', user_id, identified_user_id), consent NOT IN ('', 'granted'), '', lent_user_id != '', lent_user_id, session_user_id) AS named_user_id
    FROM
    (
        SELECT * EXCEPT (own_session_id, other_site_id, other_event_id, other_source, other_event_type, other_event_name, other_page_url, other_page_title, other_referrer, other_device_type, other_browser_family, other_os_family, other_country_code, other_city, other_conversion_value, other_conversion_currency, other_metadata, other_scan_session_id, other_qr_code_id, other_user_id, other_user_id_source, other_identified_user_id, other_consent, other_is_fraud, other_fraud_reasons, other_session_qr_code_id, other_session_user_id) REPLACE (if(other_source = 'server', 'server', source) AS source, if(other_source = 'browser', other_event_type, event_type) AS event_type, if(other_source = 'server', other_event_name, event_name) AS event_name, if(other_source = 'browser', other_page_url, page_url) AS page_url, if(other_source = 'browser', other_page_title, page_title) AS page_title, if(other_source = 'browser', other_referrer, referrer) AS referrer, if(other_source = 'browser', other_device_type, device_type) AS device_type, if(other_source = 'browser', other_browser_family, browser_family) AS browser_family, if(other_source = 'browser', other_os_family, os_family) AS os_family, if(other_source = 'browser' AND country_code = '', other_country_code, country_code) AS country_code, if(other_source = 'browser' AND city = '', other_city, city) AS city, if(other_source = 'server', other_conversion_value, conversion_value) AS conversion_value, if(other_source = 'server', other_conversion_currency, conversion_currency) AS conversion_currency, if(other_source = 'server' AND other_metadata != '{}' OR other_source = 'browser' AND metadata = '{}', other_metadata, metadata) AS metadata, if(other_scan_session_id != '' AND (own_session_id = '' OR other_source = 'server'), other_scan_session_id, scan_session_id) AS scan_session_id, if(other_scan_session_id != '' AND (own_session_id = '' OR other_source = 'server') OR own_session_id = '' AND qr_code_id = '', other_qr_code_id, qr_code_id) AS qr_code_id, if(other_source = 'server', other_user_id, user_id) AS user_id, if(other_source = 'server', other_user_id_source, user_id_source) AS user_id_source, if(other_source = 'server', other_identified_user_id, identified_user_id) AS identified_user_id, multiIf(other_source = '', consent, consent = 'granted' OR other_consent = 'granted', 'granted', consent = '' OR other_consent = '', '', consent = 'pending' OR other_consent = 'pending', 'pending', 'denied') AS consent, if(other_source = 'server', other_is_fraud, is_fraud) AS is_fraud, if(other_source = 'server', other_fraud_reasons, fraud_reasons) AS fraud_reasons, if(other_scan_session_id != '' AND (own_session_id = '' OR other_source = 'server'), other_session_qr_code_id, session_qr_code_id) AS session_qr_code_id, if(other_scan_session_id != '' AND (own_session_id = '' OR other_source = 'server'), other_session_user_id, session_user_id) AS session_user_id)
        FROM
        (
            SELECT * EXCEPT (session_site_id, session_id, unknown_fields), scan_session_id AS own_session_id
            FROM events.valid_events
            ANY LEFT JOIN
            (
                SELECT site_id AS session_site_id, scan_session_id AS session_id, qr_code_id AS session_qr_code_id, user_id AS session_user_id
                FROM events.scan_sessions FINAL
                WHERE scan_session_id != ''
            ) AS sessions ON site_id = session_site_id AND scan_session_id = session_id
            WHERE is_duplicate = 0
        ) AS counted
        ANY LEFT JOIN
        (
            SELECT site_id AS other_site_id, event_id AS other_event_id, source AS other_source, event_type AS other_event_type, event_name AS other_event_name, page_url AS other_page_url, page_title AS other_page_title, referrer AS other_referrer, device_type AS other_device_type, browser_family AS other_browser_family, os_family AS other_os_family, country_code AS other_country_code, city AS other_city, conversion_value AS other_conversion_value, conversion_currency AS other_conversion_currency, metadata AS other_metadata, scan_session_id AS other_scan_session_id, qr_code_id AS other_qr_code_id, user_id AS other_user_id, user_id_source AS other_user_id_source, identified_user_id AS other_identified_user_id, consent AS other_consent, is_fraud AS other_is_fraud, fraud_reasons AS other_fraud_reasons, session_qr_code_id AS other_session_qr_code_id, session_user_id AS other_session_user_id
            FROM events.valid_events
            ANY LEFT JOIN
            (
                SELECT site_id AS session_site_id, scan_session_id AS session_id, qr_code_id AS session_qr_code_id, user_id AS session_user_id
                FROM events.scan_sessions FINAL
                WHERE scan_session_id != ''
            ) AS sessions ON site_id = session_site_id AND scan_session_id = session_id
            WHERE is_counterpart = 1
        ) AS counterparts ON site_id = other_site_id AND event_id = other_event_id
    ) AS completed
    ANY LEFT JOIN
    (
        SELECT site_id AS lent_site_id, identifier AS lent_session_id, argMin(user_id, (first_time, user_id)) AS lent_user_id
        FROM events.identity_links FINAL
        WHERE kind = 'scan_session' AND identifier != ''
        GROUP BY site_id, kind, identifier
        HAVING count() <= 10 AND countIf(user_id = '') = 0
    ) AS lent ON site_id = lent_site_id AND scan_session_id = lent_session_id
) AS named
ANY LEFT JOIN
(
    SELECT owned_site_id, owned_user_id, if(further_owner = '', owner, further_owner) AS owner_user_id
    FROM
    (
        SELECT site_id AS owned_site_id, identifier AS owned_user_id, argMinIf(user_id, (first_time, user_id), may_own) AS owner
        FROM
        (
            SELECT
                site_id,
                kind,
                identifier,
                user_id,
                first_time,
                (site_id, user_id) GLOBAL NOT IN
                (
                    SELECT site_id, user_id
                    FROM events.identity_links FINAL
                    WHERE kind IN ('email', 'phone') AND user_id != ''
                    GROUP BY site_id, user_id
                    HAVING count() > 10
                ) AS may_own
            FROM events.identity_links FINAL
            WHERE kind IN ('email', 'phone')
        ) AS links
        GROUP BY site_id, kind, identifier
        HAVING count() <= 10 AND countIf(user_id = '') = 0 AND countIf(may_own) > 0
    ) AS owners
    ANY LEFT JOIN
    (
        SELECT site_id AS further_site_id, identifier AS further_identifier, argMinIf(user_id, (first_time, user_id), may_own) AS further_owner
        FROM
        (
            SELECT
                site_id,
                kind,
                identifier,
                user_id,
                first_time,
                (site_id, user_id) GLOBAL NOT IN
                (
                    SELECT site_id, user_id
                    FROM events.identity_links FINAL
                    WHERE kind IN ('email', 'phone') AND user_id != ''
                    GROUP BY site_id, user_id
                    HAVING count() > 10
                ) AS may_own
            FROM events.identity_links FINAL
            WHERE kind = 'email'
        ) AS links
        GROUP BY site_id, kind, identifier
        HAVING count() <= 10 AND countIf(user_id = '') = 0 AND countIf(may_own) > 0
    ) AS further ON owned_site_id = further_site_id AND owner = further_identifier
) AS owned ON site_id = owned_site_id AND named_user_id = owned_user_id;
