"""Moves sealed segments from the spool to ClickHouse, exactly once."""
