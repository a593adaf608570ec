-- Which loader judges the sites' `watch` rules (`watch/turn.py`), and what it has told (`watch/journal.py`). The one whose claim
-- stands and began first has the turn; its claim ends at until_time by the server's clock. Of `state`, JSON, the one with the
-- highest state_version counts, whoever wrote it.
CREATE TABLE IF NOT EXISTS events.watchers
(
    watcher String,
    since_time DateTime64(3, 'UTC'),
    until_time DateTime64(3, 'UTC'),
    version UInt64,
    state String CODEC(ZSTD(1)),
    state_version UInt64,
    segment_id String,
    segment_row UInt32
)
ENGINE = ReplacingMergeTree(version)
ORDER BY watcher
TTL toDateTime(until_time) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
