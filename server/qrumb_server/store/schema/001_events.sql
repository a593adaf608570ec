-- The database `events`, modern dialect. This text is also read by programs, which derive column types, the drift
-- check and other dialects from it, so it keeps these rules:
--   a statement ends with a semicolon at the end of a line, and no other line ends so;
--   a comment has a line of its own;
--   a column has a line of its own, its type written exactly as system.columns shows it;
--   every INDEX, TTL and SETTINGS clause is one line;
--   IF NOT EXISTS everywhere: after a crash in the middle the file is run again from the start.
-- An applied file never changes (a checksum tells): the next change is a new file with the next number.
--
-- Times are UTC milliseconds. '' means "not known"; NULL is used only where zero would be a lie.
-- (segment_id, segment_row) is a row's own name: the spool segment that brought it and its place in there. A batch
-- whose outcome is unknown is sent again without the rows already present under that name. There is deliberately no
-- insert deduplication window: a crash between its log and the part makes the retry vanish.
-- The fsync settings make an insert durable when it returns, and keep merged-away parts until the merge is durable.

CREATE DATABASE IF NOT EXISTS events;

-- One row per accepted event, for ever unchanged. Partitioned by our own clock, never by the sender's: foreign
-- event_times could otherwise spread one batch over more partitions than an insert may touch.
CREATE TABLE IF NOT EXISTS events.valid_events
(
    event_id UUID,
    event_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    received_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    site_id LowCardinality(String),
    scan_session_id String CODEC(ZSTD(1)),
    qr_code_id LowCardinality(String),
    user_id String CODEC(ZSTD(1)),
    event_type LowCardinality(String),
    event_name LowCardinality(String),
    source LowCardinality(String),
    page_url String CODEC(ZSTD(3)),
    referrer String CODEC(ZSTD(3)),
    device_type LowCardinality(String),
    browser_family LowCardinality(String),
    os_family LowCardinality(String),
    country_code LowCardinality(String),
    city LowCardinality(String),
    -- NULL: no conversion. Zero is a conversion worth nothing.
    conversion_value Nullable(Decimal(18, 4)),
    conversion_currency LowCardinality(String),
    -- The sender's own JSON object (metadata, or a server event's properties), as text: a JSON type rewrites content.
    metadata String CODEC(ZSTD(3)),
    is_duplicate UInt8,
    is_fraud UInt8,
    page_title String CODEC(ZSTD(3)),
    consent LowCardinality(String),
    -- Stable reason names; empty unless is_fraud = 1.
    fraud_reasons Array(String) CODEC(ZSTD(1)),
    -- What the client's clock said, where event_time is a correction of it; NULL elsewhere.
    client_event_time Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    segment_id String CODEC(ZSTD(1)),
    segment_row UInt32 CODEC(ZSTD(1)),
    -- Hash of the payload: tells a repeat from a different event under the same id.
    fingerprint UInt64,
    -- Keyed hash of the address, new every day, for velocity rules; '' without consent. Never the address.
    ip_key String CODEC(ZSTD(1)),
    INDEX by_event_id event_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_scan_session_id scan_session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_user_id user_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_segment_id segment_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(received_time)
ORDER BY (site_id, event_type, event_time, event_id)
TTL toDateTime(received_time) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;

-- Dead letters: what was refused, by whom, and every reason. reasons[i], fields[i] and descriptions[i] tell of one
-- violation. E-mail addresses are redacted before a payload gets here. Kept for three months, so that they can be corrected and replayed.
CREATE TABLE IF NOT EXISTS events.invalid_events
(
    received_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    site_id LowCardinality(String),
    -- As it was sent: possibly no UUID at all.
    event_id String CODEC(ZSTD(1)),
    source LowCardinality(String),
    -- The part that refused: validate, loader and so on.
    stage LowCardinality(String),
    reasons Array(String) CODEC(ZSTD(1)),
    fields Array(String) CODEC(ZSTD(1)),
    descriptions Array(String) CODEC(ZSTD(3)),
    payload String CODEC(ZSTD(3)),
    segment_id String CODEC(ZSTD(1)),
    segment_row UInt32 CODEC(ZSTD(1)),
    -- NULL: not replayed.
    replayed_time Nullable(DateTime64(3, 'UTC')),
    INDEX by_event_id event_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_segment_id segment_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(received_time)
ORDER BY (site_id, received_time, segment_id, segment_row)
TTL toDateTime(received_time) + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;

-- Which QR code a scan session came from. Of several registrations the highest version wins. No partitions: rows are
-- replaced only inside one, and without them an insert is all or nothing.
CREATE TABLE IF NOT EXISTS events.scan_sessions
(
    site_id LowCardinality(String),
    scan_session_id String CODEC(ZSTD(1)),
    qr_code_id LowCardinality(String),
    user_id String CODEC(ZSTD(1)),
    scan_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    received_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    version UInt64,
    segment_id String CODEC(ZSTD(1)),
    segment_row UInt32 CODEC(ZSTD(1)),
    INDEX by_segment_id segment_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site_id, scan_session_id)
TTL toDateTime(received_time) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;

-- Who a visitor is. One row says: within site_id, `identifier` of this `kind` belongs to user_id. Kinds: external_id,
-- email_hash, phone_hash; scan_session (identifier is a scan_session_id: its events belong to that user); user_id
-- (identifier is a user that was found to be an older one; links are kept flat, never a chain). Highest version wins.
CREATE TABLE IF NOT EXISTS events.identities
(
    site_id LowCardinality(String),
    kind LowCardinality(String),
    identifier String CODEC(ZSTD(1)),
    user_id String CODEC(ZSTD(1)),
    linked_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    version UInt64,
    segment_id String CODEC(ZSTD(1)),
    segment_row UInt32 CODEC(ZSTD(1)),
    INDEX by_user_id user_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_segment_id segment_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site_id, kind, identifier)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;

-- What one segment added to one site's minute; a minute is the sum of its rows. Never merged by the engine, so that a
-- row sent again is recognised like any other. received = stored + rejected; stored = unique + duplicate.
CREATE TABLE IF NOT EXISTS events.ledger
(
    minute_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    site_id LowCardinality(String),
    received_count UInt64,
    stored_count UInt64,
    rejected_count UInt64,
    unique_count UInt64,
    duplicate_count UInt64,
    fraud_count UInt64,
    segment_id String CODEC(ZSTD(1)),
    segment_row UInt32 CODEC(ZSTD(1)),
    INDEX by_segment_id segment_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(minute_time)
ORDER BY (site_id, minute_time)
TTL toDateTime(minute_time) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;

-- Which of these files have been applied, and what they said then.
CREATE TABLE IF NOT EXISTS events.schema_migrations
(
    number UInt32,
    name String,
    checksum String,
    applied_time DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY number
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;

-- Every event once. is_duplicate says so already but for one case: two loaders that take the same event at the same
-- moment cannot see each other's row. Then the first received stands for both, the segment deciding a tie.
CREATE VIEW IF NOT EXISTS events.unique_events AS
SELECT *
FROM events.valid_events
WHERE is_duplicate = 0
ORDER BY received_time, segment_id, segment_row
LIMIT 1 BY site_id, event_id;

-- Unique events with what became known after they were stored: a session registered late, a user learnt late, two
-- users found to be one. ANY and FINAL: a match never multiplies an event. A session lends its user only where the
-- event's consent permits one. The joined columns have names of their own, or the view's columns would get a prefix.
CREATE VIEW IF NOT EXISTS events.attributed_events AS
SELECT * EXCEPT (named_user_id, merged_site_id, merged_identifier, merged_user_id) REPLACE (if(merged_user_id = '', named_user_id, merged_user_id) AS user_id)
FROM
(
    SELECT
        * EXCEPT (session_site_id, session_id, session_qr_code_id, session_user_id, lent_site_id, lent_session_id, lent_user_id) REPLACE (if(qr_code_id = '', session_qr_code_id, qr_code_id) AS qr_code_id),
        multiIf(user_id != '', user_id, consent NOT IN ('', 'granted'), '', lent_user_id != '', lent_user_id, session_user_id) AS named_user_id
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
