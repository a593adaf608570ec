"""How many events a site may send: token buckets, in each worker."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["Quota", "Quotas", "Sender"]

Sender = tuple[str, str | None]
"""Whose events are counted together: a site, and the scope of its backends' keys, or None for its browsers."""


# How long all calls of one sender are refused before that is more than a burst.
LONG_SECONDS: Final = 60.0


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
    refused_since: float | None = None
    """The first call that was refused after the last one that was taken."""
    refused_last: float = 0.0


class Quotas:
    """The share of one worker in all quotas.

    Args:
        share: part of a site's quota that this worker gives out, in (0, 1].
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(self, *, share: float, monotonic: Callable[[], float]) -> None:
        self._share = share
        self._monotonic = monotonic
        self._buckets: dict[Sender, _Bucket] = {}

    def take(self, whose: Sender, number: int, quota: Quota) -> float:
        """Take room for events; returns 0, or the seconds until there is room, and then takes nothing.

        A full bucket takes any number and owes the rest, so that no batch is too large for ever.
        """
        now = self._monotonic()
        rate, most = quota.events_per_second * self._share, max(1.0, quota.burst * self._share)
        bucket = self._buckets.get(whose)
        if bucket is None:
            bucket = self._buckets[whose] = _Bucket(most, now)
        bucket.tokens = min(most, bucket.tokens + (now - bucket.filled_at) * rate)
        bucket.filled_at = now
        wanted = min(float(number), most)
        if bucket.tokens < wanted:
            bucket.refused_last = now
            if bucket.refused_since is None:
                bucket.refused_since = now
            return (wanted - bucket.tokens) / rate
        bucket.tokens -= number
        bucket.refused_since = None
        return 0.0

    def exhausted(self) -> set[str]:
        """Sites of which one kind of senders has had every call refused for a minute, and still calls."""
        now = self._monotonic()
        return {
            site_id
            for (site_id, _scope), bucket in self._buckets.items()
            if bucket.refused_since is not None
            and now - bucket.refused_since >= LONG_SECONDS
            and now - bucket.refused_last < LONG_SECONDS
        }
