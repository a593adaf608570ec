"""What a test asks of the process under /test/: expectations, events, a fresh start."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from qrumb_server.micro.edge import Reply, Request
from qrumb_server.micro.expect import LOOKED_UP, Expectation, ExpectationError
from qrumb_server.micro.seen import ACCEPTED, Seen, SeenEvent
from qrumb_server.rpc.json_answers import written

__all__ = ["Questions"]

DEFAULT_WITHIN: Final = 2.0
LONGEST_WITHIN: Final = 60.0
NOT_MET: Final = 409

LookUp = Callable[[str, Sequence[str]], Awaitable[Sequence[Mapping[str, Any]]]]
"""Rows of a site's events by their ids, in the order of arrival, once all that waits was loaded."""


class Questions:
    """Answers them.

    Args:
        seen: what was judged.
        look_up: rows as stored.
        load: makes all that was accepted readable.
        reset: empties spool and tables.
    """

    def __init__(
        self,
        *,
        seen: Seen,
        look_up: LookUp,
        load: Callable[[], Awaitable[None]],
        reset: Callable[[], Awaitable[None]],
    ) -> None:
        self._seen = seen
        self._look_up = look_up
        self._load = load
        self._reset = reset

    async def answer(self, request: Request) -> Reply | None:
        """The answer to a request; None where there is no such path."""
        answers = {
            ("POST", "/test/expect"): self._expect,
            ("GET", "/test/events"): self._events,
            ("POST", "/test/reset"): self._start_anew,
        }
        answer = answers.get((request.method, request.path))
        if answer is None:
            return None
        try:
            return await answer(request)
        except ExpectationError as error:
            return Reply(status=400, body=written({"message": str(error)}))

    async def _expect(self, request: Request) -> Reply:
        asked = _asked(request.body)
        expectation = Expectation.parse(asked["where"], asked["count"])
        within = min(float(asked["within"]), LONGEST_WITHIN)
        deadline = time.monotonic() + within
        while True:
            events = await self._known(expectation)
            found = [event for event in events if expectation.matches(event)]
            left = deadline - time.monotonic()
            if expectation.is_met(found):
                return Reply(status=200, body=written({"events": [event.as_json() for event in found]}))
            if left <= 0 or not await self._seen.wait(left):
                break
        return Reply(
            status=NOT_MET,
            body=written(
                {
                    "message": expectation.failure(events, found, within),
                    "events": [event.as_json() for event in found],
                }
            ),
        )

    async def _events(self, _request: Request) -> Reply:
        await self._load()
        events = await self._with_columns(self._seen.events)
        return Reply(status=200, body=written({"events": [event.as_json() for event in events]}))

    async def _start_anew(self, _request: Request) -> Reply:
        await self._reset()
        self._seen.clear()
        return Reply(status=200, body=b"{}")

    async def _known(self, expectation: Expectation) -> Sequence[SeenEvent]:
        """All events, those that may match with the columns that take a look-up where these are asked for."""
        events = list(self._seen.events)
        if not expectation.needs_store:
            return events
        looked_up = iter(await self._with_columns([event for event in events if expectation.may_match(event)]))
        return [next(looked_up) if expectation.may_match(event) else event for event in events]

    async def _with_columns(self, events: Sequence[SeenEvent]) -> Sequence[SeenEvent]:
        rows: dict[str, list[Mapping[str, Any]]] = {}
        for site_id in {event.site_id for event in events if event.outcome == ACCEPTED}:
            ids = sorted({event.event_id for event in events if event.site_id == site_id and event.outcome == ACCEPTED})
            for row in await self._look_up(site_id, ids):
                rows.setdefault(str(row["event_id"]), []).append(row)
        return [_with_row(event, rows) for event in events]


def _with_row(event: SeenEvent, rows: dict[str, list[Mapping[str, Any]]]) -> SeenEvent:
    """The event with its row's columns: several with one id are in the order of their arrival."""
    if event.outcome != ACCEPTED or not rows.get(event.event_id):
        return event
    row = rows[event.event_id].pop(0)
    return replace(event, fields={**event.fields, **{name: row[name] for name in LOOKED_UP}})


def _asked(body: bytes) -> dict[str, Any]:
    try:
        asked = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise ExpectationError(f"the body is not JSON: {error}") from error
    if not isinstance(asked, dict) or not isinstance(asked.get("where"), dict):
        raise ExpectationError('send {"where": {"event_type": "pageview", "metadata.sku": "A1"}, "within": 2}')
    if unknown := asked.keys() - {"where", "count", "within"}:
        raise ExpectationError(f"no such member: {', '.join(sorted(unknown))}; there are where, count and within")
    count, within = asked.get("count"), asked.get("within", DEFAULT_WITHIN)
    if not isinstance(within, int | float) or within < 0:
        raise ExpectationError("within is a number of seconds")
    if count is not None and (not isinstance(count, int) or count < 0):
        raise ExpectationError("count is a number of events")
    return {"where": asked["where"], "count": count, "within": within}
