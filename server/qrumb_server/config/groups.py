"""The settings of a node's parts: spool, loader, metrics; its two edges are in `edges.py`."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["KIB", "MIB", "Group", "LoaderSettings", "MetricsSettings", "SpoolSettings"]

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


class Group(BaseModel):
    """What all groups of settings share: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, serialize_by_alias=True)


class SpoolSettings(Group):
    """The durable queue between the reply to the sender and ClickHouse."""

    max_bytes: int = Field(default=8 * GIB, ge=16 * MIB)
    """Bytes that the spool of the whole node may take, shared evenly by its workers. When it is full, senders get
    RESOURCE_EXHAUSTED. A stored event takes about 600 bytes, so the default holds some 14 million."""
    min_free_bytes: int = Field(default=256 * MIB, ge=0)
    """Free bytes that must remain on the disk; below it the spool counts as full, and below half of it nothing is
    loaded into the embedded ClickHouse either: what is left is for its merges."""
    site_max_share: float = Field(default=0.5, gt=0, le=1)
    """What one site may take of it, so that its flood leaves room for the others; over it, its senders get
    RESOURCE_EXHAUSTED. Counts once a quarter of the spool is taken. 1: a site may take all, for a node with one."""
    segment_max_records: int = Field(default=10_000, ge=1, le=1_000_000)
    """Records after which a segment is sealed: the size of insert that ClickHouse likes."""
    segment_max_bytes: int = Field(default=16 * MIB, ge=1024)
    """Bytes after which a segment is sealed."""
    seal_after: timedelta = Field(
        default=timedelta(milliseconds=500), ge=timedelta(milliseconds=10), le=timedelta(seconds=4)
    )
    """Workers seal their segments together at multiples of it: the longest an event waits before the loader sees it."""


class LoaderSettings(Group):
    """The process that moves events from the spool to ClickHouse."""

    batch_max_events: int = Field(default=10_000, ge=1, le=500_000)
    """Events of one insert. An insert must stay below ClickHouse's block size to be atomic."""
    poll_interval: timedelta = timedelta(milliseconds=50)
    """How often the spool is looked at while it is empty."""
    retry_max_delay: timedelta = timedelta(seconds=10)
    """Longest pause between two tries while ClickHouse is away."""
    refused_delay: timedelta = timedelta(seconds=10)
    """Pause after an answer that no retry can cure (missing table, no rights): a human has to act."""
    drain_timeout: timedelta = timedelta(seconds=20)
    """How long a shutdown waits for the spool to be loaded. What remains is loaded after the next start."""


class MetricsSettings(Group):
    """Metrics for Prometheus, at /metrics on the loopback address; docs/metrics.md names them."""

    enabled: bool = True
    """Off: the processes count all the same, and serve no metrics."""
    port: int = Field(default=9464, ge=0, le=65535)
    """Port, METRICS_PORT in the environment. 0: any free one."""
