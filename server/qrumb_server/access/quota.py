"""How many events a site may send: token buckets, in each worker."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

__all__ = ["Quota", "Quotas"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Events of one site on one node; those of browsers and those of its backends are counted apart."""

    events_per_second: int
    """What may be kept up."""
    burst: int
    """What may come at once after a rest."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Quotas:
    """The share of one worker in all quotas.

    Args:
        share: part of a site's quota that this worker gives out, in (0, 1].
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(self, *, share: float, monotonic: Callable[[], float]) -> None:
        self._share = share
        self._monotonic = monotonic
        self._buckets: dict[Hashable, _Bucket] = {}

    def take(self, whose: Hashable, number: int, quota: Quota) -> float:
        """Take room for events; returns 0, or the seconds until there is room, and then takes nothing.

        A full bucket takes any number and owes the rest, so that no batch is too large for ever.
        """
        now = self._monotonic()
        rate, most = quota.events_per_second * self._share, max(1.0, quota.burst * self._share)
        bucket = self._buckets.setdefault(whose, _Bucket(most, now))
        bucket.tokens = min(most, bucket.tokens + (now - bucket.filled_at) * rate)
        bucket.filled_at = now
        wanted = min(float(number), most)
        if bucket.tokens < wanted:
            return (wanted - bucket.tokens) / rate
        bucket.tokens -= number
        return 0.0
