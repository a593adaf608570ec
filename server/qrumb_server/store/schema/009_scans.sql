-- A scan is marked like an event, and registrations are in the ledger. The same rules of writing hold.

-- What the earliest scan's redirect knew of its visitor's request, and what was made of it. Empty where it stated nothing.
ALTER TABLE events.scan_sessions ADD COLUMN IF NOT EXISTS consent LowCardinality(String);
ALTER TABLE events.scan_sessions ADD COLUMN IF NOT EXISTS device_type LowCardinality(String);
ALTER TABLE events.scan_sessions ADD COLUMN IF NOT EXISTS browser_family LowCardinality(String);
ALTER TABLE events.scan_sessions ADD COLUMN IF NOT EXISTS os_family LowCardinality(String);
ALTER TABLE events.scan_sessions ADD COLUMN IF NOT EXISTS country_code LowCardinality(String);
ALTER TABLE events.scan_sessions ADD COLUMN IF NOT EXISTS city LowCardinality(String);
ALTER TABLE events.scan_sessions ADD COLUMN IF NOT EXISTS referrer String CODEC(ZSTD(3));
ALTER TABLE events.scan_sessions ADD COLUMN IF NOT EXISTS landing_page_url String CODEC(ZSTD(3));
-- The code owner's JSON object, as text. '' where the registration is older than this column.
ALTER TABLE events.scan_sessions ADD COLUMN IF NOT EXISTS labels String CODEC(ZSTD(3));
ALTER TABLE events.scan_sessions ADD COLUMN IF NOT EXISTS request_method LowCardinality(String);
ALTER TABLE events.scan_sessions ADD COLUMN IF NOT EXISTS is_prefetch UInt8;

-- Stable reason names, as in valid_events. A scan with reasons is suspect; `prefetch` and `head_request` say nothing any
-- more once an unmarked browser event of its session is there (`query/scans.py`).
ALTER TABLE events.scan_sessions ADD COLUMN IF NOT EXISTS fraud_reasons Array(String) CODEC(ZSTD(1));

-- Registrations: received = registered + rejected.
ALTER TABLE events.ledger ADD COLUMN IF NOT EXISTS scan_received_count UInt64;
ALTER TABLE events.ledger ADD COLUMN IF NOT EXISTS scan_registered_count UInt64;
ALTER TABLE events.ledger ADD COLUMN IF NOT EXISTS scan_rejected_count UInt64;
