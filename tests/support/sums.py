"""Sums of hours beside the rows that they are made of: both must answer every question alike."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.loader.changes import ChangedHours
from qrumb_server.ports import Clock, EventStore
from qrumb_server.query.attribution import attribute_conversions
from qrumb_server.query.counts import count_events
from qrumb_server.query.funnels import follow_scans
from qrumb_server.query.reads import Reader
from qrumb_server.upkeep.rollups import Rollups

__all__ = ["KilledAtMutation", "compare_sums", "make_sums"]

HOUR_MS = 3_600_000
_COUNTS: tuple[dict[str, Any], ...] = (
    {"bucket": "HOUR"},
    {"bucket": "HOUR", "group_by": ["QR_CODE", "NAME"]},
    {"bucket": "WHOLE", "group_by": ["COUNTRY"]},
    {"bucket": "WHOLE", "group_by": ["DEVICE", "QR_CODE"]},
)
_ATTRIBUTIONS: tuple[dict[str, Any], ...] = ({}, {"window_days": 30, "conversion_names": ["purchase"]})
_FUNNELS: tuple[dict[str, Any], ...] = ({"bucket": "HOUR"}, {"group_by": ["COUNTRY", "DEVICE"]})


class KilledAtMutation:
    """A store whose user dies at one of its statements; all else is the real one's."""

    def __init__(self, store: EventStore, left: int, death: BaseException) -> None:
        self._store = store
        self._left = left
        self._death = death

    def mutate(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """As the port says, for a while."""
        if self._left == 0:
            raise self._death
        self._left -= 1
        self._store.mutate(sql, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class _ByRows:
    """Answers as if no hour had been added up."""

    def __init__(self, store: Reader) -> None:
        self._store = store

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """As the port says."""
        is_of_sums = "AS hours FROM" in sql and "events.rolled_hours" in sql
        return [] if is_of_sums else self._store.query(sql, parameters)


def make_sums(store: EventStore, changes: ChangedHours, clock: Clock) -> None:
    """Of all hours, at once."""
    Rollups(
        store=store,
        changes=changes,
        clock=clock,
        monotonic=lambda: 0.0,
        rest_of=lambda _age: float("-inf"),
        fewest_hours=1,
    ).run_all()


def compare_sums(
    store: Reader, site_id: str, from_ms: int, to_ms: int, *, is_asked: Callable[[], bool] = lambda: True
) -> None:
    """Every question, or each that is to be asked, is answered alike by sums, as far as there are any, and by rows."""
    times = {"from_time": Timestamp(seconds=from_ms // 1000), "to_time": Timestamp(seconds=to_ms // 1000)}
    for asked in filter(lambda _: is_asked(), _COUNTS):
        request = pb.CountEventsRequest(site_id=site_id, **{**times, **asked})
        assert count_events(store, request, 0) == count_events(_ByRows(store), request, 0), asked
    for asked in filter(lambda _: is_asked(), _FUNNELS):
        funnel = pb.GetFunnelRequest(site_id=site_id, **{**times, **asked})
        assert follow_scans(store, funnel, 0) == follow_scans(_ByRows(store), funnel, 0), asked
    for asked in filter(lambda _: is_asked(), _ATTRIBUTIONS):
        divided = pb.GetAttributionRequest(site_id=site_id, **{**times, **asked})
        by_sums = attribute_conversions(store, divided, to_ms)
        assert by_sums == attribute_conversions(_ByRows(store), divided, to_ms), asked
