-- Scans by time with those whose they may be, for the question which conversions have more than one behind them
-- (`query/own_paths.py`). The same rules of writing hold.

-- A scan, and a user who identified in its session or whom its redirect named; written by the loader before the link or the
-- scan is. Rows may be left of what is no more so, and none is missing. Longer than the events: a scan may be older than these.
CREATE TABLE IF NOT EXISTS events.user_scans
(
    site_id LowCardinality(String),
    scan_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    user_id String CODEC(ZSTD(1)),
    scan_session_id String CODEC(ZSTD(1)),
    segment_id String CODEC(ZSTD(1)),
    segment_row UInt32 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (site_id, scan_time, user_id, scan_session_id)
TTL toDateTime(scan_time) + INTERVAL 440 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;

-- Those of before.
INSERT INTO events.user_scans (site_id, scan_time, user_id, scan_session_id) SELECT site_id, scan_time, user_id, scan_session_id FROM events.scan_sessions WHERE user_id != '';
INSERT INTO events.user_scans (site_id, scan_time, user_id, scan_session_id) SELECT site_id, scan_time, link_user_id, scan_session_id FROM events.scan_sessions GLOBAL ALL INNER JOIN (SELECT site_id, identifier AS scan_session_id, user_id AS link_user_id FROM events.identity_links WHERE kind = 'scan_session' AND user_id != '') AS links USING (site_id, scan_session_id);
