"""The store: ClickHouse behind `ports.EventStore`, its schema files and what keeps them true."""
