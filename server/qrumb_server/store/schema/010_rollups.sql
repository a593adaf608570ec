-- What questions about long ranges read in place of rows: sums by hour, made by the loader (`upkeep/rollups.py`) and read
-- (`query/rolled.py`) for hours that nothing has changed since. The same rules of writing hold.

-- Events by the hour of their event_time. `told_by` says which column tells them apart beside source and name, the others
-- are empty. 'row': none, and source and name are those of the row; 'code', 'country', 'device': this one, all as in
-- attributed_events; 'path', 'lent': of unmarked server events the code of their own session's scan, if that is not older than
-- 30 days, 'lent' where there is none and a session may still say whose the event is. `name` is a browser's event_type, a
-- server's event_name.
CREATE TABLE IF NOT EXISTS events.hourly_counts
(
    site_id LowCardinality(String),
    told_by LowCardinality(String),
    hour_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    source LowCardinality(String),
    name LowCardinality(String),
    qr_code_id LowCardinality(String),
    country_code LowCardinality(String),
    device_type LowCardinality(String),
    is_fraud UInt8,
    -- Of unmarked events with an amount; '' elsewhere.
    currency LowCardinality(String),
    -- Rows of other versions than the hour's in rolled_hours do not count.
    version UInt64,
    unique_count UInt64,
    -- Further arrivals of these events.
    duplicate_count UInt64,
    earning_count UInt64,
    earned Decimal(38, 4)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site_id, told_by, hour_time, source, name, qr_code_id, country_code, device_type, is_fraud, currency)
TTL toDateTime(hour_time) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;

-- Scans by the hour of their scan_time, and what became of them by now; conversions without a session by their own hour.
-- `told_by`: 'code', 'country' and 'device' tell this one apart, the visit's first or else the scan's; 'scan' tells country and
-- device apart, both the scan's own.
CREATE TABLE IF NOT EXISTS events.hourly_funnels
(
    site_id LowCardinality(String),
    told_by LowCardinality(String),
    hour_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    qr_code_id LowCardinality(String),
    country_code LowCardinality(String),
    device_type LowCardinality(String),
    -- Of the session's unmarked server events, one each, in order: whether it converted depends on who asks.
    server_names Array(String) CODEC(ZSTD(1)),
    version UInt64,
    -- Sessions and conversions without one.
    followed_count UInt64,
    scan_count UInt64,
    suspect_scan_count UInt64,
    confirmed_scan_count UInt64,
    visit_count UInt64,
    fraud_count UInt64,
    -- Why scans are suspect, and how many are.
    reasons Array(String) CODEC(ZSTD(1)),
    reason_counts Array(UInt64) CODEC(ZSTD(1)),
    -- A currency, a blank and the event's name; the amounts of these events, and how many they are.
    earning_names Array(String) CODEC(ZSTD(1)),
    earned Array(Decimal(38, 4)) CODEC(ZSTD(1)),
    earning_counts Array(UInt64) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site_id, told_by, hour_time, qr_code_id, country_code, device_type, server_names)
TTL toDateTime(hour_time) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;

-- Hours whose sums were made, those of events (kind 'events') or of scans ('scans'), and in which version; 'paths': the sums of events of this version have 'path' and 'lent'; 0: there was nothing to add up. The highest counts.
CREATE TABLE IF NOT EXISTS events.rolled_hours
(
    site_id LowCardinality(String),
    kind LowCardinality(String),
    hour_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site_id, kind, hour_time)
TTL toDateTime(hour_time) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;

-- Hours whose rows a loader, `marker`, is about to change or has changed: written before the change, and settled by the
-- same loader once the hour's sums were made anew. An hour counts by its rows while any mark is not settled.
CREATE TABLE IF NOT EXISTS events.changed_hours
(
    site_id LowCardinality(String),
    kind LowCardinality(String),
    hour_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    marker String CODEC(ZSTD(1)),
    is_settled UInt8,
    version UInt64,
    marked_time DateTime64(3, 'UTC'),
    segment_id String CODEC(ZSTD(1)),
    segment_row UInt32 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site_id, kind, hour_time, marker)
TTL toDateTime(hour_time) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;

-- Sessions that were not registered when the sums of an hour were made, which has events of theirs.
CREATE TABLE IF NOT EXISTS events.waiting_sessions
(
    site_id LowCardinality(String),
    scan_session_id String CODEC(ZSTD(1)),
    hour_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (site_id, scan_session_id, hour_time)
TTL toDateTime(hour_time) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
