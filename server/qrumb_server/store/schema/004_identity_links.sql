-- Who a visitor is, as evidence instead of conclusions, so that what was joined can come apart again. The same rules of
-- writing hold.

-- One row says: within site_id, `identifier` of this `kind` was first seen with user_id at first_time. Kinds: email and
-- phone (identifier is the user that the hash names by itself, seen in one event with a stronger identifier, whose user
-- user_id is); scan_session (identifier is a scan_session_id in which user_id identified); erased_session (identifier is a
-- hash of the name of a session whose person was erased, user_id its name since first_time). An empty user_id says that an
-- operator split the identifier: it joins nothing any more. Nothing else is derived here: the view `identity_owners` is.
CREATE TABLE IF NOT EXISTS events.identity_links
(
    site_id LowCardinality(String),
    kind LowCardinality(String),
    identifier String CODEC(ZSTD(1)),
    user_id String CODEC(ZSTD(1)),
    first_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    version UInt64,
    segment_id String CODEC(ZSTD(1)),
    segment_row UInt32 CODEC(ZSTD(1)),
    INDEX by_user_id user_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_segment_id segment_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site_id, kind, identifier, user_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;

-- What the first schema knew: sessions, and hashes that were found to belong to another user.
INSERT INTO events.identity_links (site_id, kind, identifier, user_id, first_time, version, segment_id, segment_row) SELECT site_id, kind, identifier, user_id, linked_time, version, segment_id, segment_row FROM events.identities FINAL WHERE kind = 'scan_session';
INSERT INTO events.identity_links (site_id, kind, identifier, user_id, first_time, version, segment_id, segment_row) SELECT site_id, splitByChar('-', identifier)[1], identifier, user_id, linked_time, version, segment_id, segment_row FROM events.identities FINAL WHERE kind = 'user_id' AND identifier != user_id AND match(identifier, '^(email|phone)-[0-9a-f]{32}$');

-- The user that an event's own identifiers name by themselves, before anything is joined; '' where there are none.
ALTER TABLE events.valid_events ADD COLUMN IF NOT EXISTS identified_user_id String CODEC(ZSTD(1));

-- 1: the other side's copy of an event that a browser and a backend both sent under one event_id. It completes the row
-- that counts, and is_duplicate is 1, since the two are one event.
ALTER TABLE events.valid_events ADD COLUMN IF NOT EXISTS is_counterpart UInt8;

ALTER TABLE events.valid_events ADD INDEX IF NOT EXISTS by_counterpart is_counterpart TYPE minmax GRANULARITY 1;

-- What erasures did: when, by which key, how many; never to whom. segment_id is the erasure's own UUID; while it is under
-- way, a hash of the request. segment_row is how many tries before were cut off.
CREATE TABLE IF NOT EXISTS events.erasures
(
    site_id LowCardinality(String),
    erased_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    key_id String,
    event_count UInt64,
    rejected_event_count UInt64,
    scan_session_count UInt64,
    identity_count UInt64,
    spooled_event_count UInt64,
    shared_identifier_count UInt64,
    shared_session_count UInt64,
    segment_id String,
    segment_row UInt32
)
ENGINE = MergeTree
ORDER BY (site_id, erased_time)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;

-- Whose an identifier is: the user that was first seen with it, ties decided by name. One that was seen with more than
-- ten users is shared (an office's phone, a kiosk's session), and one that was split is known to be: neither has an owner.
CREATE OR REPLACE VIEW events.identity_owners AS
SELECT site_id, kind, identifier, argMin(user_id, (first_time, user_id)) AS owner
FROM events.identity_links FINAL
GROUP BY site_id, kind, identifier
HAVING count() <= 10 AND countIf(user_id = '') = 0;

-- Every event once. is_duplicate says so already but for one case: two loaders that take the same event at the same
-- moment cannot see each other's row. Then a backend's copy stands before a browser's, and the first received before
-- others. A counterpart completes its event: conversion and identifiers are the backend's, page and device the browser's.
CREATE OR REPLACE VIEW events.unique_events AS
SELECT * EXCEPT (other_site_id, other_event_id, other_source, other_event_type, other_event_name, other_page_url, other_page_title, other_referrer, other_device_type, other_browser_family, other_os_family, other_country_code, other_city, other_conversion_value, other_conversion_currency, other_metadata, other_scan_session_id, other_qr_code_id, other_user_id, other_user_id_source, other_identified_user_id, other_is_fraud, other_fraud_reasons) REPLACE (if(other_source = 'server', 'server', source) AS source, if(other_source = 'browser', other_event_type, event_type) AS event_type, if(other_source = 'server', other_event_name, event_name) AS event_name, if(other_source = 'browser', other_page_url, page_url) AS page_url, if(other_source = 'browser', other_page_title, page_title) AS page_title, if(other_source = 'browser', other_referrer, referrer) AS referrer, if(other_source = 'browser', other_device_type, device_type) AS device_type, if(other_source = 'browser', other_browser_family, browser_family) AS browser_family, if(other_source = 'browser', other_os_family, os_family) AS os_family, if(other_source = 'browser' AND country_code = '', other_country_code, country_code) AS country_code, if(other_source = 'browser' AND city = '', other_city, city) AS city, if(other_source = 'server', other_conversion_value, conversion_value) AS conversion_value, if(other_source = 'server', other_conversion_currency, conversion_currency) AS conversion_currency, if(other_source = 'server' AND other_metadata != '{}' OR other_source = 'browser' AND metadata = '{}', other_metadata, metadata) AS metadata, if(scan_session_id = '', other_scan_session_id, scan_session_id) AS scan_session_id, if(qr_code_id = '', other_qr_code_id, qr_code_id) AS qr_code_id, if(other_source = 'server', other_user_id, user_id) AS user_id, if(other_source = 'server', other_user_id_source, user_id_source) AS user_id_source, if(other_source = 'server', other_identified_user_id, identified_user_id) AS identified_user_id, if(other_source = 'server', other_is_fraud, is_fraud) AS is_fraud, if(other_source = 'server', other_fraud_reasons, fraud_reasons) AS fraud_reasons)
FROM
(
    SELECT *
    FROM events.valid_events
    WHERE is_duplicate = 0
    ORDER BY source DESC, received_time, segment_id, segment_row
    LIMIT 1 BY site_id, event_id
) AS counted
ANY LEFT JOIN
(
    SELECT site_id AS other_site_id, event_id AS other_event_id, source AS other_source, event_type AS other_event_type, event_name AS other_event_name, page_url AS other_page_url, page_title AS other_page_title, referrer AS other_referrer, device_type AS other_device_type, browser_family AS other_browser_family, os_family AS other_os_family, country_code AS other_country_code, city AS other_city, conversion_value AS other_conversion_value, conversion_currency AS other_conversion_currency, metadata AS other_metadata, scan_session_id AS other_scan_session_id, qr_code_id AS other_qr_code_id, user_id AS other_user_id, user_id_source AS other_user_id_source, identified_user_id AS other_identified_user_id, is_fraud AS other_is_fraud, fraud_reasons AS other_fraud_reasons
    FROM events.valid_events
    WHERE is_counterpart = 1
) AS counterparts ON site_id = other_site_id AND event_id = other_event_id;

-- Unique events with what is known by now: a session registered late, a user learnt late, an identifier whose owner
-- turned out to be another or to be shared. The order in which things arrived leaves no trace. ANY: a match never
-- multiplies an event. Precedence: the event's own identifiers, then who identified first in its session, then whom the
-- QR redirect named; a phone or an e-mail address then stands for its owner. A session lends its user only where the
-- event's consent permits one, and never to an erased row. The joined columns have names of their own, or the view's
-- columns would get a prefix.
CREATE OR REPLACE VIEW events.attributed_events AS
SELECT * EXCEPT (named_user_id, owned_site_id, owned_user_id, owner_user_id) REPLACE (if(owner_user_id = '', named_user_id, owner_user_id) AS user_id, multiIf(named_user_id = '', '', user_id_source = 'identifiers', 'identifiers', 'session') AS user_id_source)
FROM
(
    SELECT
        * EXCEPT (session_site_id, session_id, session_qr_code_id, session_user_id, lent_site_id, lent_session_id, lent_user_id) REPLACE (if(session_qr_code_id = '', qr_code_id, session_qr_code_id) AS qr_code_id),
        multiIf(user_id_source = 'erased', '', user_id_source = 'identifiers', if(identified_user_id = '', user_id, identified_user_id), consent NOT IN ('', 'granted'), '', lent_user_id != '', lent_user_id, session_user_id) AS named_user_id
    FROM events.unique_events
    ANY LEFT JOIN
    (
        SELECT site_id AS session_site_id, scan_session_id AS session_id, qr_code_id AS session_qr_code_id, user_id AS session_user_id
        FROM events.scan_sessions FINAL
        WHERE scan_session_id != ''
    ) AS sessions ON site_id = session_site_id AND scan_session_id = session_id
    ANY LEFT JOIN
    (
        SELECT site_id AS lent_site_id, identifier AS lent_session_id, owner AS lent_user_id
        FROM events.identity_owners
        WHERE kind = 'scan_session' AND identifier != ''
    ) AS lent ON site_id = lent_site_id AND scan_session_id = lent_session_id
) AS named
ANY LEFT JOIN
(
    SELECT site_id AS owned_site_id, identifier AS owned_user_id, if(further_owner = '', owner, further_owner) AS owner_user_id
    FROM events.identity_owners
    ANY LEFT JOIN
    (
        SELECT site_id AS further_site_id, identifier AS further_identifier, owner AS further_owner
        FROM events.identity_owners
        WHERE kind = 'email'
    ) AS further ON site_id = further_site_id AND owner = further_identifier
    WHERE kind IN ('email', 'phone')
) AS owned ON site_id = owned_site_id AND named_user_id = owned_user_id;
