"""The store: ClickHouse behind `ports.EventStore`, its schema files and what keeps them true."""

import os

# Without it clickhouse-driver makes a table of all days from 1900 to 2299 when it is imported: of a loader's start a
# third of its imports, and 23 MB for as long as it runs.
os.environ.setdefault("CLICKHOUSE_DRIVER_LASY_DATE_LUT", "true")
