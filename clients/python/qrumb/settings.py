"""What a client can be told, with defaults that suit a backend."""

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["MAX_BATCH_EVENTS", "Settings"]

# The contract's: a larger batch is refused as a whole.
MAX_BATCH_EVENTS: Final = 1_000
MAX_BATCH_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of `Client` and `AsyncClient`; durations are seconds.

    Raises:
        ValueError: one of them cannot work.
    """

    max_batch_events: int = 500
    """A batch goes when it has so many events; 1 to 1,000."""
    max_batch_bytes: int = 1024 * 1024
    """Or before one event more would make it larger than this; at most 4 MiB. A larger event goes alone."""
    max_batch_delay: float = 0.1
    """Or so long after its first event was queued."""
    max_queue_events: int = 10_000
    """Events without an answer, those of the call under way included."""
    max_queue_bytes: int = 32 * 1024 * 1024
    """And their bytes. An event always fits into an empty queue."""
    when_full: Literal["block", "error"] = "block"
    """`block`: send waits for room; `error`: send raises QueueFullError."""
    call_timeout: float = 10.0
    """Deadline of one call. Running out of it is tried again."""
    first_backoff: float = 0.1
    """Ceiling of the wait after the first failure; doubled by each that follows."""
    max_backoff: float = 10.0
    """Ceiling of every wait, unless the server asks for more."""
    compression: Literal["none", "gzip"] = "none"
    """gzip costs CPU on both sides and saves about two thirds of the bytes on the line."""

    def __post_init__(self) -> None:
        if not 1 <= self.max_batch_events <= MAX_BATCH_EVENTS:
            raise ValueError(f"max_batch_events is 1 to {MAX_BATCH_EVENTS}")
        if not 1 <= self.max_batch_bytes <= MAX_BATCH_BYTES:
            raise ValueError(f"max_batch_bytes is 1 to {MAX_BATCH_BYTES}")
        for name in ("max_queue_events", "max_queue_bytes", "call_timeout", "first_backoff"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0")
        if self.max_batch_delay < 0:
            raise ValueError("max_batch_delay must not be negative")
        if self.max_backoff < self.first_backoff:
            raise ValueError("max_backoff must not be below first_backoff")
        if self.when_full not in ("block", "error"):
            raise ValueError("when_full is block or error")
        if self.compression not in ("none", "gzip"):
            raise ValueError("compression is none or gzip")
